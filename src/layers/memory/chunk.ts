/** A stretch of 32 pages of a file: which of them are allocated, and their bytes. */
/** Space is counted, and holes are made, in pages of this many bytes. */
export const PAGE_SIZE = 4096;

const PAGES = 32;

/** Bytes per chunk: as much as the kernel reads ahead, so that most reads lie within one. */
export const CHUNK_SIZE = PAGES * PAGE_SIZE;

/**
 * Positions are bytes from the chunk's start, ranges exclude their end. Invariant: a byte in no allocated page is zero.
 * Where the bytes are is for its kinds to know (`MemoryChunk`, `KeptChunk`).
 */
export abstract class Chunk {
  /** Bit n is set where page n is allocated. */
  #pages = 0;

  /** Whether no page is allocated. */
  get empty(): boolean {
    return this.#pages === 0;
  }

  /** How many pages are allocated. */
  get count(): number {
    return countBits(this.#pages);
  }

  /** Whether page `page` is allocated. */
  has(page: number): boolean {
    return (this.#pages >>> page & 1) === 1;
  }

  /** How many pages that the range touches are not allocated. */
  missing(start: number, stop: number): number {
    return countPages(start, stop, ~this.#pages);
  }

  /** The bytes themselves, or undefined when they are not at hand in one piece. */
  abstract view(start: number, stop: number): Uint8Array<ArrayBuffer> | undefined;

  /** Copies the range to the start of `target`. */
  abstract copyTo(target: Uint8Array, start: number, stop: number): void;

  /** Writes `data` at `start`. `ENOSPC`, and nothing is changed, when the machine has no memory left. */
  write(start: number, data: Uint8Array): void {
    this.put(start, data);
    this.mark(start, start + data.length);
  }

  /** Allocates the pages that the range touches. */
  reserve(start: number, stop: number): void {
    this.mark(start, stop);
  }

  /** Makes the range, whose pages are allocated, read as zeros. */
  abstract zero(start: number, stop: number): void;

  /** Makes the range read as zeros, frees the pages that lie wholly within it, and returns how many those were. */
  punch(start: number, stop: number): number {
    this.clear(start, stop);
    return this.#free(pageRange(Math.ceil(start / PAGE_SIZE), Math.floor(stop / PAGE_SIZE)));
  }

  /** Drops everything from `start` on, keeps the page that `start` lies in, and returns how many pages were freed. */
  cut(start: number): number {
    this.drop(start);
    return this.#free(pageRange(Math.ceil(start / PAGE_SIZE), PAGES));
  }

  /** The first page from `page` on that is (not) allocated; 32 when there is none. */
  find(page: number, allocated: boolean): number {
    while (page < PAGES && this.has(page) !== allocated) page++;
    return page;
  }

  protected abstract put(start: number, data: Uint8Array): void;

  /** Makes the range read as zeros; whole pages of it are freed then. */
  protected abstract clear(start: number, stop: number): void;

  /** Forgets the bytes from `start` on. */
  protected abstract drop(start: number): void;

  /** Notes that the pages which the range touches are allocated. */
  mark(start: number, stop: number): void {
    this.#pages |= pagesTouched(start, stop);
  }

  #free(mask: number): number {
    const freed = countBits(this.#pages & mask);
    this.#pages &= ~mask;
    return freed;
  }
}

/** How many pages that a range touches are among those whose bits are set in `mask`. */
export function countPages(start: number, stop: number, mask = -1): number {
  return countBits(pagesTouched(start, stop) & mask);
}

function pagesTouched(start: number, stop: number): number {
  return pageRange(Math.floor(start / PAGE_SIZE), Math.ceil(stop / PAGE_SIZE));
}

/** Bits `first` to `end` - 1. */
function pageRange(first: number, end: number): number {
  const count = end - first;
  if (count <= 0) return 0;
  return count === PAGES ? -1 : ((1 << count) - 1) << first;
}

/** Counts the bits of a 32-bit integer: in pairs, in fours, in bytes, then all at once. */
function countBits(bits: number): number {
  const pairs = bits - (bits >>> 1 & 0x55555555);
  const fours = (pairs & 0x33333333) + (pairs >>> 2 & 0x33333333);
  return Math.imul(fours + (fours >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
