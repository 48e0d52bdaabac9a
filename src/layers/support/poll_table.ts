/**
 * A table in shared memory of who waits in poll: for each open file (a node and a handle) the kernel's poll handle. It is
 * shared so that all loops of a mount see one table; it grows as it fills.
 *
 * 32-bit words: LOCK, COUNT, FREE (the first free slot), USED (slots ever used), then the buckets' first slots, then the
 * slots of eight words each: the next slot of the bucket (or of the free ones), an empty word, then node, handle and poll
 * handle as doubles. Slots are numbered from 1; 0 is none. Everything is read and written under the lock.
 */
import type { Handle, NodeId, PollHandle } from "../../fs/filesystem.ts";
import { lock, unlock } from "../../threads/mutex.ts";

const LOCK = 0;
const COUNT = 1;
const FREE = 2;
const USED = 3;
const HEADER = 4;

const BUCKETS = 1024;
const SLOTS = HEADER + BUCKETS;
const SLOT_WORDS = 8;

/** As many open files as a process may have (fs.nr_open). */
const MOST_SLOTS = 1 << 20;

/** Bytes for so many slots. */
const sizeFor = (slots: number) => (SLOTS + slots * SLOT_WORDS) * 4;

/** The memory of a poll table: what a module's `prepare` allocates for its loops. */
export type PollMemory = SharedArrayBuffer;

/** Memory for a table that is empty. */
export function allocatePollMemory(): PollMemory {
  return new SharedArrayBuffer(sizeFor(64), { maxByteLength: sizeFor(MOST_SLOTS) });
}

export class PollTable {
  readonly #memory: PollMemory;
  // Both follow the memory as it grows.
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: PollMemory) {
    this.#memory = memory;
    this.#words = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  /** How many open files have somebody who waits. */
  get size(): number {
    return this.#locked(() => this.#words[COUNT]!);
  }

  /** Sets the poll handle of an open file. @throws {RangeError} when a million open files have one. */
  set(node: NodeId, handle: Handle, wakeup: PollHandle): void {
    this.#locked(() => {
      const slot = this.#find(node, handle) ?? this.#add(node, handle);
      this.#doubles[this.#doubleOf(slot) + 2] = wakeup;
    });
  }

  /** Removes the poll handles of all open files of `node`, and returns them. */
  take(node: NodeId): PollHandle[] {
    return this.#remove(node, () => true);
  }

  /** Removes the poll handle of one open file. */
  delete(node: NodeId, handle: Handle): void {
    this.#remove(node, (slot) => this.#doubles[this.#doubleOf(slot) + 1] === handle);
  }

  #find(node: NodeId, handle: Handle): number | undefined {
    for (let slot = this.#words[bucketOf(node)]!; slot !== 0; slot = this.#words[wordOf(slot)]!) {
      const at = this.#doubleOf(slot);
      if (this.#doubles[at] === node && this.#doubles[at + 1] === handle) return slot;
    }
    return undefined;
  }

  #add(node: NodeId, handle: Handle): number {
    const words = this.#words;
    const slot = words[FREE] === 0 ? this.#newSlot() : words[FREE]!;
    if (slot === words[FREE]) words[FREE] = words[wordOf(slot)]!;
    const bucket = bucketOf(node);
    words[wordOf(slot)] = words[bucket]!;
    words[bucket] = slot;
    words[COUNT]!++;
    const at = this.#doubleOf(slot);
    this.#doubles[at] = node;
    this.#doubles[at + 1] = handle;
    return slot;
  }

  #newSlot(): number {
    const slots = this.#words[USED]! + 1;
    if (slots > MOST_SLOTS) {
      throw new RangeError(`Cannot remember that somebody polls: ${MOST_SLOTS} open files have it`);
    }
    if (sizeFor(slots) > this.#memory.byteLength) this.#memory.grow(sizeFor(Math.min(slots * 2, MOST_SLOTS)));
    return this.#words[USED] = slots;
  }

  #remove(node: NodeId, matches: (slot: number) => boolean): PollHandle[] {
    return this.#locked(() => {
      const words = this.#words;
      const removed: PollHandle[] = [];
      for (let before = bucketOf(node); words[before] !== 0;) {
        const slot = words[before]!;
        const at = this.#doubleOf(slot);
        if (this.#doubles[at] !== node || !matches(slot)) {
          before = wordOf(slot);
          continue;
        }
        removed.push(this.#doubles[at + 2]!);
        words[before] = words[wordOf(slot)]!;
        words[wordOf(slot)] = words[FREE]!;
        words[FREE] = slot;
        words[COUNT]!--;
      }
      return removed;
    });
  }

  /** Where the doubles of a slot begin. */
  #doubleOf(slot: number): number {
    return (wordOf(slot) + 2) / 2;
  }

  #locked<T>(work: () => T): T {
    lock(this.#words, LOCK);
    try {
      return work();
    } finally {
      unlock(this.#words, LOCK);
    }
  }
}

/** The word where a slot begins. */
function wordOf(slot: number): number {
  return SLOTS + (slot - 1) * SLOT_WORDS;
}

/** The word that has the first slot of a node's bucket. */
function bucketOf(node: NodeId): number {
  // The upper half too: a branch's nodes differ there.
  return HEADER + (((node >>> 0) ^ (node / 2 ** 32 * 31)) & (BUCKETS - 1));
}
