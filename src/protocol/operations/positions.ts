/** Positions in files: the kernel's have 63 bits, those of a filesystem's methods are exact up to 2^53 - 1. */
import { type ErrnoName, FsError } from "../../fs/errors.ts";

/**
 * `position`, of a range of `length` bytes that all have to have a number: rounded, it would be another place of the file.
 * Numbers read from a request are rounded to 2^53 at least when they are beyond, and so are sums.
 *
 * @throws {FsError} `beyond` when the position or the range's end is greater than 2^53 - 1.
 */
export function exact(position: number, beyond: ErrnoName, length = 0): number {
  if (position + length <= Number.MAX_SAFE_INTEGER) return position;
  throw new FsError(beyond, "Cannot name a position in a file beyond 2^53 - 1");
}
