/** How long an empty device is read again. The clock is the test's. */
import { assertEquals } from "../deps.ts";
import { Spin, SPIN_MILLISECONDS } from "../../src/transport/spin.ts";

/** How often a device is found empty until its reader sleeps, when that takes so much of a spin each time. */
const READS = 4;
const STEP = SPIN_MILLISECONDS / (READS - 0.5);

/** A spin whose clock goes on by `step` milliseconds with each look. */
function startSpin(step = STEP): Spin {
  let now = 1;
  return new Spin(() => now += step);
}

/** How often the device is read again before each of so many sleeps. */
function readsBeforeSleeps(spin: Spin, sleeps: number): number[] {
  return Array.from({ length: sleeps }, () => {
    let reads = 0;
    while (spin.goesOn()) reads++;
    return reads;
  });
}

/** After reads in vain a reader sleeps so often without. */
const inVain = (sleeps: number) => [READS, ...new Array(sleeps).fill(0)];

Deno.test("an empty device is read again before its reader sleeps; in vain, ever more seldom", () => {
  const spin = startSpin();
  for (const sleeps of [1, 2, 4, 8, 16, 16]) assertEquals(readsBeforeSleeps(spin, 1 + sleeps), inVain(sleeps));
  // A request that came while it slept says nothing of reading.
  spin.end();
  assertEquals(readsBeforeSleeps(spin, 17), inVain(16));
  // One that was read again for does.
  assertEquals(spin.goesOn(), true);
  spin.end();
  for (const sleeps of [1, 2]) assertEquals(readsBeforeSleeps(spin, 1 + sleeps), inVain(sleeps));
});

Deno.test("it is the time that counts, not how fast the device is read", () => {
  assertEquals(readsBeforeSleeps(startSpin(STEP / 100), 1), [100 * (READS - 0.5)]);
  assertEquals(readsBeforeSleeps(startSpin(STEP * 100), 1), [1]);
});

Deno.test("each request gives the time anew", () => {
  const spin = startSpin();
  for (let request = 0; request < 10; request++) {
    for (let read = 1; read < READS; read++) assertEquals(spin.goesOn(), true);
    spin.end();
  }
});
