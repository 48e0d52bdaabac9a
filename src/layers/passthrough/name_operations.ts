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
import { AT_REMOVEDIR, AT_SYMLINK_FOLLOW, EEXIST, EMPTY, ENOENT, PATH_MAX, StringBuffer } from "./system_calls.ts";

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
      const opened = context.resent
        ? opening.openMade(entry.node, flags, context)
        : opening.open(entry.node, flags, context);
      // It may have been cut, and be one by now that is written through its backing file.
      entry.attributes = loop.attributesOf(table.cellOf(entry.node));
      return { entry, opened };
    } catch (error) {
      descriptors.forget(entry.node, 1);
      throw error;
    }
  }

  /** A call that makes something failed: unless it is of a request that comes again, and made it the first time. */
  function checkMade(result: number, name: Name, { resent }: RequestContext, what = ""): void {
    if (result < 0 && !(resent && calls.errno === EEXIST)) throw calls.failure(`make ${what}"${name}"`);
  }

  function remove(parent: NodeId, name: Name, flags: number, context: RequestContext): void {
    const directory = prepare(parent, name, context);
    const held = descriptors.hold(directory, nameBuffer.bytes);
    if (files.unlinkat(directory, nameBuffer.bytes, flags) >= 0 || isDone(context)) return;
    const failure = calls.failure(`remove "${name}"`);
    if (held !== 0) loop.relocate(held, table.cellOf(parent), nameBuffer);
    throw failure;
  }

  /** Whether what is not there was taken away by this very request, which comes again. */
  function isDone({ resent }: RequestContext): boolean {
    return resent && calls.errno === ENOENT;
  }

  /**
   * Whether two names have been exchanged by this very request: another inode has the first one than before. Else that
   * is written down, where the request may come again.
   */
  function isExchanged(directory: number, { unique, resent }: RequestContext): boolean {
    const { kept } = loop.register;
    if (kept === undefined) return false;
    const inode = loop.inodeOf(directory, nameBuffer.bytes);
    const before = resent ? kept.intended(unique) : undefined;
    if (before === undefined) kept.intend(unique, inode);
    return before !== undefined && before !== inode;
  }

  /** After a rename that was done the first time: the name was found under its old place until now. */
  function relocateDone(directory: number, parent: NodeId, buffer: StringBuffer): void {
    const moved = descriptors.hold(directory, buffer.bytes);
    if (moved !== 0) loop.relocate(moved, table.cellOf(parent), buffer);
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
      checkMade(result, name, context);
      return enterMade(parent, directory, mode & S_IFMT);
    },

    makeDirectory(parent: NodeId, name: Name, mode: number, context: RequestContext): Entry {
      const directory = prepareMaking(parent, name, context);
      checkMade(files.mkdirat(directory, nameBuffer.bytes, mode), name, context, "the directory ");
      return enterMade(parent, directory, S_IFDIR);
    },

    makeSymbolicLink(parent: NodeId, name: Name, target: string, context: RequestContext): Entry {
      const directory = prepareMaking(parent, name, context);
      const result = files.symlinkat(targetBuffer.put(target), directory, nameBuffer.bytes);
      checkMade(result, name, context, "the symbolic link ");
      return enterMade(parent, directory, S_IFLNK);
    },

    link(node: NodeId, newParent: NodeId, newName: Name, context: RequestContext): Entry {
      const descriptor = descriptors.use(node, SECOND);
      const directory = prepare(newParent, newName, context);
      const from = loop.number.putNumber(descriptor);
      // Following the link of /proc leads to the node's own inode, a symbolic link too, and no further.
      const result = files.linkat(loop.source.proc, from, directory, nameBuffer.bytes, AT_SYMLINK_FOLLOW);
      const again = context.resent && calls.errno === EEXIST;
      if (result < 0 && !again) throw calls.failure(`link "${newName}"`);
      const entry = enterMade(newParent, directory, loop.typeOf(node));
      if (entry.node === node || !again) return entry;
      descriptors.forget(entry.node, 1);
      throw new FsError("EEXIST", `Cannot link "${newName}": another file has the name`);
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
      if (flags & RENAME_EXCHANGE && isExchanged(directory, context)) {
        relocateDone(directory, parent, nameBuffer);
        return relocateDone(newDirectory, newParent, newNameBuffer);
      }
      const moved = descriptors.hold(directory, nameBuffer.bytes);
      const replaced = descriptors.hold(newDirectory, newNameBuffer.bytes);
      if (files.renameat2(directory, nameBuffer.bytes, newDirectory, newNameBuffer.bytes, flags) < 0) {
        if (isDone(context)) return relocateDone(newDirectory, newParent, newNameBuffer);
        const failure = calls.failure(`rename "${name}" to "${newName}"`);
        if (moved !== 0) loop.relocate(moved, table.cellOf(parent), nameBuffer);
        if (replaced !== 0) loop.relocate(replaced, table.cellOf(newParent), newNameBuffer);
        throw failure;
      }
      if (moved !== 0) loop.relocate(moved, table.cellOf(newParent), newNameBuffer);
      if (replaced !== 0 && flags & RENAME_EXCHANGE) loop.relocate(replaced, table.cellOf(parent), nameBuffer);
    },

    create(parent: NodeId, name: Name, mode: number, flags: number, context: RequestContext): Created {
      const directory = prepareMaking(parent, name, context);
      const how = opening.flagsFor(flags) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
      const descriptor = loop.retry(() => files.openat(directory, nameBuffer.bytes, how, mode));
      if (descriptor >= 0) return opening.made(descriptor, flags, table.cellOf(parent), nameBuffer, context);
      // Somebody else made it meanwhile; it may be anything, so it is opened like any other file: after a look at it.
      if (calls.errno !== EEXIST || (flags & O_EXCL && !context.resent)) throw calls.failure(`create "${name}"`);
      return openFound(parent, directory, flags, context);
    },

    makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Created {
      const directory = descriptors.use(parent, FIRST);
      identity.setUmask(loop.maskByKernel ? 0 : context.umask);
      identity.assume(context);
      const how = opening.flagsFor(flags) | O_TMPFILE | (flags & O_EXCL) | O_CLOEXEC;
      const descriptor = loop.retry(() => files.openat(directory, DOT, how, mode));
      if (descriptor < 0) throw calls.failure("make a file without a name");
      return opening.made(descriptor, flags, table.cellOf(parent), undefined, context);
    },
  } satisfies FileSystem;
}
