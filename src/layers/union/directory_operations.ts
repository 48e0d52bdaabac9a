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

export function directoryOperations(union: Union) {
  const directories = new HandleTable<OpenDirectory>(union.restarts);

  function* list(
    node: UnionNode,
    directory: OpenDirectory,
    offset: number,
    context: RequestContext,
  ): Steps<Iterable<DirectoryEntry>> {
    if (offset === 0) {
      const parent = node.place?.parent ?? node;
      const dots = [{ name: ".", inode: node.inode }, { name: "..", inode: parent.inode }];
      const inner = [...(yield* union.resolution.list(node, context)).values()];
      directory.entries = [...dots.map((entry) => ({ ...entry, mode: S_IFDIR, offset: 0 })), ...inner];
      directory.entries.forEach((entry, index) => entry.offset = index + 1);
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
      return { handle: directories.add({ entries: [] }) };
    },

    readDirectory(
      node: NodeId,
      handle: Handle,
      offset: number,
      context: RequestContext,
    ): Awaitable<Iterable<DirectoryEntry>> {
      return run(list(union.nodes.get(node), directories.get(handle), offset, context));
    },

    releaseDirectory(_node: NodeId, handle: Handle): void {
      directories.remove(handle);
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
