/** Operations on open directories. */
import { STRUCT } from "../../../ffi/structs.ts";
import type { DirectoryEntry, Opened } from "../../fs/filesystem.ts";
import { gatherDirectory, gatherPlus, type PlusListing, putDirectory } from "../directory.ts";
import { dataOnly, FSYNC, fsync } from "./files.ts";
import { nothing, type Operation, succeed } from "./row.ts";

export const opendir: Operation<Opened> = {
  method: "openDirectory",
  size: STRUCT.fuse_open_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.openDirectory(request.node, request.u32(STRUCT.fuse_open_in.flags), context),
  reply: (result, host) => host.body.putOpened(result, 0),
  missing: (host) => host.body.putOpened({}, 0),
  refused: (result, _host, filesystem, request, context) =>
    filesystem.releaseDirectory?.(request.node, result.handle ?? 0, 0, context),
};

/** A directory is gathered only as far as the kernel's buffer may reach; `putDirectory` stops where it is full. */
export const readdir: Operation<Iterable<DirectoryEntry>> = {
  method: "readDirectory",
  size: STRUCT.fuse_read_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    const entries = filesystem.readDirectory(request.node, request.u64(fh), request.u64(offset), context);
    return gatherDirectory(entries, request.u32(size));
  },
  reply: (result, host, request) => putDirectory(result, host, request.u32(STRUCT.fuse_read_in.size)),
  missing: succeed,
};

export const readdirplus: Operation<PlusListing> = {
  method: "readDirectoryPlus",
  size: STRUCT.fuse_read_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    const entries = filesystem.readDirectoryPlus(request.node, request.u64(fh), request.u64(offset), context);
    return gatherPlus(entries, request.u32(size));
  },
  reply: ({ entries, counted }, host, request) =>
    putDirectory(entries, host, request.u32(STRUCT.fuse_read_in.size), counted),
  refused: ({ counted }, host) => counted.forEach((node) => host.uncount(node)),
};

export const releasedir: Operation<void> = {
  method: "releaseDirectory",
  size: STRUCT.fuse_release_in.SIZE,
  call(filesystem, request, context) {
    const { fh, flags } = STRUCT.fuse_release_in;
    return filesystem.releaseDirectory(request.node, request.u64(fh), request.u32(flags), context);
  },
  ...nothing,
  missing: succeed,
};

export const fsyncdir: Operation<void> = {
  ...fsync,
  method: "synchronizeDirectory",
  call: (filesystem, request, context) =>
    filesystem.synchronizeDirectory(request.node, request.u64(FSYNC.fh), dataOnly(request), context),
};
