/**
 * Who waits for whose lock, in memory that all loops share. Open file description locks, which carry our programs' POSIX
 * locks to the source, find no deadlocks; so waits for each other in a circle are found here (EDEADLK of fcntl(2)).
 *
 * A wait is noted anew at each try and counts for a moment only, so that nothing must be taken back when a waiting
 * program is killed. A note may therefore be out of date: its owner has got the lock, and another loop has not written
 * that down yet. So a circle is suspected when it is first seen, and believed when all others in it have tried again and
 * failed since: the one who suspects has waited all the while, and what waits gives no lock back.
 */
import { lock, unlock } from "../../threads/mutex.ts";

/** The lock's word, and the number of the last note. */
const LOCK = 0;
const LAST = 1;
const FIRST_SLOT = 2;

const SLOTS = 256;

// Words of a slot.
const OWNER = 0;
const HOLDER = 2;
/** When it was noted, in milliseconds (31 bits); 0 when the slot is free. */
const WHEN = 4;
/** The number of the note. */
const NOTE = 5;
/** The note with which the owner first saw itself in a circle; 0 when it does not. */
const SUSPECTED = 6;
const WIDTH = 7;

/** How long a note counts, in milliseconds: tries are at most a fiftieth of a second apart. */
const FRESH = 200;

export function makeLockWaits(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (FIRST_SLOT + SLOTS * WIDTH));
}

export class LockWaits {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /**
   * Notes that `owner` waits for `holder`, and says whether `holder` surely waits, over any others, for `owner`. Then the
   * wait of `owner` is forgotten at once, so that one in the circle is refused and the others go on.
   */
  closesCircle(owner: bigint, holder: bigint): boolean {
    if (owner === holder) return false;
    lock(this.#words, LOCK);
    try {
      const slot = this.#note(owner, holder);
      if (slot === undefined || !this.#confirms(slot, this.#oldestOfCircle(slot))) return false;
      this.#words[slot + WHEN] = 0;
      return true;
    } finally {
      unlock(this.#words, LOCK);
    }
  }

  /** Forgets the wait of `owner`, who has its lock or gave up. */
  end(owner: bigint): void {
    lock(this.#words, LOCK);
    const slot = this.#find(low(owner), high(owner));
    if (slot !== undefined) this.#words[slot + WHEN] = 0;
    unlock(this.#words, LOCK);
  }

  /** With every slot taken a wait goes unnoted, and a deadlock through it unseen until the next try. */
  #note(owner: bigint, holder: bigint): number | undefined {
    const words = this.#words;
    const slot = this.#find(low(owner), high(owner)) ?? this.#findFree();
    if (slot === undefined) return undefined;
    if (!this.#isFresh(slot)) words[slot + SUSPECTED] = 0;
    words[slot + OWNER] = low(owner);
    words[slot + OWNER + 1] = high(owner);
    words[slot + HOLDER] = low(holder);
    words[slot + HOLDER + 1] = high(holder);
    words[slot + WHEN] = now();
    words[slot + NOTE] = ++words[LAST]!;
    return slot;
  }

  /** The number of the oldest note of the others in the circle that `slot` closes; undefined when it closes none. */
  #oldestOfCircle(slot: number): number | undefined {
    const words = this.#words;
    let oldest = Infinity;
    // A circle that does not lead back to `slot` ends here too.
    for (let at = slot, steps = 0; steps < SLOTS; steps++) {
      const next = this.#find(words[at + HOLDER]!, words[at + HOLDER + 1]!);
      if (next === undefined || !this.#isFresh(next)) return undefined;
      if (next === slot) return oldest;
      oldest = Math.min(oldest, words[next + NOTE]!);
      at = next;
    }
    return undefined;
  }

  #confirms(slot: number, oldest: number | undefined): boolean {
    const words = this.#words;
    const suspected = words[slot + SUSPECTED]!;
    if (oldest === undefined) words[slot + SUSPECTED] = 0;
    else if (suspected === 0) words[slot + SUSPECTED] = words[slot + NOTE]!;
    else return oldest > suspected;
    return false;
  }

  #find(ownerLow: number, ownerHigh: number): number | undefined {
    const words = this.#words;
    for (let at = FIRST_SLOT; at < words.length; at += WIDTH) {
      if (words[at] === ownerLow && words[at + 1] === ownerHigh && words[at + WHEN] !== 0) return at;
    }
    return undefined;
  }

  #findFree(): number | undefined {
    for (let at = FIRST_SLOT; at < this.#words.length; at += WIDTH) {
      if (!this.#isFresh(at)) return at;
    }
    return undefined;
  }

  #isFresh(at: number): boolean {
    const noted = this.#words[at + WHEN]!;
    return noted !== 0 && ((now() - noted) & 0x7fffffff) <= FRESH;
  }
}

function low(owner: bigint): number {
  return Number(BigInt.asIntN(32, owner));
}

function high(owner: bigint): number {
  return Number(BigInt.asIntN(32, owner >> 32n));
}

/** Milliseconds in 31 bits, never 0: the isolates of one process share this clock. */
function now(): number {
  return (Date.now() & 0x7fffffff) || 1;
}
