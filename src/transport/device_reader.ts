/**
 * The device's other direction: requests, read without blocking into one buffer.
 */
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";
import type { EndReason } from "../messages.ts";
import { RequestView } from "../protocol/request.ts";

const { ENOENT, EINTR, EAGAIN, ENODEV, ECONNABORTED } = ERRNO;

/** What a reader reads. */
export interface DeviceReaderOptions {
  readonly libc: Libc;
  /** A nonblocking descriptor of the connection that nobody else reads. */
  readonly device: number;
  readonly maxWrite: number;
  /** Memory of `readBufferSize` bytes to read into, where somebody else is to see it; otherwise the reader has its own. */
  readonly buffer?: SharedArrayBuffer | undefined;
  /**
   * Whether this process may be killed and the mount go on: then all pages of the buffer are there from the start. Into one
   * that is missing the kernel copies nothing for who is being killed, and the request fails with EIO instead of coming
   * again (fuse_copy_fill in fs/fuse/dev.c; __get_user_pages with a fatal signal in mm/gup.c).
   */
  readonly present?: boolean;
}

/** The kernel wants room for the longest write and its header, or read fails with EINVAL (fuse_dev_do_read). */
export function readBufferSize(maxWrite: number): number {
  return STRUCT.fuse_in_header.SIZE + STRUCT.fuse_write_in.SIZE + maxWrite + 4096;
}

export class DeviceReader {
  /** The request that `read` found; the next `read` overwrites it. */
  readonly request: RequestView;
  readonly #libc: Libc;
  readonly #device: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;

  constructor({ libc, device, maxWrite, buffer, present = false }: DeviceReaderOptions) {
    this.#libc = libc;
    this.#device = device;
    // Shared memory serves as well: C sees an address, and who keeps a request copies it.
    this.#buffer = new Uint8Array((buffer ?? new ArrayBuffer(readBufferSize(maxWrite))) as ArrayBuffer);
    if (present) this.#buffer.fill(0);
    this.request = RequestView.over(this.#buffer);
    this.request.device = device;
  }

  /** Reads one request if there is one. */
  read(): "request" | "empty" | EndReason {
    const { symbols, errno } = this.#libc;
    if (symbols.read(this.#device, this.#buffer, this.#buffer.length) > 0) return "request";
    switch (errno[0]) {
      case EAGAIN:
      // The request was interrupted before it could be read; a signal came.
      case ENOENT:
      case EINTR:
        return "empty";
      case ENODEV:
        return "unmounted";
      case ECONNABORTED:
        return "aborted";
      default:
        throw new Error(`Cannot read from the FUSE device: ${errnoName(errno[0]!)}`);
    }
  }
}
