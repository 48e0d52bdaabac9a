/** A stretch of 32 pages of a file: which of them are allocated, and their bytes. */
import { FsError } from "../../fs/errors.ts";

/** Space is counted, and holes are made, in pages of this many bytes. */
export const PAGE_SIZE = 4096;

const PAGES = 32;

/** Bytes per chunk: as much as the kernel reads ahead, so that most reads lie within one. */
export const CHUNK_SIZE = PAGES * PAGE_SIZE;

const NO_BYTES = new Uint8Array(0);

/**
 * Positions are bytes from the chunk's start, ranges exclude their end. Invariants: a byte in no allocated page is
 * zero; a byte past the end of `bytes` is zero. So bytes are kept only as far as something has been written, and a
 * small file takes little more than its size.
 */
export class Chunk {
  /** Bit n is set where page n is allocated. */
  #pages = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  /** With room for `capacity` bytes; it grows by itself, but each time it copies. */
  constructor(capacity = 0) {
    this.#bytes = capacity === 0 ? NO_BYTES : allocate(capacity);
  }

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
    return countBits(pagesTouched(start, stop) & ~this.#pages);
  }

  /** Allocates the pages that the range touches. */
  reserve(start: number, stop: number): void {
    this.#pages |= pagesTouched(start, stop);
  }

  /** The bytes themselves, or undefined when the range goes beyond what is kept. */
  view(start: number, stop: number): Uint8Array<ArrayBuffer> | undefined {
    return stop <= this.#bytes.length ? this.#bytes.subarray(start, stop) : undefined;
  }

  /** Copies the range to the start of `target`. */
  copyTo(target: Uint8Array, start: number, stop: number): void {
    const kept = this.#bytes.subarray(start, stop);
    target.set(kept);
    target.fill(0, kept.length, stop - start);
  }

  /** Writes `data` at `start`. `ENOSPC`, and nothing is changed, when the machine has no memory left. */
  write(start: number, data: Uint8Array): void {
    const stop = start + data.length;
    this.#grow(stop);
    this.#bytes.set(data, start);
    this.reserve(start, stop);
  }

  /** Makes the range read as zeros and keeps its pages. */
  zero(start: number, stop: number): void {
    this.#bytes.fill(0, start, stop);
  }

  /** Makes the range read as zeros, frees the pages that lie wholly within it, and returns how many those were. */
  punch(start: number, stop: number): number {
    this.zero(start, stop);
    return this.#free(pageRange(Math.ceil(start / PAGE_SIZE), Math.floor(stop / PAGE_SIZE)));
  }

  /** Drops everything from `start` on, keeps the page that `start` lies in, and returns how many pages were freed. */
  cut(start: number): number {
    if (start < this.#bytes.length) this.#bytes = this.#bytes.slice(0, start);
    return this.#free(pageRange(Math.ceil(start / PAGE_SIZE), PAGES));
  }

  /** The first page from `page` on that is (not) allocated; 32 when there is none. */
  find(page: number, allocated: boolean): number {
    while (page < PAGES && this.has(page) !== allocated) page++;
    return page;
  }

  #free(mask: number): number {
    const freed = countBits(this.#pages & mask);
    this.#pages &= ~mask;
    return freed;
  }

  #grow(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = allocate(Math.min(CHUNK_SIZE, Math.max(length, 2 * this.#bytes.length)));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new FsError("ENOSPC", `Cannot allocate ${length} bytes of memory for a file`, { cause });
  }
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
