/**
 * Who waits for whose lock, in memory that all loops share. Open file description locks, which carry our programs' POSIX
 * locks to the source, find no deadlocks; so waits for each other in a circle are found here (EDEADLK of fcntl(2)).
 *
 * A wait is noted anew at each try and counts for a moment only, so that nothing must be taken back when a waiting
 * program is killed.
 */
import { lock, unlock } from "./mutex.ts";

const SLOTS = 256;
/** Words of a slot: who waits and for whom, each in two halves, and when (milliseconds, 31 bits). */
const WIDTH = 5;
/** How long a note counts, in milliseconds: tries are at most a fiftieth of a second apart. */
const FRESH = 200;

/** The memory: the lock's word, then the slots. */
export function makeLockWaits(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (1 + SLOTS * WIDTH));
}

export class LockWaits {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Notes that `owner` waits for `holder`, and says whether `holder` waits, over any others, for `owner`. */
  closesCircle(owner: bigint, holder: bigint): boolean {
    lock(this.#words, 0);
    try {
      this.#note(owner, holder);
      const seen = new Set<bigint>();
      for (let next: bigint | undefined = holder; next !== undefined && !seen.has(next); next = this.#waitsFor(next)) {
        if (next === owner) return true;
        seen.add(next);
      }
      return false;
    } finally {
      unlock(this.#words, 0);
    }
  }

  /** Forgets the wait of `owner`, who has its lock or gave up. */
  end(owner: bigint): void {
    lock(this.#words, 0);
    const slot = this.#find((at) => this.#read(at) === owner);
    if (slot !== undefined) this.#words[slot + 4] = 0;
    unlock(this.#words, 0);
  }

  /** With every slot taken a wait goes unnoted, and a deadlock through it unseen until the next try. */
  #note(owner: bigint, holder: bigint): void {
    const slot = this.#find((at) => this.#read(at) === owner) ?? this.#find((at) => !this.#isFresh(at));
    if (slot === undefined) return;
    this.#write(slot, owner);
    this.#write(slot + 2, holder);
    this.#words[slot + 4] = now();
  }

  #waitsFor(owner: bigint): bigint | undefined {
    const slot = this.#find((at) => this.#isFresh(at) && this.#read(at) === owner);
    return slot === undefined ? undefined : this.#read(slot + 2);
  }

  #find(fits: (at: number) => boolean): number | undefined {
    for (let at = 1; at < this.#words.length; at += WIDTH) {
      if (fits(at)) return at;
    }
    return undefined;
  }

  #isFresh(at: number): boolean {
    const noted = this.#words[at + 4]!;
    return noted !== 0 && ((now() - noted) & 0x7fffffff) <= FRESH;
  }

  #read(at: number): bigint {
    return BigInt.asUintN(32, BigInt(this.#words[at]!)) | BigInt.asUintN(32, BigInt(this.#words[at + 1]!)) << 32n;
  }

  #write(at: number, owner: bigint): void {
    this.#words[at] = Number(BigInt.asIntN(32, owner));
    this.#words[at + 1] = Number(BigInt.asIntN(32, owner >> 32n));
  }
}

/** Milliseconds in 31 bits, never 0: the isolates of one process share this clock. */
function now(): number {
  return (Date.now() & 0x7fffffff) || 1;
}
