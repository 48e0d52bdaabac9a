/** Operations on names: lookup, making, linking, moving and removing. */
import type { Created, FileSystem, Name, NodeId, RequestContext } from "../../fs/filesystem.ts";
import type { Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { decodeName } from "../../fs/names.ts";
import {
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_TMPFILE,
  RENAME_EXCHANGE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../fs/flags.ts";
import { FIRST, SECOND } from "./descriptors.ts";
import type { FileOpening } from "./file_opening.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";
import { AT_REMOVEDIR, AT_SYMLINK_FOLLOW, EEXIST, EMPTY, PATH_MAX, StringBuffer } from "./system_calls.ts";

/** The current directory, for `O_TMPFILE`. */
const DOT = new Uint8Array([0x2e, 0]);

export function nameOperations(loop: PassthroughLoop, opening: FileOpening) {
  const { calls, descriptors, identity, table, name: nameBuffer, newName: newNameBuffer } = loop;
  const { files } = calls;
  const targetBuffer = new StringBuffer();
  const linkBuffer = new Uint8Array(PATH_MAX);

  /** The parent's descriptor and the name, ready for a call as the caller. */
  function prepare(parent: NodeId, name: Name, context: RequestContext): number {
    const directory = descriptors.use(parent, FIRST);
    nameBuffer.putName(name);
    identity.assume(context);
    return directory;
  }

  /** As {@linkcode prepare}, for something that is made: with the umask that is the source's to apply. */
  function prepareMaking(parent: NodeId, name: Name, context: RequestContext): number {
    identity.setUmask(loop.maskByKernel ? 0 : context.umask);
    return prepare(parent, name, context);
  }

  /**
   * The entry of what was just made under the name in the buffer. The kernel answers EIO when it is of another type
   * (create_new_entry in fs/fuse/dir.c), and does not take that lookup back.
   */
  function enterMade(parent: NodeId, directory: number, type: number): Entry {
    const entry = loop.enter(table.cellOf(parent), directory, nameBuffer);
    if (entry !== undefined && loop.typeOf(entry.node) === type) return entry;
    if (entry !== undefined) descriptors.forget(entry.node, 1);
    throw new FsError("ENOENT", "What was just made is gone: somebody removed or replaced it");
  }

  /** Opens what was to be created and was there; the kernel learns of its lookup only with the answer. */
  function openFound(parent: NodeId, directory: number, flags: number, context: RequestContext): Created {
    const entry = loop.enter(table.cellOf(parent), directory, nameBuffer);
    if (entry === undefined) throw new FsError("ENOENT", "What was to be opened is gone: somebody removed it");
    try {
      // With ESTALE the kernel looks the name up again (do_filp_open in fs/namei.c): links and directories are its own.
      if (loop.typeOf(entry.node) !== S_IFREG) throw new FsError("ESTALE", "What was made meanwhile is no file");
      return { entry, opened: opening.open(entry.node, flags, context) };
    } catch (error) {
      descriptors.forget(entry.node, 1);
      throw error;
    }
  }

  function remove(parent: NodeId, name: Name, flags: number, context: RequestContext): void {
    const directory = prepare(parent, name, context);
    descriptors.hold(directory, nameBuffer.bytes);
    if (files.unlinkat(directory, nameBuffer.bytes, flags) < 0) throw calls.failure(`remove "${name}"`);
  }

  return {
    lookup(parent: NodeId, name: Name, context: RequestContext): Entry | undefined {
      const directory = prepare(parent, name, context);
      return loop.find(table.cellOf(parent), directory, nameBuffer);
    },

    forgetLookups(node: NodeId, count: number): void {
      descriptors.forget(node, count);
    },

    readLink(node: NodeId): string {
      const length = files.readlinkat(descriptors.use(node), EMPTY, linkBuffer, linkBuffer.length);
      if (length < 0) throw calls.failure("read a symbolic link");
      return decodeName(linkBuffer, 0, length);
    },

    makeNode(parent: NodeId, name: Name, mode: number, device: number, context: RequestContext): Entry {
      const directory = prepareMaking(parent, name, context);
      const result = files.mknodat(directory, nameBuffer.bytes, mode, BigInt(device));
      if (result < 0) throw calls.failure(`make "${name}"`);
      return enterMade(parent, directory, mode & S_IFMT);
    },

    makeDirectory(parent: NodeId, name: Name, mode: number, context: RequestContext): Entry {
      const directory = prepareMaking(parent, name, context);
      if (files.mkdirat(directory, nameBuffer.bytes, mode) < 0) throw calls.failure(`make the directory "${name}"`);
      return enterMade(parent, directory, S_IFDIR);
    },

    makeSymbolicLink(parent: NodeId, name: Name, target: string, context: RequestContext): Entry {
      const directory = prepareMaking(parent, name, context);
      const result = files.symlinkat(targetBuffer.put(target), directory, nameBuffer.bytes);
      if (result < 0) throw calls.failure(`make the symbolic link "${name}"`);
      return enterMade(parent, directory, S_IFLNK);
    },

    link(node: NodeId, newParent: NodeId, newName: Name, context: RequestContext): Entry {
      const descriptor = descriptors.use(node, SECOND);
      const directory = prepare(newParent, newName, context);
      const from = loop.number.putNumber(descriptor);
      // Following the link of /proc leads to the node's own inode, a symbolic link too, and no further.
      const result = files.linkat(loop.source.proc, from, directory, nameBuffer.bytes, AT_SYMLINK_FOLLOW);
      if (result < 0) throw calls.failure(`link "${newName}"`);
      return enterMade(newParent, directory, loop.typeOf(node));
    },

    unlink(parent: NodeId, name: Name, context: RequestContext): void {
      remove(parent, name, 0, context);
    },

    removeDirectory(parent: NodeId, name: Name, context: RequestContext): void {
      remove(parent, name, AT_REMOVEDIR, context);
    },

    rename(
      parent: NodeId,
      name: Name,
      newParent: NodeId,
      newName: Name,
      flags: number,
      context: RequestContext,
    ): void {
      const newDirectory = descriptors.use(newParent, SECOND);
      newNameBuffer.putName(newName);
      const directory = prepare(parent, name, context);
      const moved = descriptors.hold(directory, nameBuffer.bytes);
      const replaced = descriptors.hold(newDirectory, newNameBuffer.bytes);
      if (files.renameat2(directory, nameBuffer.bytes, newDirectory, newNameBuffer.bytes, flags) < 0) {
        throw calls.failure(`rename "${name}" to "${newName}"`);
      }
      if (moved !== 0) loop.relocate(moved, table.cellOf(newParent), newNameBuffer);
      if (replaced !== 0 && flags & RENAME_EXCHANGE) loop.relocate(replaced, table.cellOf(parent), nameBuffer);
    },

    create(parent: NodeId, name: Name, mode: number, flags: number, context: RequestContext): Created {
      const directory = prepareMaking(parent, name, context);
      const how = opening.flagsFor(flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
      const descriptor = loop.retry(() => files.openat(directory, nameBuffer.bytes, how, mode));
      if (descriptor >= 0) return opening.made(descriptor, flags, table.cellOf(parent), nameBuffer);
      // Somebody else made it meanwhile; it may be anything, so it is opened like any other file: after a look at it.
      if (calls.errno !== EEXIST || flags & O_EXCL) throw calls.failure(`create "${name}"`);
      return openFound(parent, directory, flags, context);
    },

    makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Created {
      const directory = descriptors.use(parent, FIRST);
      identity.setUmask(loop.maskByKernel ? 0 : context.umask);
      identity.assume(context);
      const how = opening.flagsFor(flags) | O_TMPFILE | (flags & O_EXCL) | O_CLOEXEC;
      const descriptor = loop.retry(() => files.openat(directory, DOT, how, mode));
      if (descriptor < 0) throw calls.failure("make a file without a name");
      return opening.made(descriptor, flags, table.cellOf(parent), undefined);
    },
  } satisfies FileSystem;
}
