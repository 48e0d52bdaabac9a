/**
 * The loop: reads requests from the device until the mount ends, and hands each one on. It blocks its thread in the
 * kernel between requests, so that no event loop runs here; what wakes it is a request, the end of the mount, or the
 * `stop` descriptor.
 */
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { errnoName } from "../fs/errors.ts";
import { RequestView } from "../protocol/request.ts";

/** How often an empty device is read again before the thread sleeps; see `serve`. */
export const SPINS = 50;

// poll.h
const POLLIN = 1;
// asm-generic/errno.h
const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const ENODEV = 19;
const ECONNABORTED = 103;

export interface LoopOptions {
  readonly libc: Libc;
  /** A nonblocking descriptor of the connection that no other loop reads. */
  readonly device: number;
  /** Becomes readable when the loop is to stop. */
  readonly stop: number;
  readonly maxWrite: number;
  /** Serves one request, which lies in the loop's buffer until this returns. */
  readonly serve: (request: RequestView) => void;
}

/**
 * Serves until the end and says why it ended.
 *
 * An empty device is read again up to {@linkcode SPINS} times before poll(2): a client that makes one call after
 * another sends its next request within microseconds, and waking a sleeping thread costs more than those reads
 * (`bench/` has the figures). An idle mount sleeps in poll and takes no processor time.
 */
export function runLoop(options: LoopOptions): "unmounted" | "aborted" | "stopped" {
  const { libc: { symbols, errno }, device, stop, serve } = options;
  // The kernel wants room for the longest write and its header, or read fails with EINVAL (fuse_dev_do_read).
  const buffer = new Uint8Array(STRUCT.fuse_in_header.SIZE + STRUCT.fuse_write_in.SIZE + options.maxWrite + 4096);
  const capacity = buffer.length;
  const request = RequestView.over(buffer);
  request.device = device;
  const descriptors = pollDescriptors([device, stop]);
  const events = new Int16Array(descriptors.buffer);
  for (let empty = 0;;) {
    const length = symbols.read(device, buffer, capacity);
    if (length > 0) {
      empty = 0;
      serve(request);
      continue;
    }
    switch (errno[0]) {
      case EAGAIN:
        if (++empty <= SPINS) break;
        empty = 0;
        symbols.poll(descriptors, 2, -1);
        if (events[7] !== 0) return "stopped";
        break;
      // The request was interrupted before it could be read; a signal came.
      case ENOENT:
      case EINTR:
        break;
      case ENODEV:
        return "unmounted";
      case ECONNABORTED:
        return "aborted";
      default:
        throw new Error(`Cannot read from the FUSE device: ${errnoName(errno[0]!)}`);
    }
  }
}

/** `struct pollfd { int fd; short events, revents; }`, waiting for input. */
function pollDescriptors(descriptors: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 * descriptors.length);
  const view = new DataView(bytes.buffer);
  descriptors.forEach((descriptor, index) => {
    view.setInt32(index * 8, descriptor, true);
    view.setInt16(index * 8 + 4, POLLIN, true);
  });
  return bytes;
}
