/**
 * The device transport: requests come from read(2) on /dev/fuse, answers go with write(2), `fuse_out_header` before the
 * body. Any thread may answer, but only on the descriptor that the request was read from (fs/fuse/dev.c,
 * fuse_dev_do_write looks in that descriptor's own queue).
 */
import { STRUCT } from "../../ffi/structs.ts";
import type { Libc } from "../../ffi/library.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";
import type { RequestView } from "../protocol/request.ts";

const OUT = STRUCT.fuse_out_header;

const { ENOENT, ENODEV, ECONNABORTED } = ERRNO;

/** Room for a header and the longest body: a read of `maxWrite` bytes, or a directory of as many. */
function replyCapacity(maxWrite: number): number {
  return OUT.SIZE + maxWrite + 4096;
}

/** One reply buffer of an isolate, and the way from it to the kernel. */
export class DeviceReply {
  /** Where the body of the next reply is built. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly #whole: Uint8Array<ArrayBuffer>;
  readonly #header: Uint32Array;
  readonly #libc: Libc;

  constructor(libc: Libc, maxWrite: number) {
    this.#libc = libc;
    this.#whole = new Uint8Array(replyCapacity(maxWrite));
    this.#header = new Uint32Array(this.#whole.buffer, 0, OUT.SIZE / 4);
    this.body = this.#whole.subarray(OUT.SIZE);
  }

  /**
   * Answers `request` with `length` bytes of the body, or with a negative errno. False when the kernel does not wait
   * for it any more: its caller was interrupted (`ENOENT`) or the connection has ended (`ENODEV`).
   */
  send(request: RequestView, length: number): boolean {
    return this.sendFor(request.device, request.uniqueLower, request.uniqueUpper, length);
  }

  /** As `send`, for a request of which only `unique` is known. */
  sendFor(device: number, uniqueLower: number, uniqueUpper: number, length: number): boolean {
    const header = this.#header;
    const total = length < 0 ? OUT.SIZE : OUT.SIZE + length;
    header[OUT.len >> 2] = total;
    header[OUT.error >> 2] = length < 0 ? length : 0;
    header[OUT.unique >> 2] = uniqueLower;
    header[(OUT.unique >> 2) + 1] = uniqueUpper;
    if (this.#libc.symbols.write(device, this.#whole, total) >= 0) return true;
    const errno = this.#libc.errno[0]!;
    if (errno === ENOENT || errno === ENODEV || errno === ECONNABORTED) return false;
    throw new Error(`Cannot answer request ${uniqueUpper}:${uniqueLower}: the kernel says ${errnoName(errno)}`);
  }
}
