/** Answers what nobody serves any more, so that no notification waits for a lock that a request holds. */
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../fs/errors.ts";

const IN = STRUCT.fuse_in_header;
const OUT = STRUCT.fuse_out_header;

/** The kernel wants room for the longest write and its header (fuse_dev_do_read). */
const CAPACITY = (1 << 20) + 8192;

/** Reads all requests that wait on `device`, a nonblocking descriptor, and answers each with EIO. */
export function refuseRequests({ symbols }: Libc, device: number): void {
  const request = new Uint8Array(CAPACITY);
  const reply = new Uint8Array(OUT.SIZE);
  const view = new DataView(reply.buffer);
  view.setUint32(OUT.len, OUT.SIZE, true);
  view.setInt32(OUT.error, -ERRNO.EIO, true);
  while (symbols.read(device, request, CAPACITY) > 0) {
    reply.set(request.subarray(IN.unique, IN.unique + 8), OUT.unique);
    // Those that want no answer are refused by the kernel, which is as well.
    symbols.write(device, reply, OUT.SIZE);
  }
}
