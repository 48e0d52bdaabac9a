/** Operations on attributes: GETATTR, SETATTR, STATX, ACCESS. */
import * as KERNEL from "../../../ffi/kernel.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import type { Attributes, ExtendedStatus } from "../../fs/attributes.ts";
import { ERRNO } from "../../fs/errors.ts";
import { type AttributeChanges, ROOT_NODE } from "../../fs/filesystem.ts";
import { S_IFDIR } from "../../fs/flags.ts";
import type { RequestView } from "../request.ts";
import { exact } from "./positions.ts";
import { nothing, type Operation, type ReplyHost } from "./row.ts";

const attributes = {
  reply: (result: Attributes, host: ReplyHost, request: RequestView): number =>
    host.body.putAttributes(request.node, result),
};

export const getattr: Operation<Attributes> = {
  method: "getAttributes",
  size: STRUCT.fuse_getattr_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getAttributes(request.node, handleIfAny(request, STRUCT.fuse_getattr_in), context),
  ...attributes,
  missing: (host, request) =>
    request.node === ROOT_NODE
      ? host.body.putAttributes(ROOT_NODE, { mode: S_IFDIR | 0o755, links: 2 })
      : -ERRNO.ENOSYS,
};

/** GETATTR and STATX begin alike: flags, then a handle that counts when FUSE_GETATTR_FH is set. */
function handleIfAny(request: RequestView, struct: { getattr_flags: number; fh: number }): number | undefined {
  return request.u32(struct.getattr_flags) & KERNEL.FUSE_GETATTR_FH ? request.u64(struct.fh) : undefined;
}

export const setattr: Operation<Attributes> = {
  method: "setAttributes",
  size: STRUCT.fuse_setattr_in.SIZE,
  call(filesystem, request, context) {
    const handle = request.u32(SETATTR.valid) & KERNEL.FATTR_FH ? request.u64(SETATTR.fh) : undefined;
    return filesystem.setAttributes(request.node, attributeChanges(request), handle, context);
  },
  ...attributes,
};

const SETATTR = STRUCT.fuse_setattr_in;

function attributeChanges(request: RequestView): AttributeChanges {
  const valid = request.u32(SETATTR.valid);
  const changes: AttributeChanges = {};
  const time = (seconds: number, nanoseconds: number) => ({
    seconds: request.i64(seconds),
    nanoseconds: request.u32(nanoseconds),
  });
  if (valid & KERNEL.FATTR_MODE) changes.mode = request.u32(SETATTR.mode) & 0o7777;
  if (valid & KERNEL.FATTR_UID) changes.uid = request.u32(SETATTR.uid);
  if (valid & KERNEL.FATTR_GID) changes.gid = request.u32(SETATTR.gid);
  if (valid & KERNEL.FATTR_SIZE) changes.size = exact(request.u64(SETATTR.size), "EFBIG");
  if (valid & KERNEL.FATTR_ATIME_NOW) changes.atime = "now";
  else if (valid & KERNEL.FATTR_ATIME) changes.atime = time(SETATTR.atime, SETATTR.atimensec);
  if (valid & KERNEL.FATTR_MTIME_NOW) changes.mtime = "now";
  else if (valid & KERNEL.FATTR_MTIME) changes.mtime = time(SETATTR.mtime, SETATTR.mtimensec);
  if (valid & KERNEL.FATTR_CTIME) changes.ctime = time(SETATTR.ctime, SETATTR.ctimensec);
  if (valid & KERNEL.FATTR_KILL_SUIDGID) changes.killPrivileges = true;
  return changes;
}

export const statx: Operation<ExtendedStatus> = {
  method: "getExtendedStatus",
  size: STRUCT.fuse_statx_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getExtendedStatus(request.node, handleIfAny(request, STRUCT.fuse_statx_in), context),
  reply: (result, host, request) => host.body.putExtendedStatus(request.node, result.attributes, result.birthTime),
};

export const access: Operation<void> = {
  method: "access",
  size: STRUCT.fuse_access_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.access(request.node, request.u32(STRUCT.fuse_access_in.mask), context),
  ...nothing,
};
