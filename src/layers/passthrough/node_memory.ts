/**
 * The shared memory that all loops of a mount keep their nodes in: a header, hazards, hash buckets, and cells of 64
 * bytes that are a node or a piece of what a node remembers. Untouched parts cost no memory.
 */
import { FsError } from "../../fs/errors.ts";
import { clearKept } from "../../kept/kept_memory.ts";
import { lock, unlock } from "../../threads/mutex.ts";

/** 32-bit words per cell. */
const CELL = 16;

// Words of the header.
const FREE_LOCK = 0;
const FREE_HEAD = 1;
/** One past the last cell that was ever used. */
export const HIGH_WATER = 2;
/** Counts descriptors opened for nodes; says which came first (see `NodeTable.meet`). */
export const EPOCH = 3;
/** Nodes that have a descriptor. */
export const OPEN_NODES = 4;
/** Nodes whose descriptor was taken away, and attempts at it that are under way. */
export const EVICTED = 5;
/** Where the search for the least recently used goes on. */
export const HAND = 6;
/** All nodes but the root. */
export const NODES = 7;
/** Set when the root is in its place; for memory that a keeper holds. */
export const MADE = 8;
const HEADER_WORDS = 64;

/** Words of hazards per loop: a cache line of its own. */
const HAZARD_WORDS = 16;
/** Of which this many are in use (see `Descriptors`). */
export const HAZARDS = 4;

/** A bucket is a lock and the first node of its chain. */
const BUCKET_WORDS = 2;

// Words of a free cell, and of a cell that holds bytes.
const FREE_NEXT = 8;
const NEXT_PIECE = 0;
const PIECE_LENGTH = 1;
const PIECE_DATA = 4 * 4;
const PIECE_BYTES = 44;

/** How the memory is divided; the numbers come with it from `prepare`. */
export interface NodeMemory {
  readonly buffer: SharedArrayBuffer;
  readonly loops: number;
  readonly buckets: number;
  readonly cells: number;
}

/** Allocates memory for `cells` cells; cell 0 is none, cell 1 the root. */
export function allocateNodeMemory(cells: number, loops: number): NodeMemory {
  return placeNodeMemory(new SharedArrayBuffer(nodeMemorySize(cells, loops)), cells, loops);
}

/** How many bytes {@linkcode placeNodeMemory} needs. */
export function nodeMemorySize(cells: number, loops: number): number {
  return (originOf(loops, bucketsFor(cells)) + cells * CELL) * 4;
}

/** Divides memory, which may have a server's nodes in it already. */
export function placeNodeMemory(buffer: SharedArrayBuffer, cells: number, loops: number): NodeMemory {
  const words = new Int32Array(buffer, 0, HEADER_WORDS);
  if (words[HIGH_WATER] === 0) words[HIGH_WATER] = 2;
  return { buffer, loops, buckets: bucketsFor(cells), cells };
}

function bucketsFor(cells: number): number {
  return 1 << Math.max(6, Math.floor(Math.log2(cells)) - 4);
}

/** The first word of cell 0. */
function originOf(loops: number, buckets: number): number {
  return alignCells(HEADER_WORDS + loops * HAZARD_WORDS + buckets * BUCKET_WORDS);
}

function alignCells(words: number): number {
  return Math.ceil(words / CELL) * CELL;
}

/**
 * One loop's view of the memory. The cells come last and start at a multiple of their size.
 *
 * Lock order: a bucket's lock, then the free list's; never two buckets.
 */
export class Cells {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly floats: Float64Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly bucketCount: number;
  readonly loops: number;
  readonly #capacity: number;
  readonly #buckets: number;
  readonly #origin: number;

  constructor(memory: NodeMemory) {
    const size = nodeMemorySize(memory.cells, memory.loops);
    this.words = new Int32Array(memory.buffer, 0, size / 4);
    this.floats = new Float64Array(memory.buffer, 0, size / 8);
    this.bytes = new Uint8Array(memory.buffer, 0, size);
    this.bucketCount = memory.buckets;
    this.loops = memory.loops;
    this.#capacity = memory.cells;
    this.#buckets = HEADER_WORDS + memory.loops * HAZARD_WORDS;
    this.#origin = originOf(memory.loops, memory.buckets);
  }

  /** The first word of a cell. */
  at(cell: number): number {
    return this.#origin + cell * CELL;
  }

  /** The lock word of a bucket; its chain's head is the next word. */
  bucket(hash: number): number {
    return this.#buckets + (hash & (this.bucketCount - 1)) * BUCKET_WORDS;
  }

  /** The first hazard word of a loop. */
  hazards(loop: number): number {
    return HEADER_WORDS + loop * HAZARD_WORDS;
  }

  /** Empties all buckets, hazards and the list of free cells, and opens all locks: of kept memory, while nobody uses it. */
  clearAll(): void {
    clearKept(this.words.buffer, HEADER_WORDS * 4, this.#origin * 4);
    this.words[FREE_LOCK] = 0;
    this.words[FREE_HEAD] = 0;
  }

  /** Takes a cell. Its words are what its last owner left. */
  take(): number {
    const { words } = this;
    lock(words, FREE_LOCK);
    try {
      const free = words[FREE_HEAD]!;
      if (free !== 0) {
        words[FREE_HEAD] = words[this.at(free) + FREE_NEXT]!;
        return free;
      }
      const fresh = words[HIGH_WATER]!;
      if (fresh >= this.#capacity) {
        throw new FsError("ENFILE", `Cannot remember more than ${this.#capacity} files: raise maxNodes`);
      }
      words[HIGH_WATER] = fresh + 1;
      return fresh;
    } finally {
      unlock(words, FREE_LOCK);
    }
  }

  give(cell: number): void {
    const { words } = this;
    lock(words, FREE_LOCK);
    words[this.at(cell) + FREE_NEXT] = words[FREE_HEAD]!;
    words[FREE_HEAD] = cell;
    unlock(words, FREE_LOCK);
  }

  /** Keeps `length` bytes in a chain of cells, the last piece first, and returns the chain's first cell. */
  store(source: Uint8Array, length: number): number {
    const { words, bytes } = this;
    let first = 0;
    for (let start = Math.floor((length - 1) / PIECE_BYTES) * PIECE_BYTES; start >= 0; start -= PIECE_BYTES) {
      const cell = this.#takeAfter(first);
      const at = this.at(cell);
      const piece = Math.min(PIECE_BYTES, length - start);
      words[at + NEXT_PIECE] = first;
      words[at + PIECE_LENGTH] = piece;
      for (let index = 0; index < piece; index++) bytes[at * 4 + PIECE_DATA + index] = source[start + index]!;
      first = cell;
    }
    return first;
  }

  /** Takes a cell; when there is none left, what was taken for the same chain is given back. */
  #takeAfter(chain: number): number {
    try {
      return this.take();
    } catch (error) {
      this.drop(chain);
      throw error;
    }
  }

  /** Copies what {@linkcode store} kept and returns its length. */
  load(first: number, target: Uint8Array): number {
    const { words, bytes } = this;
    let length = 0;
    for (let cell = first; cell !== 0; cell = words[this.at(cell) + NEXT_PIECE]!) {
      const at = this.at(cell);
      const piece = words[at + PIECE_LENGTH]!;
      for (let index = 0; index < piece; index++) target[length + index] = bytes[at * 4 + PIECE_DATA + index]!;
      length += piece;
    }
    return length;
  }

  /** Calls `visit` with each cell of a chain of {@linkcode store}. */
  eachPiece(first: number, visit: (cell: number) => void): void {
    for (let cell = first; cell !== 0; cell = this.words[this.at(cell) + NEXT_PIECE]!) visit(cell);
  }

  /** Gives back a chain of {@linkcode store}. */
  drop(first: number): void {
    for (let cell = first; cell !== 0;) {
      const next = this.words[this.at(cell) + NEXT_PIECE]!;
      this.give(cell);
      cell = next;
    }
  }
}
