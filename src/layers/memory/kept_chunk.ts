/** A chunk whose bytes are in a file that outlives this process. What is written there is there, whatever becomes of us. */
import type { KeptFile } from "../../kept/kept_file.ts";
import { Chunk, CHUNK_SIZE, PAGE_SIZE } from "./chunk.ts";

const ZEROS = new Uint8Array(CHUNK_SIZE);

export class KeptChunk extends Chunk {
  readonly #file: KeptFile;
  /** Where the chunk begins in the file. */
  readonly #begin: bigint;

  constructor(file: KeptFile, begin: bigint) {
    super();
    this.#file = file;
    this.#begin = begin;
  }

  view(): undefined {
    return undefined;
  }

  copyTo(target: Uint8Array, start: number, stop: number): void {
    this.#file.read(target.subarray(0, stop - start), this.#begin + BigInt(start));
  }

  /** Allocated pages are written ones: so another server tells them from holes. */
  override reserve(start: number, stop: number): void {
    for (let page = Math.floor(start / PAGE_SIZE); page * PAGE_SIZE < stop; page++) {
      if (!this.has(page)) this.#file.write(ZEROS.subarray(0, 1), this.#begin + BigInt(page * PAGE_SIZE));
    }
    this.mark(start, stop);
  }

  zero(start: number, stop: number): void {
    this.#file.write(ZEROS.subarray(0, stop - start), this.#begin + BigInt(start));
  }

  protected put(start: number, data: Uint8Array): void {
    this.#file.write(data, this.#begin + BigInt(start));
  }

  protected clear(start: number, stop: number): void {
    this.#file.punch(this.#begin + BigInt(start), BigInt(stop - start));
  }

  protected drop(start: number): void {
    this.clear(start, CHUNK_SIZE);
  }
}
