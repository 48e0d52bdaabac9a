/** Operations on extended attributes. */
import { STRUCT } from "../../../ffi/structs.ts";
import { ERRNO } from "../../fs/errors.ts";
import { encodeName } from "../../fs/names.ts";
import type { RequestView } from "../request.ts";
import { nothing, type Operation, type ReplyHost } from "./row.ts";

export const setxattr: Operation<void> = {
  method: "setExtendedAttribute",
  size: STRUCT.fuse_setxattr_in.SIZE,
  call(filesystem, request, context) {
    const { size, flags } = STRUCT.fuse_setxattr_in;
    const name = request.takeName();
    const value = request.takeBytes(request.u32(size));
    return filesystem.setExtendedAttribute(request.node, name, value, request.u32(flags), context);
  },
  ...nothing,
};

export const getxattr: Operation<Uint8Array | undefined> = {
  method: "getExtendedAttribute",
  size: STRUCT.fuse_getxattr_in.SIZE,
  call: (filesystem, request, context) => filesystem.getExtendedAttribute(request.node, request.takeName(), context),
  reply(result, host, request) {
    return result === undefined ? -ERRNO.ENODATA : putSized(result, host, request);
  },
};

export const listxattr: Operation<readonly string[]> = {
  method: "listExtendedAttributes",
  size: STRUCT.fuse_getxattr_in.SIZE,
  call: (filesystem, request, context) => filesystem.listExtendedAttributes(request.node, context),
  reply: (result, host, request) => putSized(encodeName(result.map((name) => name + "\0").join("")), host, request),
};

/** getxattr(2), listxattr(2): with size 0 only the length is wanted, and too little room is ERANGE. */
function putSized(value: Uint8Array, host: ReplyHost, request: RequestView): number {
  const size = request.u32(STRUCT.fuse_getxattr_in.size);
  if (size === 0) return host.body.put32(value.length);
  return value.length > size ? -ERRNO.ERANGE : host.body.putBytes(value);
}

export const removexattr: Operation<void> = {
  method: "removeExtendedAttribute",
  size: 0,
  call: (filesystem, request, context) => filesystem.removeExtendedAttribute(request.node, request.takeName(), context),
  ...nothing,
};
