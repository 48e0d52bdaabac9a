/** Reading directories. A handle is the directory's descriptor; where a reader stands is in the offsets alone. */
import type { DirectoryEntry, FileSystem, Handle, NodeId, Opened, RequestContext } from "../../fs/filesystem.ts";
import { ROOT_NODE } from "../../fs/filesystem.ts";
import { FsError } from "../../fs/errors.ts";
import { decodeName } from "../../fs/names.ts";
import { O_DIRECTORY, O_RDONLY, S_IFDIR, SEEK_SET } from "../../fs/flags.ts";
import { DIRECTORY } from "./descriptor_register.ts";
import { decodeOffset, encodeOffset } from "./directory_offset.ts";
import { FIRST, SECOND } from "./descriptors.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";
import { Scratch } from "./system_calls.ts";

// struct linux_dirent64 (getdents64(2)).
const INODE = 0;
const OFFSET = 8;
const RECORD_LENGTH = 16;
const TYPE = 18;
const NAME = 19;

/** The first piece read; each further one is twice as long. What the kernel's buffer does not take is read again. */
const FIRST_PIECE = 4096;
const FIRST_PIECE_PLUS = 1024;
const LONGEST_PIECE = 32_768;

/** How many directories' exact positions a loop remembers. */
const POSITIONS = 16;

export function directoryOperations(loop: PassthroughLoop) {
  const { calls, descriptors, identity, register, table, status } = loop;
  const { files } = calls;
  const { cache } = loop.options;
  const scratch = new Scratch(LONGEST_PIECE);
  const opened = { handle: 0, cacheDirectory: cache === "always", keepCache: cache === "always" };
  const listed: DirectoryEntry = { name: "", inode: 0, mode: 0, offset: 0 };
  const positions = Array.from({ length: POSITIONS }, () => ({ handle: -1, offset: 0, low: 0, high: 0 }));

  /**
   * Moves to `offset`. The position it stands for is known exactly if this loop gave it out last (ext4 then goes on
   * where it was); otherwise it is a moment's rounding before it, see `directory_offset.ts`.
   */
  function seek(handle: Handle, offset: number): void {
    const known = positions[handle % POSITIONS]!;
    const exact = known.handle === handle && known.offset === offset
      ? (BigInt(known.high) << 32n) + BigInt(known.low)
      : decodeOffset(offset);
    if (files.lseek(handle, exact, SEEK_SET) < 0n) throw calls.failure("go on in a directory");
  }

  function remember(handle: Handle, offset: number, low: number, high: number): void {
    const known = positions[handle % POSITIONS]!;
    known.handle = handle;
    known.offset = offset;
    known.low = low;
    known.high = high;
  }

  /** The entries after `offset`, the same object each time. `visit` may add to it. */
  function* read(node: NodeId, handle: Handle, offset: number, first: number, visit?: (name: string) => void) {
    if (register.kindOf(handle) !== DIRECTORY) throw new FsError("EBADF", `Handle ${handle} is no open directory`);
    const device = loop.deviceOf(node);
    const piece = scratch.bytes;
    const view = new DataView(piece.buffer);
    seek(handle, offset);
    for (let size = first;; size = Math.min(size * 2, LONGEST_PIECE)) {
      const length = calls.check(files.getdents64(handle, piece, size), "read a directory");
      if (length === 0) return;
      for (let at = 0; at < length; at += view.getUint16(at + RECORD_LENGTH, true)) {
        const low = view.getUint32(at + OFFSET, true);
        const high = view.getUint32(at + OFFSET + 4, true);
        listed.name = decodeName(piece, at + NAME, piece.indexOf(0, at + NAME));
        listed.inode = status.shownInode(view.getInt32(at + INODE, true), view.getInt32(at + INODE + 4, true), device);
        listed.mode = piece[at + TYPE]! << 12;
        listed.offset = encodeOffset(low, high);
        // What lies above the source is nobody's business.
        if (node === ROOT_NODE && listed.name === "..") listed.inode = rootInode();
        visit?.(listed.name);
        yield listed;
        remember(handle, listed.offset, low, high);
      }
    }
  }

  function rootInode(): number {
    loop.look(descriptors.use(ROOT_NODE, SECOND));
    return loop.status.readAttributes().inode!;
  }

  /** Adds what `lookup` would return. A name that is gone by now is listed without. */
  function addEntry(node: NodeId, name: string): void {
    delete listed.entry;
    if (name === "." || name === "..") return;
    try {
      const entry = loop.lookup(node, name);
      if (entry !== undefined) listed.entry = entry;
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
  }

  return {
    openDirectory(node: NodeId, _flags: number, context: RequestContext): Opened {
      if (loop.typeOf(node) !== S_IFDIR) throw new FsError("ENOTDIR", "Cannot list what is no directory");
      const descriptor = descriptors.use(node, FIRST);
      identity.assume(context);
      opened.handle = register.addOpened(loop.reopen(descriptor, O_RDONLY | O_DIRECTORY), DIRECTORY, context);
      register.kept?.setNode(opened.handle, table.cellOf(node));
      return opened;
    },

    readDirectory(node: NodeId, handle: Handle, offset: number): Iterable<DirectoryEntry> {
      delete listed.entry;
      return read(node, handle, offset, FIRST_PIECE);
    },

    readDirectoryPlus(
      node: NodeId,
      handle: Handle,
      offset: number,
      context: RequestContext,
    ): Iterable<DirectoryEntry> {
      identity.assume(context);
      return read(node, handle, offset, FIRST_PIECE_PLUS, (name) => addEntry(node, name));
    },

    releaseDirectory(_node: NodeId, handle: Handle, _flags?: number, context?: RequestContext): void {
      register.closeHandle(handle, context);
    },

    synchronizeDirectory(_node: NodeId, handle: Handle, dataOnly: boolean): void {
      calls.check(dataOnly ? files.fdatasync(handle) : files.fsync(handle), "bring a directory to the disk");
    },
  } satisfies FileSystem;
}
