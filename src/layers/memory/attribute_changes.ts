/** chmod, chown, truncate and utimens, which reach a filesystem as one operation. */
import { now } from "../../fs/attributes.ts";
import type { AttributeChanges } from "../../fs/filesystem.ts";
import { S_IFMT } from "../../fs/flags.ts";
import type { Capacity } from "./capacity.ts";
import { DirectoryNode } from "./directory.ts";
import type { Node } from "./node.ts";
import { requireFile } from "./node.ts";

const PERMISSIONS = 0o7777;

/** Makes `changes` to `node`. Who may change what has been checked by the kernel (`default_permissions`). */
export function changeAttributes(node: Node, changes: AttributeChanges, capacity: Capacity): void {
  const { mode, size, uid = node.uid, gid = node.gid, atime, mtime, ctime } = changes;
  // First, because it alone can fail. It sets the times also when the size stays, as truncate(2) says.
  if (size !== undefined) requireFile(node).modify(capacity, (content) => content.resize(size));
  if (killsPrivileges(node, changes)) node.killPrivileges();
  const time = now();
  node.uid = uid;
  node.gid = gid;
  if (mode !== undefined) node.mode = (node.mode & S_IFMT) | (mode & PERMISSIONS);
  if (atime !== undefined) node.atime = atime === "now" ? time : atime;
  if (mtime !== undefined) node.mtime = mtime === "now" ? time : mtime;
  node.ctime = ctime ?? time;
}

/**
 * Every change of owner does, whoever makes it; directories do not run, so theirs stay. No change at all is
 * `chown(-1, -1)`, or the kernel's way of asking for just this before a write or fallocate (fs/fuse/dir.c:
 * fuse_setattr takes the mode out of such a request).
 */
function killsPrivileges(node: Node, changes: AttributeChanges): boolean {
  if (node instanceof DirectoryNode) return false;
  const { mode, uid, gid, size, atime, mtime, ctime } = changes;
  const owner = uid !== undefined || gid !== undefined;
  const nothing = (mode ?? size ?? atime ?? mtime ?? ctime) === undefined;
  return changes.killPrivileges === true || owner || nothing;
}
