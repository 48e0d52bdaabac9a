/** The extended attributes of one node (xattr(7)). */
import { FsError } from "../../fs/errors.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../fs/flags.ts";
import { byteLength } from "../support/name_limits.ts";

// linux/limits.h
const XATTR_NAME_MAX = 255;
const XATTR_SIZE_MAX = 65536;
const XATTR_LIST_MAX = 65536;

// Who may use which namespace is the kernel's to check. ACLs (system.posix_acl_*) are not among them: an ACL that was
// kept and not enforced would let in whom it shuts out.
const NAMESPACES = /^(user|trusted|security)\../s;

/** Names and values. Space limits do not count them; these limits hold for every node by itself. */
export class ExtendedAttributes {
  readonly #values = new Map<string, Uint8Array>();
  #listSize = 0;

  /** The value, which is not to be changed, or undefined. */
  get(name: string): Uint8Array | undefined {
    return this.#values.get(name);
  }

  /** All names, in the order in which they came. */
  names(): string[] {
    return [...this.#values.keys()];
  }

  /** Sets `name` to a copy of `value`; `flags` as setxattr(2) has them. */
  set(name: string, value: Uint8Array, flags: number): void {
    const exists = this.#values.has(name);
    if (exists && flags & XATTR_CREATE) throw new FsError("EEXIST", `Cannot create attribute "${name}": it exists`);
    if (!exists && flags & XATTR_REPLACE) {
      throw new FsError("ENODATA", `Cannot replace attribute "${name}": none exists`);
    }
    if (!exists) this.#grow(name);
    this.#values.set(name, value.slice());
  }

  /** Removes `name` and says whether it was there. */
  remove(name: string): boolean {
    if (!this.#values.delete(name)) return false;
    this.#listSize -= listed(name);
    return true;
  }

  // listxattr(2) cannot answer more than XATTR_LIST_MAX, so no node may come to have it.
  #grow(name: string): void {
    const size = this.#listSize + listed(name);
    if (size > XATTR_LIST_MAX) throw new FsError("ENOSPC", `Cannot add attribute "${name}": the names fill 64 KiB`);
    this.#listSize = size;
  }
}

/** Refuses a name that no node can have, with `EOPNOTSUPP`, as the kernel's own filesystems do on every call. */
export function checkNamespace(name: string): void {
  if (!NAMESPACES.test(name)) throw new FsError("EOPNOTSUPP", `Cannot use attribute "${name}": not a known namespace`);
}

/** Refuses what cannot be set on any node: `EOPNOTSUPP` (namespace), `ERANGE` (name), `E2BIG` (value). */
export function checkExtendedAttribute(name: string, value: Uint8Array): void {
  checkNamespace(name);
  if (byteLength(name) > XATTR_NAME_MAX) {
    throw new FsError("ERANGE", `Cannot set an attribute whose name has ${byteLength(name)} bytes: 255 is the limit`);
  }
  if (value.length > XATTR_SIZE_MAX) {
    throw new FsError("E2BIG", `Cannot set attribute "${name}" to ${value.length} bytes: 64 KiB is the limit`);
  }
}

/** How many bytes a name takes in a list: itself and a zero. */
function listed(name: string): number {
  return byteLength(name) + 1;
}
