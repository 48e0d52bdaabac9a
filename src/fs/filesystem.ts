/**
 * The contract: what a filesystem is to Trellis.
 *
 * A filesystem is an object whose methods are the operations of FUSE's low-level API, under the names of the
 * system calls, spelled out. Every method is optional and may answer at once or with a promise. A method that is
 * missing is answered for it; what that answer is stands with each method, and mostly it is `ENOSYS`, which the
 * kernel remembers for the life of the mount.
 *
 * Files are known by node id, never by path: a node keeps its id while it is renamed, linked and unlinked. The root
 * is {@linkcode ROOT_NODE}. `lookup` and the operations that make something hand ids to the kernel; `forget` says that
 * the kernel let go of one.
 *
 * **Absence is a value, failure is one class.** `lookup` returns `undefined` when there is no such name; everything
 * else that goes wrong is `throw new FsError("ENOTEMPTY", …)`. What else is thrown becomes `EIO`, with a log line.
 *
 * **What runs beside what.** The kernel holds a directory's lock while it changes names in it, so `create`,
 * `makeDirectory`, `makeNode`, `makeSymbolicLink`, `link`, `unlink`, `removeDirectory` and `rename` never run beside
 * one another in the same directory, nor two `setAttributes` or two `write`s on one file (unless the file was opened
 * with `parallelDirectWrites`). Everything else may: reads, lookups, `getAttributes`, and anything on different nodes.
 * Methods that answer at once never run beside another method of the same isolate.
 *
 * **Buffers.** Bytes handed to a method (`data`) belong to the library and are valid until the method has answered.
 * Bytes, attributes and entries that a method returns are read before the next method of that isolate is called, so a
 * filesystem that answers at once may return the same object again and again.
 *
 * @module
 */
import type { Attributes, Entry, ExtendedStatus, FileSystemStatistics, Time } from "./attributes.ts";
import type { ChangeableBranches } from "./branches.ts";
import type { ConnectionInfo } from "./connection_info.ts";

/** A value, or a promise of one. */
export type Awaitable<T> = T | Promise<T>;

/**
 * The number of a node, chosen by the filesystem: 1 is the root, any other from 2 to 2^53 - 1.
 * An id must not be given to another file before `forget` has come for it.
 */
export type NodeId = number;

/** The node id of the root directory (`FUSE_ROOT_ID`). It is never looked up and never forgotten. */
export const ROOT_NODE: NodeId = 1;

/** What `open`, `create` or `openDirectory` returned for an open file: any integer from 0 to 2^53 - 1. */
export type Handle = number;

/**
 * A file name, 1 to 255 bytes on the wire. Bytes that are not UTF-8 survive a round trip: each becomes one lone
 * surrogate U+DC80…U+DCFF (PEP 383's surrogate escape), and never U+FFFD.
 */
export type Name = string;

/** Who asks, and what else comes with every request. Valid until the method has answered. */
export interface RequestContext {
  /** The caller's user id (its filesystem uid). */
  readonly uid: number;
  /** The caller's group id. */
  readonly gid: number;
  /** The caller's thread id, in the pid namespace of the mount; 0 for work that the kernel does by itself. */
  readonly pid: number;
  /**
   * The caller's umask, for operations that make something (not for symbolic links). The kernel has already applied it to
   * `mode`, unless the filesystem asked for the feature `dont-mask`.
   */
  readonly umask: number;
  /** The request's number, by which it is known when it comes again; 0 for what no request asked for. */
  readonly unique: number;
  /**
   * Whether the request comes again, because the process that served it ended before it answered: what it asks for may
   * have been done. Only where a keeper holds the mount, or after `Notifier.resend`.
   */
  readonly resent: boolean;
  /**
   * Aborted when the caller is interrupted (killed, `Ctrl-C`) and when the session ends, with an `AbortError`, and at the
   * deadline of the mount's options, with a `TimeoutError`. Made when first asked for. After it has fired, throw
   * `FsError("EINTR")` or simply the signal's reason; the caller may be gone by then.
   * Where methods answer at once it never fires.
   */
  readonly signal: AbortSignal;
  /**
   * A buffer of `size` bytes to fill and return from `read` (and other methods that return bytes). Where the reply
   * can be built in place this saves the copy. Its contents are undefined.
   */
  allocate(size: number): Uint8Array<ArrayBuffer>;
}

/** How the kernel treats an open file (`FOPEN_*` of linux/fuse.h). */
export interface Opened {
  /** Given back with every operation on this open file. Default 0. */
  handle?: Handle;
  /** Bypass the page cache: reads and writes arrive as the program makes them. */
  directIo?: boolean;
  /** Keep what the page cache holds of this file from before. */
  keepCache?: boolean;
  /** Seeking makes no sense here; the program gets `ESPIPE`. */
  nonSeekable?: boolean;
  /** A stream without a position, as a pipe is. */
  stream?: boolean;
  /** Let the kernel cache the directory's entries (`openDirectory` only). */
  cacheDirectory?: boolean;
  /** Do not send `flush` when a descriptor of this file is closed. */
  noFlush?: boolean;
  /** Writes with `directIo` may run beside each other. */
  parallelDirectWrites?: boolean;
  /**
   * A descriptor of this process, best of `O_PATH`: the regular file that holds what this one shows, byte for byte.
   * Where the kernel and the process's privileges allow it, the kernel then reads, writes and maps that file itself,
   * and no `read` or `write` arrives (`FOPEN_PASSTHROUGH`); where they do not, everything goes on as if it were not
   * given. Only with the feature `passthrough`. The descriptor stays the filesystem's: it must be open until the open
   * is answered, and one that is closed in `release` always is. The kernel holds what it stands for on its own until
   * the last release: of a descriptor that is not of `O_PATH`, the open file with its locks (flock).
   *
   * All opens of a node agree until the last is released: the file given first is the one that is used, an open without
   * one gets its reads and writes by `read` and `write` (as with `backingMapsOnly`), and a node that was first opened
   * without one has none. While a file is passed through, `directIo`, `keepCache`, `nonSeekable` and `stream` mean nothing.
   *
   * The kernel writes with the credentials that the thread has when it answers, whoever writes (and opens the file for
   * every mode, whatever the descriptor's): see `backingAsRoot`. It does not notice what a mapping changes: give the
   * attributes of a file that may be mapped and written a `timeout` of 0.
   */
  backing?: number;
  /** Beside `backing`: reads and writes of this open arrive here as with `directIo`, only its mappings are the file's. */
  backingMapsOnly?: boolean;
  /**
   * Beside `backing`: the thread has root's credentials when it answers (CAP_FSETID), because whoever opens the file has
   * them: writes then keep setuid and setgid, and otherwise clear them. Where the file given first says something else, an
   * open that may write gets its reads and writes as with `backingMapsOnly`.
   */
  backingAsRoot?: boolean;
}

/** A file made and opened by one call. */
export interface Created {
  /** As `lookup` would return it. */
  entry: Entry;
  /** As `open` would return it. */
  opened: Opened;
}

/** One entry of a directory that is being read. */
export interface DirectoryEntry {
  /** Its name in the directory. */
  name: Name;
  /** `st_ino` as `getdents` shows it. */
  inode: number;
  /** The file's mode; only its type bits are used. 0 when unknown. */
  mode: number;
  /**
   * Where to go on after this entry: what the next call gets as `offset` when this entry was the last that fitted.
   * From 1 to 2^53 - 1, never 0, and steady: the same entry has the same offset while it exists.
   */
  offset: number;
  /** `readDirectoryPlus` only: what `lookup` would return for the name. Leave it out for "." and "..". */
  entry?: Entry;
}

/** What `setAttributes` is to change; what is missing stays as it is. */
export interface AttributeChanges {
  /** Permission bits (07777), without the type. */
  mode?: number;
  /** The new owner. */
  uid?: number;
  /** The new group. */
  gid?: number;
  /** Bytes; what is gained reads as zeros. */
  size?: number;
  /** A time, or `"now"` for the filesystem's own clock. */
  atime?: Time | "now";
  /** The same. */
  mtime?: Time | "now";
  /** Sent only with the feature `writeback-cache`. */
  ctime?: Time;
  /**
   * The kernel asks to clear setuid, setgid (when group-executable) and `security.capability`, because somebody
   * without CAP_FSETID changes the size. Only with the feature `handle-killpriv-v2`, which also makes the filesystem
   * clear them on every change of owner.
   */
  killPrivileges?: boolean;
}

/** An advisory record lock (`struct flock`): `end` is inclusive; a lock to the end of the file ends at 2^63 - 1. */
export interface FileLock {
  /** Shared, exclusive, or none. */
  type: "read" | "write" | "unlock";
  /** The first byte. */
  start: number;
  /** The last byte. */
  end: number;
  /** The process that holds it. */
  pid: number;
}

/** What the `flags` of `write` say (`FUSE_WRITE_*`). */
export interface WriteDetails {
  /** From the page cache (an mmap, or the writeback cache): `context` is then not the program's. */
  readonly cached: boolean;
  /** Clear setuid, setgid and capabilities, as {@linkcode AttributeChanges.killPrivileges}. */
  readonly killPrivileges: boolean;
}

/** An ioctl as the program made it. */
export interface IoctlRequest {
  /** The command; `_IOC_DIR` and `_IOC_SIZE` of it say what the kernel copies. */
  command: number;
  /** The argument as a number (a pointer of the caller's, mostly). */
  argument: bigint;
  /** What the kernel copied in, for a command with `_IOC_WRITE`. */
  input: Uint8Array;
  /** How many bytes the program takes back, for a command with `_IOC_READ`. */
  outputSize: number;
  /** The file is a directory. */
  directory: boolean;
  /** A 32-bit program on a 64-bit kernel. */
  compatible32: boolean;
}

/** The answer to an ioctl. */
export interface IoctlReply {
  /** The call's return value, 0 or more. Default 0. */
  result?: number;
  /** Up to `outputSize` bytes for the program. */
  output?: Uint8Array;
}

/** A program that waits in poll, select or epoll: the kernel's name for it (`kh`). */
export type PollHandle = number;

/** A part of a file for `copyFileRange`. */
export interface FileRange {
  /** The file. */
  node: NodeId;
  /** The open file. */
  handle: Handle;
  /** Bytes from the start of the file. */
  offset: number;
}

/** A filesystem. Every method is optional; see the module's comment for what they share. */
export interface FileSystem {
  /**
   * Features to ask of the kernel beyond the usual ones, by name (`FUSE_*` flags of INIT in kebab case, such as
   * `handle-killpriv-v2`, `writeback-cache`, `posix-acl`). Those that the kernel does not have are left out;
   * `initialize` says which it agreed to.
   */
  readonly features?: readonly string[];

  /** For a tree of filesystems: how its branches are changed while loops serve it (`session.graft` and others). */
  readonly branches?: ChangeableBranches | undefined;

  /** Called once when the mount is live, before any other method. */
  initialize?(connection: ConnectionInfo): void;

  /** Called once after the last request. */
  destroy?(): Awaitable<void>;

  /** The child called `name`, or undefined when there is none. Missing: nothing is ever found. */
  lookup?(parent: NodeId, name: Name, context: RequestContext): Awaitable<Entry | undefined>;

  /**
   * The kernel holds no reference to `node` any more: no cached name, no open file. Called once per node that it knew;
   * the library counts lookups. The node's id is free from here on. Not called for what is still known at unmount.
   */
  forget?(node: NodeId): void;

  /**
   * As `forget`, for a filesystem that counts lookups itself (because several loops share its nodes): every entry
   * returned counts one, and this takes `count` back. When it is present the library counts nothing.
   */
  forgetLookups?(node: NodeId, count: number): void;

  /** Missing: the root is an empty directory, everything else `ENOSYS`. */
  getAttributes?(node: NodeId, handle: Handle | undefined, context: RequestContext): Awaitable<Attributes>;

  /** Changes attributes and returns them all as they are then. `handle` is set for `ftruncate`, `futimens`, … */
  setAttributes?(
    node: NodeId,
    changes: AttributeChanges,
    handle: Handle | undefined,
    context: RequestContext,
  ): Awaitable<Attributes>;

  /** A symbolic link's target, in the encoding of {@linkcode Name}, at most 4095 bytes. */
  readLink?(node: NodeId, context: RequestContext): Awaitable<string>;

  /** mknod: a file, fifo, socket or device node; `mode` has type and permission, `device` is an encoded `dev_t`. */
  makeNode?(parent: NodeId, name: Name, mode: number, device: number, context: RequestContext): Awaitable<Entry>;

  /** mkdir. `mode` has the permission bits only. */
  makeDirectory?(parent: NodeId, name: Name, mode: number, context: RequestContext): Awaitable<Entry>;

  /** symlink. */
  makeSymbolicLink?(parent: NodeId, name: Name, target: string, context: RequestContext): Awaitable<Entry>;

  /** Takes the name away; the file lives while it is open or has other names. */
  unlink?(parent: NodeId, name: Name, context: RequestContext): Awaitable<void>;

  /** rmdir. `ENOTEMPTY` when something is in it. */
  removeDirectory?(parent: NodeId, name: Name, context: RequestContext): Awaitable<void>;

  /** rename and renameat2. `flags` are `RENAME_NOREPLACE`, `_EXCHANGE`, `_WHITEOUT`; `EINVAL` for those not known. */
  rename?(
    parent: NodeId,
    name: Name,
    newParent: NodeId,
    newName: Name,
    flags: number,
    context: RequestContext,
  ): Awaitable<void>;

  /** Another name for a file; returns the entry of that same node. */
  link?(node: NodeId, newParent: NodeId, newName: Name, context: RequestContext): Awaitable<Entry>;

  /**
   * Opens a file. `flags` are the program's (`O_ACCMODE`, `O_APPEND`, …; `O_CREAT`, `O_EXCL`, `O_NOCTTY` are taken
   * out; `O_TRUNC` arrives only with the feature `atomic-o-trunc`). Missing: succeeds with handle 0.
   */
  open?(node: NodeId, flags: number, context: RequestContext): Awaitable<Opened>;

  /** Makes and opens a file in one step. Missing: the kernel uses `makeNode` and `open`. */
  create?(parent: NodeId, name: Name, mode: number, flags: number, context: RequestContext): Awaitable<Created>;

  /** O_TMPFILE: a file in `parent`'s filesystem that has no name (yet). Missing: `EOPNOTSUPP`. Kernel 6.1+. */
  makeTemporaryFile?(parent: NodeId, mode: number, flags: number, context: RequestContext): Awaitable<Created>;

  /** At most `size` bytes from `offset`; fewer only at the end of the file (or with `directIo`). */
  read?(
    node: NodeId,
    handle: Handle,
    offset: number,
    size: number,
    context: RequestContext,
  ): Awaitable<Uint8Array>;

  /** Writes `data` at `offset` and returns how many bytes were taken. `O_APPEND` has been resolved by the kernel. */
  write?(
    node: NodeId,
    handle: Handle,
    offset: number,
    data: Uint8Array,
    details: WriteDetails,
    context: RequestContext,
  ): Awaitable<number>;

  /** A descriptor of the open file was closed (any number of times per open). An error here is what `close` returns. */
  flush?(node: NodeId, handle: Handle, lockOwner: bigint, context: RequestContext): Awaitable<void>;

  /** The last descriptor is gone: exactly one call for each `open` or `create`. Missing: succeeds. */
  release?(node: NodeId, handle: Handle, flags: number, context: RequestContext): Awaitable<void>;

  /** fsync, or fdatasync when `dataOnly`. Missing: succeeds. */
  synchronize?(node: NodeId, handle: Handle, dataOnly: boolean, context: RequestContext): Awaitable<void>;

  /** Missing: succeeds with handle 0. */
  openDirectory?(node: NodeId, flags: number, context: RequestContext): Awaitable<Opened>;

  /**
   * The entries after `offset` (0: from the start), "." and ".." among them where the filesystem has them. The
   * library takes as many as fit the kernel's buffer and asks again from the last one's `offset`.
   */
  readDirectory?(
    node: NodeId,
    handle: Handle,
    offset: number,
    context: RequestContext,
  ): Awaitable<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>>;

  /** As `readDirectory`, with each entry's `entry`. Missing: the kernel looks each name up when it needs it. */
  readDirectoryPlus?(
    node: NodeId,
    handle: Handle,
    offset: number,
    context: RequestContext,
  ): Awaitable<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>>;

  /** Exactly one call for each `openDirectory`. Missing: succeeds. */
  releaseDirectory?(node: NodeId, handle: Handle, flags: number, context: RequestContext): Awaitable<void>;

  /** fsync on a directory. Missing: succeeds. */
  synchronizeDirectory?(node: NodeId, handle: Handle, dataOnly: boolean, context: RequestContext): Awaitable<void>;

  /** statfs. Missing: names of 255 bytes, blocks of 512, nothing counted. */
  getStatistics?(node: NodeId, context: RequestContext): Awaitable<FileSystemStatistics>;

  /** setxattr. `flags` are 0, `XATTR_CREATE` or `XATTR_REPLACE`. */
  setExtendedAttribute?(
    node: NodeId,
    name: string,
    value: Uint8Array,
    flags: number,
    context: RequestContext,
  ): Awaitable<void>;

  /** getxattr: the whole value, or undefined (`ENODATA`). The library answers size queries and `ERANGE`. */
  getExtendedAttribute?(node: NodeId, name: string, context: RequestContext): Awaitable<Uint8Array | undefined>;

  /** listxattr: all names. */
  listExtendedAttributes?(node: NodeId, context: RequestContext): Awaitable<readonly string[]>;

  /** removexattr. `ENODATA` when there is none. */
  removeExtendedAttribute?(node: NodeId, name: string, context: RequestContext): Awaitable<void>;

  /** access(2), only without the mount option `default_permissions`. Missing: everything is allowed. */
  access?(node: NodeId, mask: number, context: RequestContext): Awaitable<void>;

  /** F_GETLK: the lock that stands in the way of `lock`, or undefined. Missing: the kernel keeps locks itself. */
  getLock?(
    node: NodeId,
    handle: Handle,
    owner: bigint,
    lock: FileLock,
    context: RequestContext,
  ): Awaitable<FileLock | undefined>;

  /**
   * F_SETLK; with `wait` F_SETLKW, answered when the lock is had (or `EINTR`). When a descriptor is closed, `flush`
   * brings the owner whose locks end. Missing: the kernel keeps locks itself, which is right where it sees all users.
   */
  setLock?(
    node: NodeId,
    handle: Handle,
    owner: bigint,
    lock: FileLock,
    wait: boolean,
    context: RequestContext,
  ): Awaitable<void>;

  /** flock(2) on an open file; ends with `unlock` or `release`. Missing: the kernel keeps locks itself. */
  setWholeFileLock?(
    node: NodeId,
    handle: Handle,
    owner: bigint,
    type: FileLock["type"],
    wait: boolean,
    context: RequestContext,
  ): Awaitable<void>;

  /** FIBMAP, for filesystems on a block device (`fuseblk`): the device block of file block `block`. */
  mapBlock?(node: NodeId, blockSize: number, block: number, context: RequestContext): Awaitable<number>;

  /** ioctl with the sizes that the command itself encodes. Missing: `ENOTTY`. */
  ioctl?(node: NodeId, handle: Handle, request: IoctlRequest, context: RequestContext): Awaitable<IoctlReply>;

  /**
   * Which of `events` (`POLLIN`, `POLLOUT`, …) are ready now. When `wakeup` is given, the kernel wants to be told
   * when that changes: once, with `wakePoll` of {@linkcode ConnectionInfo.notifier}; then it asks again. An open file
   * has one such handle, and a new one takes the old one's place. Missing: always ready for everything.
   */
  poll?(
    node: NodeId,
    handle: Handle,
    events: number,
    wakeup: PollHandle | undefined,
    context: RequestContext,
  ): Awaitable<number>;

  /** fallocate; `mode` is 0 or `FALLOC_FL_*` flags, `EOPNOTSUPP` for those not known. */
  allocate?(
    node: NodeId,
    handle: Handle,
    mode: number,
    offset: number,
    length: number,
    context: RequestContext,
  ): Awaitable<void>;

  /** copy_file_range inside this filesystem: how many bytes were copied. Missing: the kernel copies by itself. */
  copyFileRange?(
    from: FileRange,
    to: FileRange,
    length: number,
    flags: number,
    context: RequestContext,
  ): Awaitable<number>;

  /** lseek with `SEEK_DATA` or `SEEK_HOLE` (others never arrive). `ENXIO` past the end. Missing: one piece of data. */
  seek?(node: NodeId, handle: Handle, offset: number, whence: number, context: RequestContext): Awaitable<number>;

  /** statx fields that `Attributes` does not have, such as the birth time. Kernel 6.6+; missing: `getAttributes` serves. */
  getExtendedStatus?(
    node: NodeId,
    handle: Handle | undefined,
    context: RequestContext,
  ): Awaitable<ExtendedStatus>;

  /** syncfs: everything written so far reaches the store. The kernel sends it only to mounts that root vouches for. */
  synchronizeFileSystem?(node: NodeId, context: RequestContext): Awaitable<void>;
}
