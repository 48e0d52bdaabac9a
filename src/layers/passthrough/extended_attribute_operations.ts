/**
 * Extended attributes, and with them ACLs. There are no calls for them by `O_PATH` descriptor, so they go by way of
 * /proc/self/fd, whose links lead to the very inode, a symbolic link too.
 */
import type { FileSystem, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { decodeName } from "../../fs/names.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";
import { EEXIST, EMPTY, ENODATA, ProcPath, Scratch, StringBuffer } from "./system_calls.ts";

/** The kernel's limit for a value and for a list (linux/limits.h: XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const MOST = 65_536;
const NAME_MOST = 256;

/** sys/xattr.h */
const XATTR_CREATE = 1;

export function extendedAttributeOperations(loop: PassthroughLoop) {
  const { calls, descriptors, identity, register } = loop;
  const { files } = calls;
  const path = new ProcPath();
  const nameBuffer = new StringBuffer(NAME_MOST);
  const value = new Scratch(MOST);

  function prepare(node: NodeId, context: RequestContext): Uint8Array<ArrayBuffer> {
    const descriptor = descriptors.use(node);
    identity.assume(context);
    return path.of(descriptor);
  }

  /**
   * Whether the attribute was there before this request, which may come again after it was done: unlike with names, the
   * kernel has not looked beforehand. It holds the inode's lock, so that nobody else of the mount changes it meanwhile.
   */
  function existed(file: Uint8Array<ArrayBuffer>, { unique, resent }: RequestContext): boolean {
    const { kept } = register;
    if (kept === undefined) return false;
    const before = resent ? kept.intended(unique) : undefined;
    if (before !== undefined) return before === 1;
    const exists = identity.asServer(() => files.getxattr(file, nameBuffer.bytes, EMPTY, 0) >= 0);
    kept.intend(unique, exists ? 1 : 0);
    return exists;
  }

  return {
    setExtendedAttribute(
      node: NodeId,
      name: string,
      data: Uint8Array,
      flags: number,
      context: RequestContext,
    ): void {
      const file = prepare(node, context);
      const bytes = data as Uint8Array<ArrayBuffer>;
      nameBuffer.put(name);
      const isNew = (flags & XATTR_CREATE) !== 0 && !existed(file, context);
      const result = files.setxattr(file, nameBuffer.bytes, bytes, bytes.length, flags);
      // What comes again may have been done.
      if (result < 0 && !(context.resent && isNew && calls.errno === EEXIST)) {
        throw calls.failure(`set the extended attribute "${name}"`);
      }
    },

    getExtendedAttribute(node: NodeId, name: string, context: RequestContext): Uint8Array | undefined {
      const length = files.getxattr(prepare(node, context), nameBuffer.put(name), value.bytes, MOST);
      if (length >= 0) return value.bytes.subarray(0, length);
      if (calls.errno === ENODATA) return undefined;
      throw calls.failure(`read the extended attribute "${name}"`);
    },

    listExtendedAttributes(node: NodeId, context: RequestContext): string[] {
      const { bytes } = value;
      const length = files.listxattr(prepare(node, context), bytes, MOST);
      if (length < 0) throw calls.failure("list extended attributes");
      const names: string[] = [];
      for (let at = 0; at < length;) {
        const end = bytes.indexOf(0, at);
        const name = decodeName(bytes, at, end);
        // The source shows us trusted ones for a capability that the caller may not have (xattr(7)).
        if (context.uid === 0 || !name.startsWith("trusted.")) names.push(name);
        at = end + 1;
      }
      return names;
    },

    removeExtendedAttribute(node: NodeId, name: string, context: RequestContext): void {
      const file = prepare(node, context);
      nameBuffer.put(name);
      const wasThere = existed(file, context);
      const result = files.removexattr(file, nameBuffer.bytes);
      if (result < 0 && !(context.resent && wasThere && calls.errno === ENODATA)) {
        throw calls.failure(`remove the extended attribute "${name}"`);
      }
    },
  } satisfies FileSystem;
}
