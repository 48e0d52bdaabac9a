/** How long an empty device is read again. The clock is the test's. */
import { assertEquals } from "../deps.ts";
import { LONGEST_SPIN, SHORTEST_SPIN, Spin } from "../../src/transport/spin.ts";

/** How often a device is found empty until its reader sleeps, when that takes so much of the shortest spin each time. */
const READS = 4;
const STEP = SHORTEST_SPIN / (READS - 0.6);

/** How often it is read again in so many milliseconds. */
const readsIn = (milliseconds: number) => Math.ceil(milliseconds / STEP);

/** As many requests just after the reader fell asleep make the spin longer. */
const MISSES = 8;

/** A spin whose clock goes on by `step` milliseconds with each look, and by what it is told. */
class ClockedSpin {
  readonly spin: Spin;
  #now = 1;

  constructor(step: number = STEP) {
    this.spin = new Spin(() => this.#now += step);
  }

  /** How often the device is read again before the reader sleeps. */
  readsBeforeSleep(): number {
    let reads = 0;
    while (this.spin.goesOn()) reads++;
    return reads;
  }

  /**
   * A request comes `milliseconds` after the device was found empty, or as soon as the reader sleeps. Returns how often the
   * device was read before.
   */
  sleep(milliseconds: number): number {
    const begun = this.#now;
    const reads = this.readsBeforeSleep();
    this.#now = Math.max(this.#now, begun + milliseconds);
    this.spin.end();
    return reads;
  }
}

/** After reads in vain a reader sleeps so often without. */
const inVain = (sleeps: number) => [READS, ...new Array(sleeps).fill(0)];

Deno.test("an empty device is read again before its reader sleeps; in vain, ever more seldom", () => {
  const clocked = new ClockedSpin();
  const sleep = (times: number) => Array.from({ length: times }, () => clocked.sleep(2 * LONGEST_SPIN));
  for (const sleeps of [1, 2, 4, 8, 16, 16]) assertEquals(sleep(1 + sleeps), inVain(sleeps));
  // A request that was read again for says that it pays.
  assertEquals(clocked.spin.goesOn(), true);
  clocked.spin.end();
  for (const sleeps of [1, 2]) assertEquals(sleep(1 + sleeps), inVain(sleeps));
});

Deno.test("it is the time that counts, not how fast the device is read", () => {
  assertEquals(new ClockedSpin(STEP / 100).readsBeforeSleep(), readsIn(100 * SHORTEST_SPIN));
  assertEquals(new ClockedSpin(STEP * 100).readsBeforeSleep(), 1);
});

Deno.test("each request gives the time anew, and a sleep that nothing ended does", () => {
  const { spin } = new ClockedSpin();
  for (let request = 0; request < 10; request++) {
    for (let read = 1; read < READS; read++) assertEquals(spin.goesOn(), true);
    spin.end();
  }
  const clocked = new ClockedSpin();
  assertEquals([1, 2, 3].map(() => clocked.readsBeforeSleep()), [READS, 0, READS]);
});

Deno.test("the time grows where requests come just after the reader fell asleep, and shrinks where they do not", () => {
  const clocked = new ClockedSpin();
  /** How long the longest of so many spins is, if requests come so long after the device was found empty. */
  const longest = (spins: number, milliseconds: number) =>
    Math.max(...Array.from({ length: spins }, () => clocked.sleep(milliseconds)));
  for (let length = SHORTEST_SPIN; length < LONGEST_SPIN; length *= 2) {
    assertEquals(longest(MISSES, 1.2 * length), readsIn(length));
  }
  assertEquals(longest(MISSES, 2 * LONGEST_SPIN), readsIn(LONGEST_SPIN), "and no longer");
  assertEquals(longest(100, 2 * LONGEST_SPIN), readsIn(SHORTEST_SPIN));
});
