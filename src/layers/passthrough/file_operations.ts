/** Operations on open files. A handle is the descriptor itself. */
import { addressOf } from "../../../ffi/memory.ts";
import { SEEK_END } from "../../fs/flags.ts";
import type { FileRange, FileSystem, Handle, NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import type { WriteDetails } from "../../fs/filesystem.ts";
import { APPENDED_FILE } from "./descriptor_register.ts";
import type { FileOpening } from "./file_opening.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";

/** pwritev2(2): append, wherever the end is by now. */
const RWF_APPEND = 0x10;

export function fileOperations(loop: PassthroughLoop, opening: FileOpening) {
  const { calls, identity, register } = loop;
  const { files } = calls;
  const vector = new BigUint64Array(2);
  const vectorBytes = new Uint8Array(vector.buffer);
  const fromOffset = new BigInt64Array(1);
  const toOffset = new BigInt64Array(1);

  /** Whatever end the kernel believes in, the source may have grown since. */
  function append(handle: Handle, data: Uint8Array<ArrayBuffer>, context: RequestContext): number {
    const { kept } = register;
    if (kept !== undefined) {
      const end = Number(files.lseek(handle, 0n, SEEK_END));
      const before = context.resent ? kept.intended(context.unique) : undefined;
      // What comes again has been appended there, or a part of it.
      if (before !== undefined && before < end) return files.pwrite(handle, data, data.length, BigInt(before));
      kept.intend(context.unique, end);
    }
    vector[0] = addressOf(data);
    vector[1] = BigInt(data.length);
    return files.pwritev2(handle, vectorBytes, 1, -1n, RWF_APPEND);
  }

  return {
    open(node: NodeId, flags: number, context: RequestContext): Opened {
      return opening.open(node, flags, context);
    },

    read(_node: NodeId, handle: Handle, offset: number, size: number, context: RequestContext): Uint8Array {
      const buffer = context.allocate(size);
      const length = files.pread(handle, buffer, size, BigInt(offset));
      if (length < 0) throw calls.failure("read a file");
      return length === size ? buffer : buffer.subarray(0, length);
    },

    write(
      _node: NodeId,
      handle: Handle,
      offset: number,
      data: Uint8Array,
      details: WriteDetails,
      context: RequestContext,
    ): number {
      identity.assumeForWrite(details.killPrivileges, context);
      const bytes = data as Uint8Array<ArrayBuffer>;
      const written = register.kindOf(handle) === APPENDED_FILE && !details.cached
        ? append(handle, bytes, context)
        : files.pwrite(handle, bytes, bytes.length, BigInt(offset));
      if (written < 0) throw calls.failure("write a file");
      return written;
    },

    synchronize(_node: NodeId, handle: Handle, dataOnly: boolean): void {
      calls.check(dataOnly ? files.fdatasync(handle) : files.fsync(handle), "bring a file to the disk");
    },

    allocate(
      _node: NodeId,
      handle: Handle,
      mode: number,
      offset: number,
      length: number,
      context: RequestContext,
    ): void {
      identity.assume(context);
      calls.check(files.fallocate(handle, mode, BigInt(offset), BigInt(length)), "allocate space");
    },

    copyFileRange(from: FileRange, to: FileRange, length: number, flags: number, context: RequestContext): number {
      identity.assume(context);
      fromOffset[0] = BigInt(from.offset);
      toOffset[0] = BigInt(to.offset);
      const copied = files.copy_file_range(from.handle, fromOffset, to.handle, toOffset, BigInt(length), flags);
      if (copied < 0n) throw calls.failure("copy a part of a file");
      return Number(copied);
    },

    seek(_node: NodeId, handle: Handle, offset: number, whence: number): number {
      const found = files.lseek(handle, BigInt(offset), whence);
      if (found < 0n) throw calls.failure("find data or a hole");
      return Number(found);
    },
  } satisfies FileSystem;
}
