/** Operations on names: what is called what, and where. */
import { STRUCT } from "../../../ffi/structs.ts";
import type { Entry } from "../../fs/attributes.ts";
import { ERRNO } from "../../fs/errors.ts";
import { encodeName } from "../../fs/names.ts";
import { entry, nothing, type Operation } from "./row.ts";

export const lookup: Operation<Entry | undefined> = {
  method: "lookup",
  size: 0,
  call: (filesystem, request, context) => filesystem.lookup(request.node, request.takeName(), context),
  reply(result, host) {
    if (result !== undefined) return entry.reply(result, host);
    return host.cacheNegative ? host.body.putNegativeEntry() : -ERRNO.ENOENT;
  },
  missing: (host) => host.cacheNegative ? host.body.putNegativeEntry() : -ERRNO.ENOENT,
  refused(result, host) {
    if (result !== undefined) host.uncount(result.node);
  },
};

export const symlink: Operation<Entry> = {
  method: "makeSymbolicLink",
  size: 0,
  call(filesystem, request, context) {
    const name = request.takeName();
    return filesystem.makeSymbolicLink(request.node, name, request.takeName(), context);
  },
  ...entry,
};

export const readlink: Operation<string> = {
  method: "readLink",
  size: 0,
  call: (filesystem, request, context) => filesystem.readLink(request.node, context),
  reply: (result, host) => host.body.putBytes(encodeName(result)),
};

export const mknod: Operation<Entry> = {
  method: "makeNode",
  size: STRUCT.fuse_mknod_in.SIZE,
  call(filesystem, request, context) {
    const { mode, rdev, umask } = STRUCT.fuse_mknod_in;
    context.umask = request.u32(umask);
    return filesystem.makeNode(request.node, request.takeName(), request.u32(mode), request.u32(rdev), context);
  },
  ...entry,
};

export const mkdir: Operation<Entry> = {
  method: "makeDirectory",
  size: STRUCT.fuse_mkdir_in.SIZE,
  call(filesystem, request, context) {
    const { mode, umask } = STRUCT.fuse_mkdir_in;
    context.umask = request.u32(umask);
    return filesystem.makeDirectory(request.node, request.takeName(), request.u32(mode) & 0o7777, context);
  },
  ...entry,
};

export const unlink: Operation<void> = {
  method: "unlink",
  size: 0,
  call: (filesystem, request, context) => filesystem.unlink(request.node, request.takeName(), context),
  ...nothing,
};

export const rmdir: Operation<void> = {
  method: "removeDirectory",
  size: 0,
  call: (filesystem, request, context) => filesystem.removeDirectory(request.node, request.takeName(), context),
  ...nothing,
};

export const rename: Operation<void> = {
  method: "rename",
  size: STRUCT.fuse_rename_in.SIZE,
  call(filesystem, request, context) {
    const name = request.takeName();
    const newParent = request.u64(STRUCT.fuse_rename_in.newdir);
    return filesystem.rename(request.node, name, newParent, request.takeName(), 0, context);
  },
  ...nothing,
};

export const rename2: Operation<void> = {
  method: "rename",
  size: STRUCT.fuse_rename2_in.SIZE,
  call(filesystem, request, context) {
    const { newdir, flags } = STRUCT.fuse_rename2_in;
    const name = request.takeName();
    const newName = request.takeName();
    return filesystem.rename(request.node, name, request.u64(newdir), newName, request.u32(flags), context);
  },
  ...nothing,
};

export const link: Operation<Entry> = {
  method: "link",
  size: STRUCT.fuse_link_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.link(request.u64(STRUCT.fuse_link_in.oldnodeid), request.node, request.takeName(), context),
  ...entry,
};
