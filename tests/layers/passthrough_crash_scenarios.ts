/**
 * What a passthrough server is asked for when it dies (`passthrough_crash_test.ts`), and what is to be seen of it
 * afterwards.
 */
import type { Created, FileLock, Opened } from "../../src/fs/filesystem.ts";
import { type NodeId, type RequestContext, ROOT_NODE } from "../../src/fs/filesystem.ts";
import { O_APPEND, O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY, RENAME_EXCHANGE } from "../../src/fs/flags.ts";
import { RENAME_NOREPLACE, S_IFIFO, S_IFREG } from "../../src/fs/flags.ts";
import type { PassthroughFileSystem } from "../../src/layers/passthrough/passthrough_file_system.ts";
import { assertEquals } from "../deps.ts";
import { nextContext } from "../support/crashed_servers.ts";

const PLAIN = { cached: false, killPrivileges: false };
const XATTR_CREATE = 1;
const text = new TextEncoder();
const LOCK: FileLock = { type: "write", start: 0, end: 9, pid: 5 };
const OTHERS_LOCK: FileLock = { type: "write", start: 0, end: 20, pid: 6 };

/** What a request needs from before, and what is looked at after it: nodes and handles. */
export type Held = Record<string, number>;

export interface Scenario {
  readonly name: string;
  /** Makes files of the source beforehand; `file`, `other` and `directory` are there. */
  readonly source?: (directory: string) => void;
  /** Looks up and opens, before anybody dies. */
  readonly hold?: (filesystem: PassthroughFileSystem) => Held;
  /** The request. */
  readonly act: (filesystem: PassthroughFileSystem, held: Held, context: RequestContext) => unknown;
  /** What is seen of it afterwards. */
  readonly look?: (filesystem: PassthroughFileSystem, held: Held, result: unknown) => unknown;
}

export function find(filesystem: PassthroughFileSystem, name: string, parent: NodeId = ROOT_NODE): NodeId {
  return filesystem.lookup(parent, name, nextContext())!.node;
}

export function readHandle(filesystem: PassthroughFileSystem, node: NodeId, handle: number): string {
  return new TextDecoder().decode(filesystem.read(node, handle, 0, 100, nextContext()));
}

function holdFile(flags: number): Required<Scenario>["hold"] {
  return (filesystem) => {
    const node = find(filesystem, "file");
    return { node, handle: filesystem.open(node, flags, nextContext()).handle! };
  };
}

const holdNode: Required<Scenario>["hold"] = (filesystem) => ({ node: find(filesystem, "file") });
const holdDirectory: Required<Scenario>["hold"] = (filesystem) => {
  const directory = find(filesystem, "directory");
  return { directory, handle: filesystem.openDirectory(directory, 0, nextContext()).handle! };
};

/** What was opened works, and is written to; its backing file, if it has one, is the same. */
function tryOpened(filesystem: PassthroughFileSystem, node: NodeId, opened: Opened): string {
  const { handle = -1, backing = handle } = opened;
  assertEquals(inodeOf(backing), inodeOf(handle));
  filesystem.write(node, handle, 0, text.encode("W"), PLAIN, nextContext());
  const read = readHandle(filesystem, node, handle);
  filesystem.release(node, handle, 0, nextContext());
  return read;
}

const lookAtCreated: Required<Scenario>["look"] = (filesystem, _held, result) => {
  const { entry, opened } = result as Created;
  return tryOpened(filesystem, entry.node, opened);
};

const lookAtHandle: Required<Scenario>["look"] = (filesystem, { node, handle }) =>
  tryOpened(filesystem, node!, { handle: handle! });

function inodeOf(descriptor: number): number | null {
  return Deno.statSync(`/proc/self/fd/${descriptor}`).ino;
}

export const SCENARIOS: Scenario[] = [
  { name: "lookup", act: (fs, _, context) => fs.lookup(ROOT_NODE, "file", context) },
  { name: "mkdir", act: (fs, _, context) => fs.makeDirectory(ROOT_NODE, "new", 0o750, context) },
  { name: "mknod of a file", act: (fs, _, context) => fs.makeNode(ROOT_NODE, "new", S_IFREG | 0o640, 0, context) },
  { name: "mknod of a fifo", act: (fs, _, context) => fs.makeNode(ROOT_NODE, "new", S_IFIFO | 0o640, 0, context) },
  { name: "symlink", act: (fs, _, context) => fs.makeSymbolicLink(ROOT_NODE, "new", "target", context) },
  { name: "link", hold: holdNode, act: (fs, { node }, context) => fs.link(node!, ROOT_NODE, "new", context) },
  {
    name: "link of another file's name",
    hold: holdNode,
    act: (fs, { node }, context) => fs.link(node!, ROOT_NODE, "other", context),
  },
  {
    name: "create",
    act: (fs, _, context) => fs.create(ROOT_NODE, "new", 0o644, O_RDWR | O_CREAT | O_EXCL, context),
    look: lookAtCreated,
  },
  {
    name: "create of what may not be written",
    act: (fs, _, context) => fs.create(ROOT_NODE, "new", 0o444, O_RDWR | O_CREAT | O_EXCL, context),
    look: lookAtCreated,
  },
  {
    name: "create of what is there",
    act: (fs, _, context) => fs.create(ROOT_NODE, "file", 0o644, O_RDWR | O_CREAT, context),
    look: lookAtCreated,
  },
  {
    name: "tmpfile",
    act: (fs, _, context) => fs.makeTemporaryFile(ROOT_NODE, 0o600, O_RDWR, context),
    look: lookAtCreated,
  },
  {
    name: "open",
    hold: holdNode,
    act: (fs, { node }, context) => fs.open(node!, O_RDWR, context),
    look: (fs, { node }, opened) => tryOpened(fs, node!, opened as Opened),
  },
  {
    name: "open with O_TRUNC",
    hold: holdNode,
    act: (fs, { node }, context) => fs.open(node!, O_RDWR | O_TRUNC, context),
    look: (fs, { node }, opened) => tryOpened(fs, node!, opened as Opened),
  },
  {
    name: "opendir",
    hold: (fs) => ({ directory: find(fs, "directory") }),
    act: (fs, { directory }, context) => fs.openDirectory(directory!, 0, context),
    look: (fs, { directory }, opened) => listNames(fs, directory!, (opened as { handle: number }).handle),
  },
  {
    name: "readdir",
    hold: holdDirectory,
    act: (fs, { directory, handle }) => listNames(fs, directory!, handle!),
  },
  {
    name: "readdirplus",
    hold: holdDirectory,
    act: (fs, { directory, handle }, context) =>
      [...fs.readDirectoryPlus(directory!, handle!, 0, context)].map(({ name }) => name).sort(),
  },
  {
    name: "releasedir",
    hold: holdDirectory,
    act: (fs, { directory, handle }, context) => fs.releaseDirectory(directory!, handle!, 0, context),
  },
  {
    name: "release",
    hold: holdFile(O_RDWR),
    act: (fs, { node, handle }, context) => fs.release(node!, handle!, 0, context),
  },
  { name: "unlink", hold: holdNode, act: (fs, _, context) => fs.unlink(ROOT_NODE, "file", context) },
  { name: "unlink of what is not there", act: (fs, _, context) => fs.unlink(ROOT_NODE, "directory", context) },
  {
    name: "unlink of what is open",
    hold: holdFile(O_RDWR),
    act: (fs, _, context) => fs.unlink(ROOT_NODE, "file", context),
    look: lookAtHandle,
  },
  {
    name: "unlink of one name of two",
    source: (directory) => Deno.linkSync(`${directory}/file`, `${directory}/second`),
    hold: holdFile(O_RDWR),
    act: (fs, _, context) => fs.unlink(ROOT_NODE, "file", context),
    look: lookAtHandle,
  },
  {
    name: "rmdir",
    source: (directory) => Deno.mkdirSync(`${directory}/empty`),
    act: (fs, _, context) => fs.removeDirectory(ROOT_NODE, "empty", context),
  },
  { name: "rmdir of what is not empty", act: (fs, _, context) => fs.removeDirectory(ROOT_NODE, "directory", context) },
  {
    name: "rename",
    hold: (fs) => ({ directory: find(fs, "directory"), ...holdFile(O_RDWR)(fs) }),
    act: (fs, { directory }, context) => fs.rename(ROOT_NODE, "file", directory!, "moved", 0, context),
    look: lookAtHandle,
  },
  {
    name: "rename of a directory",
    hold: (fs) => ({ directory: find(fs, "directory") }),
    act: (fs, _, context) => fs.rename(ROOT_NODE, "directory", ROOT_NODE, "moved", 0, context),
    look: (fs, { directory }) => fs.lookup(directory!, "inner", nextContext())?.attributes.size,
  },
  {
    name: "rename over another file",
    hold: holdFile(O_RDWR),
    act: (fs, _, context) => fs.rename(ROOT_NODE, "other", ROOT_NODE, "file", 0, context),
    look: lookAtHandle,
  },
  {
    name: "rename that replaces nothing",
    act: (fs, _, context) => fs.rename(ROOT_NODE, "file", ROOT_NODE, "new", RENAME_NOREPLACE, context),
  },
  {
    name: "rename that would replace",
    act: (fs, _, context) => fs.rename(ROOT_NODE, "file", ROOT_NODE, "other", RENAME_NOREPLACE, context),
  },
  {
    name: "exchange",
    act: (fs, _, context) => fs.rename(ROOT_NODE, "file", ROOT_NODE, "directory", RENAME_EXCHANGE, context),
  },
  {
    name: "write",
    hold: holdFile(O_RDWR),
    act: (fs, { node, handle }, context) => fs.write(node!, handle!, 3, text.encode("abc"), PLAIN, context),
    look: lookAtHandle,
  },
  {
    name: "append",
    hold: holdFile(O_WRONLY | O_APPEND),
    act: (fs, { node, handle }, context) => fs.write(node!, handle!, 0, text.encode("abc"), PLAIN, context),
  },
  {
    name: "truncate",
    hold: holdNode,
    act: (fs, { node }, context) => fs.setAttributes(node!, { size: 2 }, undefined, context),
  },
  {
    name: "chmod and chown",
    hold: holdNode,
    act: (fs, { node }, context) => fs.setAttributes(node!, { mode: 0o600, gid: 7 }, undefined, context),
  },
  {
    name: "setxattr that creates",
    hold: holdNode,
    act: (fs, { node }, context) => fs.setExtendedAttribute(node!, "user.a", text.encode("1"), XATTR_CREATE, context),
    look: (fs, { node }) => fs.listExtendedAttributes(node!, nextContext()),
  },
  {
    name: "setxattr that would create what is there",
    hold(fs) {
      const node = find(fs, "file");
      fs.setExtendedAttribute(node, "user.a", text.encode("1"), 0, nextContext());
      return { node };
    },
    act: (fs, { node }, context) => fs.setExtendedAttribute(node!, "user.a", text.encode("2"), XATTR_CREATE, context),
    look: (fs, { node }) => fs.getExtendedAttribute(node!, "user.a", nextContext())?.slice(),
  },
  {
    name: "removexattr of what is not there",
    hold: holdNode,
    act: (fs, { node }, context) => fs.removeExtendedAttribute(node!, "user.a", context),
  },
  {
    name: "removexattr",
    hold(fs) {
      const node = find(fs, "file");
      fs.setExtendedAttribute(node, "user.a", text.encode("1"), 0, nextContext());
      return { node };
    },
    act: (fs, { node }, context) => fs.removeExtendedAttribute(node!, "user.a", context),
    look: (fs, { node }) => fs.listExtendedAttributes(node!, nextContext()),
  },
  {
    name: "setlk",
    hold: holdFile(O_RDWR),
    act: (fs, { node, handle }, context) => fs.setLock!(node!, handle!, 5n, LOCK, false, context),
    look: (fs, { node, handle }) => {
      const found = fs.getLock!(node!, handle!, 6n, OTHERS_LOCK, nextContext());
      fs.flush(node!, handle!, 5n);
      return [found, fs.getLock!(node!, handle!, 6n, OTHERS_LOCK, nextContext())];
    },
  },
  {
    name: "flush that ends locks",
    hold(fs) {
      const held = holdFile(O_RDWR)(fs);
      fs.setLock!(held.node!, held.handle!, 5n, LOCK, false, nextContext());
      return held;
    },
    act: (fs, { node, handle }) => fs.flush(node!, handle!, 5n),
    look: (fs, { node, handle }) => fs.getLock!(node!, handle!, 6n, OTHERS_LOCK, nextContext()),
  },
  {
    name: "copy_file_range",
    hold(fs) {
      const other = find(fs, "other");
      return { other, from: fs.open(other, O_RDWR, nextContext()).handle!, ...holdFile(O_RDWR)(fs) };
    },
    act: (fs, { node, handle, other, from }, context) =>
      fs.copyFileRange(
        { node: other!, handle: from!, offset: 0 },
        { node: node!, handle: handle!, offset: 1 },
        3,
        0,
        context,
      ),
    look: lookAtHandle,
  },
];

function listNames(filesystem: PassthroughFileSystem, directory: NodeId, handle: number): string[] {
  return [...filesystem.readDirectory(directory, handle, 0)].map(({ name }) => name).sort();
}
