/** Operations on open files, from OPEN to RELEASE. */
import * as KERNEL from "../../../ffi/kernel.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import { Elsewhere, Later } from "../../fs/errors.ts";
import type { Created, Opened } from "../../fs/filesystem.ts";
import type { RequestView } from "../request.ts";
import { exact } from "./positions.ts";
import { created, mayWrite, nothing, type Operation, type ReplyHost } from "./row.ts";

function putOpened(opened: Opened, host: ReplyHost, request: RequestView): number {
  return host.body.putOpened(opened, host.openFiles.opened(request.node, opened, mayWrite(request), request.unique));
}

export const open: Operation<Opened> = {
  method: "open",
  size: STRUCT.fuse_open_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.open(request.node, request.u32(STRUCT.fuse_open_in.flags), context),
  reply: putOpened,
  // A node may have got its backing file from `create`.
  missing: (host, request) => putOpened({}, host, request),
  refused(result, host, filesystem, request, context) {
    host.openFiles.released(request.node, request.unique);
    return filesystem.release?.(request.node, result.handle ?? 0, 0, context);
  },
};

export const create: Operation<Created> = {
  method: "create",
  size: STRUCT.fuse_create_in.SIZE,
  call(filesystem, request, context) {
    const { flags, mode, umask } = STRUCT.fuse_create_in;
    context.umask = request.u32(umask);
    const name = request.takeName();
    return filesystem.create(request.node, name, request.u32(mode) & 0o7777, request.u32(flags), context);
  },
  ...created,
};

export const tmpfile: Operation<Created> = {
  method: "makeTemporaryFile",
  size: STRUCT.fuse_create_in.SIZE,
  call(filesystem, request, context) {
    const { flags, mode, umask } = STRUCT.fuse_create_in;
    context.umask = request.u32(umask);
    return filesystem.makeTemporaryFile(request.node, request.u32(mode) & 0o7777, request.u32(flags), context);
  },
  ...created,
};

export const read: Operation<Uint8Array> = {
  method: "read",
  size: STRUCT.fuse_read_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    // As where `off_t` has fewer bits: read(2) in POSIX. It may well go beyond, where no file is.
    const position = exact(request.u64(offset), "EOVERFLOW");
    return filesystem.read(request.node, request.u64(fh), position, request.u32(size), context);
  },
  reply(result, host, request) {
    const size = request.u32(STRUCT.fuse_read_in.size);
    if (result.length > size) throw new Error(`read returned ${result.length} bytes where ${size} were asked for`);
    return host.body.putBytes(result);
  },
};

export const write: Operation<number> = {
  method: "write",
  size: STRUCT.fuse_write_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size, write_flags } = STRUCT.fuse_write_in;
    const flags = request.u32(write_flags);
    const details = WRITE_DETAILS[(flags & KERNEL.FUSE_WRITE_CACHE) | (flags & KERNEL.FUSE_WRITE_KILL_SUIDGID)]!;
    const data = request.takeBytes(request.u32(size));
    const position = exact(request.u64(offset), "EFBIG", data.length);
    return filesystem.write(request.node, request.u64(fh), position, data, details, context);
  },
  reply: (result, host) => host.body.put32(result),
};

/** By the bits FUSE_WRITE_CACHE (1) and FUSE_WRITE_KILL_SUIDGID (4). */
const WRITE_DETAILS = [0, 1, 2, 3, 4, 5].map((bits) =>
  Object.freeze({ cached: (bits & 1) !== 0, killPrivileges: (bits & 4) !== 0 })
);

export const flush: Operation<void> = {
  method: "flush",
  size: STRUCT.fuse_flush_in.SIZE,
  call(filesystem, request, context) {
    const { fh, lock_owner } = STRUCT.fuse_flush_in;
    return filesystem.flush(request.node, request.u64(fh), request.big(lock_owner), context);
  },
  ...nothing,
};

export const release: Operation<void> = {
  method: "release",
  size: STRUCT.fuse_release_in.SIZE,
  call(filesystem, request, context, host) {
    const { fh, flags } = STRUCT.fuse_release_in;
    let released = true;
    try {
      return filesystem.release(request.node, request.u64(fh), request.u32(flags), context);
    } catch (error) {
      released = !(error instanceof Elsewhere || error instanceof Later);
      throw error;
    } finally {
      // Whatever else becomes of the method: the kernel sends this once.
      if (released) host.openFiles.released(request.node, request.unique);
    }
  },
  ...nothing,
  missing(host, request) {
    host.openFiles.released(request.node, request.unique);
    return 0;
  },
};

export const FSYNC = STRUCT.fuse_fsync_in;

export const fsync: Operation<void> = {
  method: "synchronize",
  size: FSYNC.SIZE,
  call: (filesystem, request, context) =>
    filesystem.synchronize(request.node, request.u64(FSYNC.fh), dataOnly(request), context),
  ...nothing,
};

export function dataOnly(request: RequestView): boolean {
  return (request.u32(FSYNC.fsync_flags) & KERNEL.FUSE_FSYNC_FDATASYNC) !== 0;
}

export const poll: Operation<number> = {
  method: "poll",
  size: STRUCT.fuse_poll_in.SIZE,
  call(filesystem, request, context) {
    const { fh, kh, flags, events } = STRUCT.fuse_poll_in;
    const wakeup = request.u32(flags) & KERNEL.FUSE_POLL_SCHEDULE_NOTIFY ? request.u64(kh) : undefined;
    return filesystem.poll(request.node, request.u64(fh), request.u32(events), wakeup, context);
  },
  reply: (result, host) => host.body.put32(result),
};
