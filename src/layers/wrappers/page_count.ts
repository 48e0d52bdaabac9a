/** The pages that a limited filesystem has in use, counted by all loops that serve it, and over the death of a server. */
import { FsError } from "../../fs/errors.ts";
import type { NodeId } from "../../fs/filesystem.ts";

/** The pages in use; and a word that is whoever's who made it. */
export type SizeUsage = Int32Array<SharedArrayBuffer>;

/** How much memory a usage has. */
export const SIZE_USAGE_BYTES = 8;

/** For a filesystem that several loops serve: made once, before them; in `memory`, where one may have counted before. */
export function makeSizeUsage(memory = new SharedArrayBuffer(SIZE_USAGE_BYTES)): SizeUsage {
  return new Int32Array(memory, 0, SIZE_USAGE_BYTES / 4);
}

/**
 * What a loop is changing, in memory that outlives it: the file (0 for none), its pages before, and those that were taken
 * for it. So who takes its place can count what came of it. For a filesystem that answers at once.
 */
export type SizeChange = Float64Array<SharedArrayBuffer>;

/** How much memory the changes of so many loops have. */
export function sizeChangesBytes(loops: number): number {
  return loops * 3 * 8;
}

/** The change of a loop, in memory for all that begins at `start`. */
export function sizeChangeOf(memory: SharedArrayBuffer, start: number, loop: number): SizeChange {
  return new Float64Array(memory, start + sizeChangesBytes(loop), 3);
}

export class PageCount {
  readonly limit: number;
  readonly #usage: SizeUsage;
  readonly #change: SizeChange | undefined;

  constructor(limit: number, usage: SizeUsage, change: SizeChange | undefined) {
    this.limit = limit;
    this.#usage = usage;
    this.#change = change;
  }

  get free(): number {
    return Math.max(0, this.limit - Atomics.load(this.#usage, 0));
  }

  /** Takes as many pages as there are, at most `count`. */
  take(count: number): number {
    for (;;) {
      const inUse = Atomics.load(this.#usage, 0);
      const taken = Math.max(0, Math.min(count, this.limit - inUse));
      if (Atomics.compareExchange(this.#usage, 0, inUse, inUse + taken) === inUse) return taken;
    }
  }

  give(count: number): void {
    Atomics.sub(this.#usage, 0, count);
  }

  /** A file of `before` pages is about to change, for which so many were taken. */
  begin(node: NodeId, before: number, taken: number): void {
    const change = this.#change;
    if (change === undefined) return;
    change[0] = 0;
    change[1] = before;
    change[2] = taken;
    change[0] = node;
  }

  /** It has changed, or not, and has `now` pages. */
  end(before: number, taken: number, now: number): void {
    // First: what ends in between is counted twice, and not never.
    if (this.#change !== undefined) this.#change[0] = 0;
    this.give(taken - (now - before));
  }

  /** Ends what somebody was at who died; `pagesOf` says how many pages a file has now, and throws when there is none. */
  settle(pagesOf: (node: NodeId) => number): void {
    const [node = 0, before = 0, taken = 0] = this.#change ?? [];
    if (node === 0) return;
    let now = before;
    try {
      now = pagesOf(node);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
    this.end(before, taken, now);
  }
}
