/** A chunk whose bytes are this process's. */
import { FsError } from "../../fs/errors.ts";
import { Chunk, CHUNK_SIZE } from "./chunk.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Invariant: a byte past the end of `bytes` is zero. So bytes are kept only as far as something has been written, and a
 * small file takes little more than its size.
 */
export class MemoryChunk extends Chunk {
  #bytes: Uint8Array<ArrayBuffer>;

  /** With room for `capacity` bytes; it grows by itself, but each time it copies. */
  constructor(capacity = 0) {
    super();
    this.#bytes = capacity === 0 ? NO_BYTES : allocate(capacity);
  }

  view(start: number, stop: number): Uint8Array<ArrayBuffer> | undefined {
    return stop <= this.#bytes.length ? this.#bytes.subarray(start, stop) : undefined;
  }

  copyTo(target: Uint8Array, start: number, stop: number): void {
    const kept = this.#bytes.subarray(start, stop);
    target.set(kept);
    target.fill(0, kept.length, stop - start);
  }

  zero(start: number, stop: number): void {
    this.#bytes.fill(0, start, stop);
  }

  protected put(start: number, data: Uint8Array): void {
    this.#grow(start + data.length);
    this.#bytes.set(data, start);
  }

  protected clear(start: number, stop: number): void {
    this.zero(start, stop);
  }

  protected drop(start: number): void {
    if (start < this.#bytes.length) this.#bytes = this.#bytes.slice(0, start);
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
