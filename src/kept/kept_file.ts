/**
 * A file in memory that outlives the process (`KeptState.file`): sparse, and so large that everything can have a place of
 * its own in it. Holes cost nothing and read as zeros.
 */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { type ErrnoName, errnoName, FsError } from "../fs/errors.ts";

/** Its size in bytes; what lies beyond cannot be written. */
export const KEPT_FILE_SIZE = 1n << 62n;

// unistd.h, linux/falloc.h
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const PUNCH_HOLE_KEEP_SIZE = 3;

export class KeptFile {
  readonly #descriptor: number;
  readonly #files = openFiles();

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    // A file that is as long as this already stays as it is.
    this.#check(this.#files.ftruncate(descriptor, KEPT_FILE_SIZE), "make room");
  }

  /** Fills `target` with what is at `offset`. */
  read(target: Uint8Array, offset: bigint): void {
    for (let done = 0; done < target.length;) {
      const rest = done === 0 ? target : target.subarray(done);
      done += this.#check(this.#files.pread(this.#descriptor, rest, rest.length, offset + BigInt(done)), "read");
    }
  }

  /** @throws {FsError} `ENOSPC` or `ENOMEM` when the machine has no memory left. */
  write(data: Uint8Array, offset: bigint): void {
    for (let done = 0; done < data.length;) {
      const rest = done === 0 ? data : data.subarray(done);
      done += this.#check(this.#files.pwrite(this.#descriptor, rest, rest.length, offset + BigInt(done)), "write");
    }
  }

  /** Makes the range read as zeros, and gives its memory back. */
  punch(offset: bigint, length: bigint): void {
    if (length <= 0n) return;
    this.#check(this.#files.fallocate(this.#descriptor, PUNCH_HOLE_KEEP_SIZE, offset, length), "make a hole");
  }

  /** The stretches in [`start`, `end`) that are written, in whole pages at their borders. */
  *written(start: bigint, end: bigint): Generator<readonly [start: bigint, end: bigint]> {
    for (let at = start; at < end;) {
      const data = this.#files.lseek(this.#descriptor, at, SEEK_DATA);
      // Negative: nothing follows (ENXIO).
      if (data < 0n || data >= end) return;
      const hole = this.#files.lseek(this.#descriptor, data, SEEK_HOLE);
      at = hole < end ? hole : end;
      yield [data, at];
    }
  }

  #check(result: number, attempt: string): number {
    if (result >= 0) return result;
    const code = errnoName(openLibc().errno[0]!) as ErrnoName;
    throw new FsError(code, `Cannot ${attempt} in the file that outlives the server: ${code}`);
  }
}
