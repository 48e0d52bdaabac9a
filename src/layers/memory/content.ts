/** The bytes of a file: chunks by number, with holes between and within them. */
import { FsError } from "../../fs/errors.ts";
import type { RequestContext } from "../../fs/filesystem.ts";
import type { Capacity } from "./capacity.ts";
import { type Chunk, CHUNK_SIZE, countPages, PAGE_SIZE } from "./chunk.ts";
import { MemoryChunk } from "./memory_chunk.ts";

/** The largest size of a file: what JavaScript counts exactly, in whole pages. */
const SIZE_MAX = Number.MAX_SAFE_INTEGER + 1 - PAGE_SIZE;

const NO_BYTES = new Uint8Array(0);

/** Where the bytes of a file are. */
export interface ChunkMaker {
  /** The largest size of a file. */
  readonly mostBytes: number;
  /** Makes chunk `index`. `follows`: the one before it is there. */
  makeChunk(index: number, follows: boolean): Chunk;
}

/** In this process. A file that has come to the end of a chunk will most likely fill the next one too. */
const IN_PROCESS: ChunkMaker = {
  mostBytes: SIZE_MAX,
  makeChunk: (_index, follows) => new MemoryChunk(follows ? CHUNK_SIZE : 0),
};

/** A part of a range that lies in one chunk: chunk number, and from where to where in it. */
interface Piece {
  index: number;
  start: number;
  stop: number;
}

/**
 * Bytes past the file's size are zero in every chunk (see {@linkcode Chunk}), so that a file which shrinks and grows
 * again shows none of what it had.
 */
export class Content {
  readonly #capacity: Capacity;
  readonly #maker: ChunkMaker;
  #size = 0;
  #pages = 0;
  // Most files end within the first chunk and are spared a Map.
  #first: Chunk | undefined;
  #others: Map<number, Chunk> | undefined;

  constructor(capacity: Capacity, maker: ChunkMaker = IN_PROCESS) {
    this.#capacity = capacity;
    this.#maker = maker;
  }

  /** Takes over what was there before: the size, and chunks by number. */
  restore(size: number, chunks: ReadonlyMap<number, Chunk>): void {
    this.#size = size;
    for (const [index, chunk] of chunks) {
      this.#store(index, chunk);
      this.#take(chunk.count);
    }
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /** Pages allocated, each of 4 KiB. */
  get pages(): number {
    return this.#pages;
  }

  /** At most `size` bytes from `offset`: a view of the content, or a buffer from `context`. Valid until the next change. */
  read(offset: number, size: number, context: Pick<RequestContext, "allocate">): Uint8Array {
    const end = Math.min(offset + size, this.#size);
    if (end <= offset) return NO_BYTES;
    const index = Math.floor(offset / CHUNK_SIZE);
    const start = offset - index * CHUNK_SIZE;
    return this.#chunk(index)?.view(start, start + end - offset) ?? this.#gather(offset, end, context);
  }

  #gather(offset: number, end: number, context: Pick<RequestContext, "allocate">): Uint8Array {
    const gathered = context.allocate(end - offset);
    let at = 0;
    for (const { index, start, stop } of pieces(offset, end)) {
      const target = gathered.subarray(at, at += stop - start);
      const chunk = this.#chunk(index);
      if (chunk) chunk.copyTo(target, start, stop);
      else target.fill(0);
    }
    return gathered;
  }

  /** Writes `data` and returns how many bytes there was space for, 0 when for none. */
  write(offset: number, data: Uint8Array): number {
    this.#checkSize(offset + data.length);
    let written = 0;
    for (const { index, start, stop } of pieces(offset, offset + data.length)) {
      const chunk = this.#chunk(index) ?? this.#makeChunk(index);
      const end = this.#spaceFor(chunk, start, stop);
      if (end > start) {
        this.#writeChunk(index, chunk, start, data.subarray(written, written += end - start));
        this.#size = Math.max(this.#size, offset + written);
      }
      if (end < stop) break;
    }
    return written;
  }

  #writeChunk(index: number, chunk: Chunk, start: number, data: Uint8Array): void {
    const missing = chunk.missing(start, start + data.length);
    chunk.write(start, data);
    this.#take(missing);
    this.#store(index, chunk);
  }

  /** How far into the range [`start`, `stop`) pages can be had. */
  #spaceFor(chunk: Chunk, start: number, stop: number): number {
    let free = this.#capacity.freePages;
    if (chunk.missing(start, stop) <= free) return stop;
    let page = Math.floor(start / PAGE_SIZE);
    while (chunk.has(page) || free-- > 0) page++;
    return Math.max(start, page * PAGE_SIZE);
  }

  /** Sets the size; what is cut off is freed, also what was reserved past the end; what is added is a hole. */
  resize(size: number): void {
    this.#checkSize(size);
    if (size <= this.#size) this.#cut(size);
    this.#size = size;
  }

  /** Gives all space back. */
  free(): void {
    this.#cut(0);
  }

  #cut(offset: number): void {
    for (const { index, start } of this.#stored(offset, Infinity)) this.#give(this.#chunk(index)!.cut(start), index);
  }

  /** Makes `length` bytes read as zeros, and frees the pages that lie within them. The size stays. */
  punch(offset: number, length: number): void {
    // What lies past the end is zeros anyway: the last page goes with the bytes that the file has in it.
    const end = offset + length < this.#size ? offset + length : roundUp(offset + length);
    for (const { index, start, stop } of this.#stored(offset, end)) {
      this.#give(this.#chunk(index)!.punch(start, stop), index);
    }
  }

  /** Allocates the pages of `length` bytes, all or (`ENOSPC`) none. The size stays. */
  reserve(offset: number, length: number): void {
    const end = offset + length;
    this.#checkSize(end);
    const free = this.#capacity.freePages;
    // Asked first, because counting a range that cannot fit may take very long.
    const missing = length / PAGE_SIZE > free + this.#pages ? Infinity : this.#missing(offset, end);
    if (missing > free) throw new FsError("ENOSPC", `Cannot allocate ${length} bytes: ${free} pages of 4 KiB are free`);
    for (const { index, start, stop } of pieces(offset, end)) {
      const chunk = this.#chunk(index) ?? this.#makeChunk(index);
      chunk.reserve(start, stop);
      this.#store(index, chunk);
    }
    this.#take(missing);
  }

  #missing(offset: number, end: number): number {
    let missing = 0;
    for (const { index, start, stop } of pieces(offset, end)) {
      missing += this.#chunk(index)?.missing(start, stop) ?? countPages(start, stop);
    }
    return missing;
  }

  /** Makes `length` bytes read as zeros, and allocates their pages. The size stays. */
  zero(offset: number, length: number): void {
    this.reserve(offset, length);
    for (const { index, start, stop } of this.#stored(offset, offset + length)) this.#chunk(index)!.zero(start, stop);
  }

  /** Where data begins, at or after `offset`; undefined when only holes follow. */
  nextData(offset: number): number | undefined {
    const first = Math.floor(offset / CHUNK_SIZE);
    for (let index: number | undefined = first; index !== undefined; index = this.#nextIndex(index)) {
      const begin = index * CHUNK_SIZE;
      const position = this.#chunk(index)?.find(Math.floor(Math.max(0, offset - begin) / PAGE_SIZE), true);
      if (position === undefined || position * PAGE_SIZE >= CHUNK_SIZE) continue;
      const data = Math.max(offset, begin + position * PAGE_SIZE);
      return data < this.#size ? data : undefined;
    }
  }

  /** Where a hole begins, at or after `offset`; the end of the file counts as one. */
  nextHole(offset: number): number {
    let at = offset;
    while (at < this.#size) {
      const index = Math.floor(at / CHUNK_SIZE);
      const begin = index * CHUNK_SIZE;
      const page = this.#chunk(index)?.find(Math.floor((at - begin) / PAGE_SIZE), false);
      if (page === undefined) break;
      at = Math.max(at, begin + page * PAGE_SIZE);
      if (page * PAGE_SIZE < CHUNK_SIZE) break;
    }
    return Math.min(at, this.#size);
  }

  /** The number of the next chunk that exists. */
  #nextIndex(index: number): number | undefined {
    if (this.#others?.has(index + 1)) return index + 1;
    let next = Infinity;
    for (const other of this.#others?.keys() ?? []) {
      if (other > index && other < next) next = other;
    }
    return next === Infinity ? undefined : next;
  }

  #makeChunk(index: number): Chunk {
    return this.#maker.makeChunk(index, this.#chunk(index - 1) !== undefined);
  }

  #checkSize(size: number): void {
    const { mostBytes } = this.#maker;
    if (size > mostBytes) throw new FsError("EFBIG", `Cannot make a file of ${size} bytes: ${mostBytes} is the limit`);
  }

  #chunk(index: number): Chunk | undefined {
    return index === 0 ? this.#first : this.#others?.get(index);
  }

  #store(index: number, chunk: Chunk): void {
    if (index === 0) this.#first = chunk;
    else (this.#others ??= new Map()).set(index, chunk);
  }

  #take(pages: number): void {
    this.#pages += pages;
    this.#capacity.takePages(pages);
  }

  /** Counts pages that were freed in a chunk, and drops the chunk when it has none left. */
  #give(pages: number, index: number): void {
    this.#pages -= pages;
    this.#capacity.givePages(pages);
    if (!this.#chunk(index)!.empty) return;
    if (index === 0) this.#first = undefined;
    else this.#others!.delete(index);
  }

  /** The pieces of a range whose chunks exist. A range may be far longer than all that the file holds. */
  *#stored(offset: number, end: number): Generator<Piece> {
    const chunks = (this.#first ? 1 : 0) + (this.#others?.size ?? 0);
    if ((end - offset) / CHUNK_SIZE < chunks) {
      for (const piece of pieces(offset, end)) {
        if (this.#chunk(piece.index)) yield piece;
      }
      return;
    }
    if (this.#first) yield* within(0, offset, end);
    for (const index of this.#others?.keys() ?? []) yield* within(index, offset, end);
  }
}

/** Cuts a range at the borders of chunks. */
function* pieces(offset: number, end: number): Generator<Piece> {
  for (let at = offset; at < end;) {
    const index = Math.floor(at / CHUNK_SIZE);
    const start = at - index * CHUNK_SIZE;
    const stop = Math.min(CHUNK_SIZE, start + end - at);
    yield { index, start, stop };
    at += stop - start;
  }
}

/** The piece of a range that lies in chunk `index`, if there is one. */
function* within(index: number, offset: number, end: number): Generator<Piece> {
  const begin = index * CHUNK_SIZE;
  const start = Math.max(0, offset - begin);
  const stop = Math.min(CHUNK_SIZE, end - begin);
  if (start < stop) yield { index, start, stop };
}

function roundUp(offset: number): number {
  return Math.ceil(offset / PAGE_SIZE) * PAGE_SIZE;
}
