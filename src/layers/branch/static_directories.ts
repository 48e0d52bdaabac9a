/**
 * The directories that no branch provides: the root when nothing is grafted there, and those on the way to branch points
 * and mount targets; and targets that are files. They never change; what is in them (other places) the tree adds by itself.
 */
import { type Attributes, now } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { DirectoryEntry, FileSystem, Handle, NodeId } from "../../fs/filesystem.ts";
import { S_IFDIR, S_IFREG } from "../../fs/flags.ts";

/** The handle of such a directory. A waypoint may be one now and a branch's own directory later; this tells them apart. */
export const STATIC_HANDLE: Handle = Number.MAX_SAFE_INTEGER;

const ENTRIES: readonly DirectoryEntry[] = [
  { name: ".", inode: 0, mode: S_IFDIR, offset: 1 },
  { name: "..", inode: 0, mode: S_IFDIR, offset: 2 },
];

/** A filesystem in which every node is an empty directory, or an empty file where `isFile` says so. */
export function makeStaticDirectories(isFile: (node: NodeId) => boolean = () => false): FileSystem {
  const time = now();
  const times = { atime: time, mtime: time, ctime: time };
  const directory: Attributes = { mode: S_IFDIR | 0o755, links: 2, ...times };
  const file: Attributes = { mode: S_IFREG | 0o444, links: 1, size: 0, ...times };
  const refuse = (): never => {
    throw new FsError("EROFS", "Cannot change a directory that no branch provides");
  };
  return {
    getAttributes: (node: NodeId) => isFile(node) ? file : directory,
    setAttributes: refuse,
    makeNode: refuse,
    makeDirectory: refuse,
    makeSymbolicLink: refuse,
    create: refuse,
    makeTemporaryFile: refuse,
    link: refuse,
    unlink: refuse,
    removeDirectory: refuse,
    rename: refuse,
    setExtendedAttribute: refuse,
    listExtendedAttributes: () => [],
    getExtendedAttribute: () => undefined,
    openDirectory: () => ({ handle: STATIC_HANDLE }),
    readDirectory: (_node, _handle, offset) => ENTRIES.filter((entry) => entry.offset > offset),
  };
}
