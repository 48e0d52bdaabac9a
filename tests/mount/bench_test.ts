/** The benchmark itself: it measures, and its limit answers all that its clients ask. */
import type { Figures, ServerCost } from "../../bench/figures.ts";
import { measure, noFigures } from "../../bench/measure.ts";
import { OPERATIONS } from "../../bench/operations.ts";
import { readOptions } from "../../bench/options.ts";
import { assert, assertEquals } from "../deps.ts";

const NOT_ROOT = Deno.uid() === 0 ? undefined : "the limit mounts by itself, which needs root";
// deno-lint-ignore no-console -- why a test is left out
if (NOT_ROOT) console.log(`the benchmark's limit is not tested: ${NOT_ROOT}`);

/** What a run with these arguments finds, in which nothing is missing and nothing fails. */
async function measureAll(...args: string[]): Promise<Figures> {
  const programs = await Deno.makeTempDir();
  try {
    const { plan } = readOptions(["--rounds=1", "--milliseconds=1", ...args]);
    const figures = noFigures(plan);
    await measure(plan, programs, figures, () => {});
    assertEquals([figures.missing, figures.failures], [{}, {}]);
    return figures;
  } finally {
    await Deno.remove(programs, { recursive: true });
  }
}

Deno.test({
  name: "the limit and the host do every operation of the benchmark, with the kernel's caches and without",
  ignore: NOT_ROOT !== undefined,
  async fn() {
    // Two clients, since each works in a folder of its own.
    const { rows } = await measureAll("--peers=host,limit", "--work=metadata,data", "--clients=2");
    for (const peer of ["host", "limit"]) {
      for (const caching of ["off", "best"]) {
        const done = rows.filter((row) => row.peer === peer && row.caching === caching);
        assertEquals(done.map(({ work }) => work), Object.values(OPERATIONS).flat(), `${peer}, caches ${caching}`);
        assert(done.every(({ values }) => values.length === 1 && values[0]! > 0), JSON.stringify(done));
      }
    }
  },
});

Deno.test("starts and wake-ups are measured by themselves, and what a further loop takes when the loops are there", async () => {
  const { conditions, perLoop, servers } = await measureAll(
    "--peers=loops-1",
    "--work=stat",
    "--caching=off",
    "--clients=1",
  );
  const [{ peer, ready }] = servers as [ServerCost];
  const { sameCore, otherCore = 1 } = conditions.wakeUp!;
  assert(sameCore > 0 && otherCore > 0, JSON.stringify(conditions));
  assertEquals([peer, ready.length, ready.every((milliseconds) => milliseconds > 1)], ["loops-1", 5, true]);
  // An isolate of V8's takes several MiB, whatever it runs.
  assert(perLoop! > 3, `${perLoop} MiB`);
});
