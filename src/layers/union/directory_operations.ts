/** Operations on directories: what all branches show of one, as it was when it was read from the start. */
import type {
  Awaitable,
  DirectoryEntry,
  FileSystem,
  Handle,
  NodeId,
  Opened,
  RequestContext,
} from "../../fs/filesystem.ts";
import { S_IFDIR } from "../../fs/flags.ts";
import { HandleTable } from "../support/handle_table.ts";
import type { UnionNode } from "./nodes.ts";
import { run, type Steps, wait } from "./steps.ts";
import type { Union } from "./union.ts";

/** An open directory: what it listed when it was read from the start. */
interface OpenDirectory {
  entries: DirectoryEntry[];
}

/** The least that the kernel takes of a directory at a time, in bytes: a page. */
const LEAST_ANSWER = 4096;

/** What an entry takes in it (linux/fuse.h: struct fuse_direntplus) beside its name, of which a letter may have three. */
const ENTRY_BYTES = 160;

/** Whether the kernel has all of it with the first answer, so that it never asks what came next. */
function fitsOneAnswer(entries: readonly DirectoryEntry[]): boolean {
  let bytes = 0;
  for (const { name } of entries) bytes += ENTRY_BYTES + 3 * name.length;
  return bytes <= LEAST_ANSWER;
}

export function directoryOperations(union: Union) {
  const { tables } = union;
  const directories = new HandleTable<OpenDirectory>(union.restarts);
  for (const [handle, list] of tables?.found.lists ?? []) {
    const entries = list.map(([name, inode, mode], index) => ({ name, inode, mode, offset: index + 1 }));
    directories.adopt(handle, { entries });
  }

  function open(): Handle {
    const directory = { entries: [] };
    if (tables === undefined) return directories.add(directory);
    const handle = tables.nextHandle();
    directories.adopt(handle, directory);
    return handle;
  }

  /** A server before this one may have opened it, and had nothing to write down of it. */
  function find(handle: Handle): OpenDirectory {
    if (tables === undefined) return directories.get(handle);
    return directories.find(handle) ?? directories.adopt(handle, { entries: [] });
  }

  function* list(
    node: UnionNode,
    handle: Handle,
    offset: number,
    context: RequestContext,
  ): Steps<Iterable<DirectoryEntry>> {
    const directory = find(handle);
    if (offset === 0 || directory.entries.length === 0) {
      const parent = node.place?.parent ?? node;
      const dots = [{ name: ".", inode: node.inode }, { name: "..", inode: parent.inode }];
      const inner = [...(yield* union.resolution.list(node, context)).values()];
      directory.entries = [...dots.map((entry) => ({ ...entry, mode: S_IFDIR, offset: 0 })), ...inner];
      directory.entries.forEach((entry, index) => entry.offset = index + 1);
      if (!fitsOneAnswer(directory.entries)) {
        tables?.listed(handle, directory.entries.map(({ name, inode, mode }) => [name, inode, mode]));
      }
    }
    return directory.entries.slice(offset);
  }

  function* synchronizePart(node: UnionNode, dataOnly: boolean, context: RequestContext): Steps<void> {
    const { filesystem } = union.topOf(node);
    const { handle = 0 } = (yield* wait(filesystem.openDirectory?.(node.topPart, 0, context))) ?? {};
    try {
      yield* wait(filesystem.synchronizeDirectory?.(node.topPart, handle, dataOnly, context));
    } finally {
      yield* wait(filesystem.releaseDirectory?.(node.topPart, handle, 0, context));
    }
  }

  return {
    openDirectory(node: NodeId): Opened {
      union.nodes.get(node);
      return { handle: open() };
    },

    readDirectory(
      node: NodeId,
      handle: Handle,
      offset: number,
      context: RequestContext,
    ): Awaitable<Iterable<DirectoryEntry>> {
      return run(union.written(list(union.nodes.get(node), handle, offset, context)));
    },

    releaseDirectory(_node: NodeId, handle: Handle): void {
      directories.remove(handle);
      tables?.closed(handle);
      tables?.commit();
    },

    synchronizeDirectory(
      id: NodeId,
      _handle: Handle,
      dataOnly: boolean,
      context: RequestContext,
    ): Awaitable<void> {
      return run(synchronizePart(union.nodes.get(id), dataOnly, context));
    },
  } satisfies FileSystem;
}
