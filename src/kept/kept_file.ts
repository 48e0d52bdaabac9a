/**
 * A file in memory that outlives the process (`KeptState.file`): sparse, and so large that everything can have a place of
 * its own in it. Holes cost nothing and read as zeros. What is read or written at a time must not lie across a multiple of
 * 2^49 bytes (`kept_extents.ts`).
 */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { type ErrnoName, errnoName, FsError } from "../fs/errors.ts";
import { SEEK_DATA, SEEK_HOLE } from "../fs/flags.ts";
import type { KeptFilePlace } from "../fs/module.ts";
import { KeptExtents } from "./kept_extents.ts";
import { punchKept } from "./kept_memory.ts";

export class KeptFile {
  readonly #descriptor: number;
  readonly #extents: KeptExtents;
  readonly #files = openFiles();

  /** One thread at a time may have a place's file. */
  constructor(place: KeptFilePlace) {
    this.#descriptor = place.descriptor;
    this.#extents = new KeptExtents(place);
  }

  /** Fills `target` with what is at `offset`. */
  read(target: Uint8Array, offset: bigint): void {
    const at = this.#extents.find(offset);
    if (at === undefined) return void target.fill(0);
    for (let done = 0; done < target.length;) {
      const rest = done === 0 ? target : target.subarray(done);
      done += this.#check(this.#files.pread(this.#descriptor, rest, rest.length, at + BigInt(done)), "read");
    }
  }

  /** @throws {FsError} `ENOSPC` or `ENOMEM` when the machine has no memory left, or the files that share it no place. */
  write(data: Uint8Array, offset: bigint): void {
    const at = this.#extents.reach(offset);
    if (at === undefined) throw new FsError("ENOSPC", "Cannot write to the file that outlives the server: it is full");
    for (let done = 0; done < data.length;) {
      const rest = done === 0 ? data : data.subarray(done);
      done += this.#check(this.#files.pwrite(this.#descriptor, rest, rest.length, at + BigInt(done)), "write");
    }
  }

  /** Makes the range read as zeros, and gives its memory back. */
  punch(offset: bigint, length: bigint): void {
    const at = this.#extents.find(offset);
    if (length <= 0n || at === undefined) return;
    this.#check(punchKept(this.#descriptor, at, length), "make a hole");
  }

  /** The stretches in [`start`, `end`) that are written, in whole pages at their borders. */
  *written(start: bigint, end: bigint): Generator<readonly [start: bigint, end: bigint]> {
    const first = this.#extents.find(start);
    if (first === undefined) return;
    const shift = first - start;
    for (let at = first; at < end + shift;) {
      const data = this.#files.lseek(this.#descriptor, at, SEEK_DATA);
      // Negative: nothing follows (ENXIO).
      if (data < 0n || data >= end + shift) return;
      const hole = this.#files.lseek(this.#descriptor, data, SEEK_HOLE);
      at = hole < end + shift ? hole : end + shift;
      yield [data - shift, at - shift];
    }
  }

  #check(result: number, attempt: string): number {
    if (result >= 0) return result;
    const code = errnoName(openLibc().errno[0]!) as ErrnoName;
    throw new FsError(code, `Cannot ${attempt} in the file that outlives the server: ${code}`);
  }
}
