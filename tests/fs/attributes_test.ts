/** Time. */
import { assert, assertEquals } from "../deps.ts";
import { now, timeOf } from "../../src/fs/attributes.ts";

Deno.test("now() is the time of day, in whole nanoseconds that never go back within a run", () => {
  let last = -1;
  for (let round = 0; round < 10_000; round++) {
    const { seconds, nanoseconds } = now();
    assert(Number.isInteger(nanoseconds) && nanoseconds >= 0 && nanoseconds < 1e9);
    const milliseconds = seconds * 1000 + nanoseconds / 1e6;
    assert(Math.abs(milliseconds - Date.now()) < 60_000, "the clock is off by more than a minute");
    if (last > milliseconds) assert(last - milliseconds < 2, "the time went back by more than an anchor's step");
    last = milliseconds;
  }
});

Deno.test("timeOf keeps a date's milliseconds, before 1970 too", () => {
  assertEquals(timeOf(new Date(1_500)), { seconds: 1, nanoseconds: 500_000_000 });
  assertEquals(timeOf(new Date(-1)), { seconds: -1, nanoseconds: 999_000_000 });
});
