/**
 * A lock between threads that is one word of shared memory: 0 free, 1 held, 2 held and waited for (Drepper, "Futexes
 * are tricky"). It is held for a few hundred nanoseconds at most, never across a system call. Free of contention, taking
 * and leaving it are one atomic instruction each.
 */

const FREE = 0;
const HELD = 1;
const AWAITED = 2;

/** Waits until the lock at `words[index]` is had. */
export function lock(words: Int32Array, index: number): void {
  if (Atomics.compareExchange(words, index, FREE, HELD) === FREE) return;
  while (Atomics.exchange(words, index, AWAITED) !== FREE) Atomics.wait(words, index, AWAITED);
}

/** Leaves the lock and wakes one that waits. */
export function unlock(words: Int32Array, index: number): void {
  if (Atomics.exchange(words, index, FREE) === AWAITED) Atomics.notify(words, index, 1);
}
