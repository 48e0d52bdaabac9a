/** What is read of fio's JSON. */
import { readFio } from "../../bench/fio.ts";
import { assertAlmostEquals, assertEquals, assertMatch, assertThrows } from "../deps.ts";

const NOTHING = { total_ios: 0, iops: 0, clat_ns: {} };
const READ = { total_ios: 50, iops: 500, clat_ns: { percentile: { "50.000000": 1000, "99.000000": 16064 } } };

const printed = "fio: a note\n" + JSON.stringify({
  jobs: [
    { jobname: "fio_random_read4k", error: 0, read: READ, write: NOTHING },
    { jobname: "fio_random_write4k", error: 29, read: NOTHING, write: NOTHING },
    { jobname: "fio_read1m", error: 0, read: NOTHING, write: NOTHING },
  ],
});

Deno.test("of fio's JSON the mean and the slowest of a hundred are read, in microseconds", () => {
  const [[mean, microseconds], [slowest, slow]] = readFio(printed, ["fio_random_read4k"]) as [
    [string, number],
    [string, number],
  ];
  assertEquals([mean, slowest], ["fio_random_read4k", "fio_random_read4k_p99"]);
  assertAlmostEquals(microseconds, 2000);
  assertAlmostEquals(slow, 16.064);
});

Deno.test("a job of fio that failed, did nothing or was not run has a reason in place of both figures", () => {
  const reasons = {
    fio_random_write4k: /^Error: .*error 29/,
    fio_read1m: /^Error: .*did nothing/,
    fio_write1m: /^Error: .*unknown/,
  };
  for (const [job, reason] of Object.entries(reasons)) {
    const found = readFio(printed, [job]);
    assertEquals(found.map(([work]) => work), [job, `${job}_p99`]);
    for (const [, error] of found) assertMatch(String(error), reason);
  }
  assertThrows(() => readFio("fio: no such file", ["fio_read1m"]), SyntaxError);
});
