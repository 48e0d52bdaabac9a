/**
 * The table of operations: for each opcode the size of its struct, how it is decoded into a method's parameters, which
 * reply it takes, and what the kernel is told when the filesystem has no such method. A new operation is a new row.
 *
 * `ENOSYS` is a promise that the kernel remembers for the life of the mount, and for most operations it then does the
 * usual thing by itself (fs/fuse/file.c, dir.c). Where it would not, the row says what is answered instead, as libfuse
 * does for null callbacks (lib/fuse_lowlevel.c, do_open, do_release, do_statfs).
 */
import * as KERNEL from "../../ffi/kernel.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { Attributes, Entry, ExtendedStatus, FileSystemStatistics } from "../fs/attributes.ts";
import { ERRNO, FsError } from "../fs/errors.ts";
import {
  type AttributeChanges,
  type Awaitable,
  type Created,
  type DirectoryEntry,
  type FileLock,
  type FileSystem,
  type IoctlReply,
  type Opened,
  ROOT_NODE,
} from "../fs/filesystem.ts";
import { S_IFDIR } from "../fs/flags.ts";
import { encodeName } from "../fs/names.ts";
import type { HeaderContext } from "./context.ts";
import { gatherDirectory, putDirectory } from "./directory.ts";
import type { ReplyBody } from "./reply.ts";
import type { RequestView } from "./request.ts";

/** What a reply needs to know besides the result. */
export interface ReplyHost {
  readonly body: ReplyBody;
  /** Counts a lookup of the entry's node, before it is sent. */
  count(entry: Entry): void;
  /** Takes that back: the entry did not reach the kernel. */
  uncount(entry: Entry): void;
  /** Gives back an entry that was never counted here: one that did not fit a directory's buffer. */
  discard(entry: Entry): void;
  /** Whether a name that is not there may be cached. */
  readonly cacheNegative: boolean;
}

/** One row. `Result` is what the method returns. */
export interface Operation<Result = unknown> {
  /** The method that serves it. */
  readonly method: keyof FileSystem;
  /** The size of the operation's struct. */
  readonly size: number;
  /** Decodes the parameters and calls the method, which is there. */
  call(filesystem: Required<FileSystem>, request: RequestView, context: HeaderContext): Awaitable<Result>;
  /** Writes the result and returns the body's length, or a negative errno. */
  reply(result: Result, host: ReplyHost, request: RequestView): number;
  /** The answer without the method. Default: `-ENOSYS`. */
  missing?(host: ReplyHost, request: RequestView): number;
  /** The reply came too late (the caller was interrupted): gives back what it handed out. */
  refused?(result: Result, host: ReplyHost, filesystem: FileSystem, request: RequestView, context: HeaderContext): void;
}

const succeed = (): number => 0;
const open0 = (host: ReplyHost): number => host.body.putOpened({});

/** Rows whose reply has no body. */
const nothing = { reply: succeed };

/** Rows whose reply is an entry that the kernel then knows. */
const entry = {
  reply(result: Entry, host: ReplyHost): number {
    const length = host.body.putEntry(result);
    host.count(result);
    return length;
  },
  refused: (result: Entry, host: ReplyHost): void => host.uncount(result),
};

const created = {
  reply(result: Created, host: ReplyHost): number {
    const length = host.body.putCreated(result.entry, result.opened);
    host.count(result.entry);
    return length;
  },
  refused(
    result: Created,
    host: ReplyHost,
    filesystem: FileSystem,
    _request: RequestView,
    context: HeaderContext,
  ): void {
    void filesystem.release?.(result.entry.node, result.opened.handle ?? 0, 0, context);
    host.uncount(result.entry);
  },
};

const lookup: Operation<Entry | undefined> = {
  method: "lookup",
  size: 0,
  call: (filesystem, request, context) => filesystem.lookup(request.node, request.takeName(), context),
  reply(result, host) {
    if (result !== undefined) return entry.reply(result, host);
    return host.cacheNegative ? host.body.putNegativeEntry() : -ERRNO.ENOENT;
  },
  missing: (host) => host.cacheNegative ? host.body.putNegativeEntry() : -ERRNO.ENOENT,
  refused(result, host) {
    if (result !== undefined) host.uncount(result);
  },
};

const attributes = {
  reply: (result: Attributes, host: ReplyHost, request: RequestView): number =>
    host.body.putAttributes(request.node, result),
};

const getattr: Operation<Attributes> = {
  method: "getAttributes",
  size: STRUCT.fuse_getattr_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getAttributes(request.node, handleIfAny(request, STRUCT.fuse_getattr_in), context),
  ...attributes,
  missing: (host, request) =>
    request.node === ROOT_NODE
      ? host.body.putAttributes(ROOT_NODE, { mode: S_IFDIR | 0o755, links: 2 })
      : -ERRNO.ENOSYS,
};

/** GETATTR and STATX begin alike: flags, then a handle that counts when FUSE_GETATTR_FH is set. */
function handleIfAny(request: RequestView, struct: { getattr_flags: number; fh: number }): number | undefined {
  return request.u32(struct.getattr_flags) & KERNEL.FUSE_GETATTR_FH ? request.u64(struct.fh) : undefined;
}

const setattr: Operation<Attributes> = {
  method: "setAttributes",
  size: STRUCT.fuse_setattr_in.SIZE,
  call(filesystem, request, context) {
    const handle = request.u32(SETATTR.valid) & KERNEL.FATTR_FH ? request.u64(SETATTR.fh) : undefined;
    return filesystem.setAttributes(request.node, attributeChanges(request), handle, context);
  },
  ...attributes,
};

const SETATTR = STRUCT.fuse_setattr_in;

function attributeChanges(request: RequestView): AttributeChanges {
  const valid = request.u32(SETATTR.valid);
  const changes: AttributeChanges = {};
  const time = (seconds: number, nanoseconds: number) => ({
    seconds: request.i64(seconds),
    nanoseconds: request.u32(nanoseconds),
  });
  if (valid & KERNEL.FATTR_MODE) changes.mode = request.u32(SETATTR.mode) & 0o7777;
  if (valid & KERNEL.FATTR_UID) changes.uid = request.u32(SETATTR.uid);
  if (valid & KERNEL.FATTR_GID) changes.gid = request.u32(SETATTR.gid);
  if (valid & KERNEL.FATTR_SIZE) changes.size = request.u64(SETATTR.size);
  if (valid & KERNEL.FATTR_ATIME_NOW) changes.atime = "now";
  else if (valid & KERNEL.FATTR_ATIME) changes.atime = time(SETATTR.atime, SETATTR.atimensec);
  if (valid & KERNEL.FATTR_MTIME_NOW) changes.mtime = "now";
  else if (valid & KERNEL.FATTR_MTIME) changes.mtime = time(SETATTR.mtime, SETATTR.mtimensec);
  if (valid & KERNEL.FATTR_CTIME) changes.ctime = time(SETATTR.ctime, SETATTR.ctimensec);
  if (valid & KERNEL.FATTR_KILL_SUIDGID) changes.killPrivileges = true;
  return changes;
}

const readlink: Operation<string> = {
  method: "readLink",
  size: 0,
  call: (filesystem, request, context) => filesystem.readLink(request.node, context),
  reply: (result, host) => host.body.putBytes(encodeName(result)),
};

const symlink: Operation<Entry> = {
  method: "makeSymbolicLink",
  size: 0,
  call(filesystem, request, context) {
    const name = request.takeName();
    return filesystem.makeSymbolicLink(request.node, name, request.takeName(), context);
  },
  ...entry,
};

const mknod: Operation<Entry> = {
  method: "makeNode",
  size: STRUCT.fuse_mknod_in.SIZE,
  call(filesystem, request, context) {
    const { mode, rdev, umask } = STRUCT.fuse_mknod_in;
    context.umask = request.u32(umask);
    return filesystem.makeNode(request.node, request.takeName(), request.u32(mode), request.u32(rdev), context);
  },
  ...entry,
};

const mkdir: Operation<Entry> = {
  method: "makeDirectory",
  size: STRUCT.fuse_mkdir_in.SIZE,
  call(filesystem, request, context) {
    const { mode, umask } = STRUCT.fuse_mkdir_in;
    context.umask = request.u32(umask);
    return filesystem.makeDirectory(request.node, request.takeName(), request.u32(mode) & 0o7777, context);
  },
  ...entry,
};

const unlink: Operation<void> = {
  method: "unlink",
  size: 0,
  call: (filesystem, request, context) => filesystem.unlink(request.node, request.takeName(), context),
  ...nothing,
};

const rmdir: Operation<void> = {
  method: "removeDirectory",
  size: 0,
  call: (filesystem, request, context) => filesystem.removeDirectory(request.node, request.takeName(), context),
  ...nothing,
};

const rename: Operation<void> = {
  method: "rename",
  size: STRUCT.fuse_rename_in.SIZE,
  call(filesystem, request, context) {
    const name = request.takeName();
    const newParent = request.u64(STRUCT.fuse_rename_in.newdir);
    return filesystem.rename(request.node, name, newParent, request.takeName(), 0, context);
  },
  ...nothing,
};

const rename2: Operation<void> = {
  method: "rename",
  size: STRUCT.fuse_rename2_in.SIZE,
  call(filesystem, request, context) {
    const { newdir, flags } = STRUCT.fuse_rename2_in;
    const name = request.takeName();
    const newName = request.takeName();
    return filesystem.rename(request.node, name, request.u64(newdir), newName, request.u32(flags), context);
  },
  ...nothing,
};

const link: Operation<Entry> = {
  method: "link",
  size: STRUCT.fuse_link_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.link(request.u64(STRUCT.fuse_link_in.oldnodeid), request.node, request.takeName(), context),
  ...entry,
};

const open: Operation<Opened> = {
  method: "open",
  size: STRUCT.fuse_open_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.open(request.node, request.u32(STRUCT.fuse_open_in.flags), context),
  reply: (result, host) => host.body.putOpened(result),
  missing: open0,
  refused: (result, _host, filesystem, request, context) =>
    void filesystem.release?.(request.node, result.handle ?? 0, 0, context),
};

const create: Operation<Created> = {
  method: "create",
  size: STRUCT.fuse_create_in.SIZE,
  call(filesystem, request, context) {
    const { flags, mode, umask } = STRUCT.fuse_create_in;
    context.umask = request.u32(umask);
    const name = request.takeName();
    return filesystem.create(request.node, name, request.u32(mode) & 0o7777, request.u32(flags), context);
  },
  ...created,
};

const tmpfile: Operation<Created> = {
  method: "makeTemporaryFile",
  size: STRUCT.fuse_create_in.SIZE,
  call(filesystem, request, context) {
    const { flags, mode, umask } = STRUCT.fuse_create_in;
    context.umask = request.u32(umask);
    return filesystem.makeTemporaryFile(request.node, request.u32(mode) & 0o7777, request.u32(flags), context);
  },
  ...created,
};

const read: Operation<Uint8Array> = {
  method: "read",
  size: STRUCT.fuse_read_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    return filesystem.read(request.node, request.u64(fh), request.u64(offset), request.u32(size), context);
  },
  reply(result, host, request) {
    const size = request.u32(STRUCT.fuse_read_in.size);
    if (result.length > size) throw new Error(`read returned ${result.length} bytes where ${size} were asked for`);
    return host.body.putBytes(result);
  },
};

const write: Operation<number> = {
  method: "write",
  size: STRUCT.fuse_write_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size, write_flags } = STRUCT.fuse_write_in;
    const flags = request.u32(write_flags);
    const details = WRITE_DETAILS[(flags & KERNEL.FUSE_WRITE_CACHE) | (flags & KERNEL.FUSE_WRITE_KILL_SUIDGID)]!;
    const data = request.takeBytes(request.u32(size));
    return filesystem.write(request.node, request.u64(fh), request.u64(offset), data, details, context);
  },
  reply: (result, host) => host.body.put32(result),
};

/** By the bits FUSE_WRITE_CACHE (1) and FUSE_WRITE_KILL_SUIDGID (4). */
const WRITE_DETAILS = [0, 1, 2, 3, 4, 5].map((bits) =>
  Object.freeze({ cached: (bits & 1) !== 0, killPrivileges: (bits & 4) !== 0 })
);

const flush: Operation<void> = {
  method: "flush",
  size: STRUCT.fuse_flush_in.SIZE,
  call(filesystem, request, context) {
    const { fh, lock_owner } = STRUCT.fuse_flush_in;
    return filesystem.flush(request.node, request.u64(fh), request.big(lock_owner), context);
  },
  ...nothing,
};

const release: Operation<void> = {
  method: "release",
  size: STRUCT.fuse_release_in.SIZE,
  call(filesystem, request, context) {
    const { fh, flags } = STRUCT.fuse_release_in;
    return filesystem.release(request.node, request.u64(fh), request.u32(flags), context);
  },
  ...nothing,
  missing: succeed,
};

const FSYNC = STRUCT.fuse_fsync_in;

const fsync: Operation<void> = {
  method: "synchronize",
  size: FSYNC.SIZE,
  call: (filesystem, request, context) =>
    filesystem.synchronize(request.node, request.u64(FSYNC.fh), dataOnly(request), context),
  ...nothing,
};

function dataOnly(request: RequestView): boolean {
  return (request.u32(FSYNC.fsync_flags) & KERNEL.FUSE_FSYNC_FDATASYNC) !== 0;
}

const opendir: Operation<Opened> = {
  ...open,
  method: "openDirectory",
  call: (filesystem, request, context) =>
    filesystem.openDirectory(request.node, request.u32(STRUCT.fuse_open_in.flags), context),
  refused: (result, _host, filesystem, request, context) =>
    void filesystem.releaseDirectory?.(request.node, result.handle ?? 0, 0, context),
};

/** A directory is gathered only as far as the kernel's buffer may reach; `putDirectory` stops where it is full. */
const readdir: Operation<Iterable<DirectoryEntry>> = {
  method: "readDirectory",
  size: STRUCT.fuse_read_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    const entries = filesystem.readDirectory(request.node, request.u64(fh), request.u64(offset), context);
    return gatherDirectory(entries, request.u32(size));
  },
  reply: (result, host, request) => putDirectory(result, host, request.u32(STRUCT.fuse_read_in.size), false),
  missing: succeed,
};

const readdirplus: Operation<Iterable<DirectoryEntry>> = {
  ...readdir,
  method: "readDirectoryPlus",
  call(filesystem, request, context) {
    const { fh, offset, size } = STRUCT.fuse_read_in;
    const entries = filesystem.readDirectoryPlus(request.node, request.u64(fh), request.u64(offset), context);
    return gatherDirectory(entries, request.u32(size));
  },
  reply: (result, host, request) => putDirectory(result, host, request.u32(STRUCT.fuse_read_in.size), true),
  missing: () => -ERRNO.ENOSYS,
};

const releasedir: Operation<void> = {
  ...release,
  method: "releaseDirectory",
  call(filesystem, request, context) {
    const { fh, flags } = STRUCT.fuse_release_in;
    return filesystem.releaseDirectory(request.node, request.u64(fh), request.u32(flags), context);
  },
};

const fsyncdir: Operation<void> = {
  ...fsync,
  method: "synchronizeDirectory",
  call: (filesystem, request, context) =>
    filesystem.synchronizeDirectory(request.node, request.u64(FSYNC.fh), dataOnly(request), context),
};

const statfs: Operation<FileSystemStatistics> = {
  method: "getStatistics",
  size: 0,
  call: (filesystem, request, context) => filesystem.getStatistics(request.node, context),
  reply: (result, host) => host.body.putStatistics(result),
  missing: (host) =>
    host.body.putStatistics({ blockSize: 512, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0 }),
};

const setxattr: Operation<void> = {
  method: "setExtendedAttribute",
  size: STRUCT.fuse_setxattr_in.SIZE,
  call(filesystem, request, context) {
    const { size, flags } = STRUCT.fuse_setxattr_in;
    const name = request.takeName();
    const value = request.takeBytes(request.u32(size));
    return filesystem.setExtendedAttribute(request.node, name, value, request.u32(flags), context);
  },
  ...nothing,
};

const getxattr: Operation<Uint8Array | undefined> = {
  method: "getExtendedAttribute",
  size: STRUCT.fuse_getxattr_in.SIZE,
  call: (filesystem, request, context) => filesystem.getExtendedAttribute(request.node, request.takeName(), context),
  reply(result, host, request) {
    return result === undefined ? -ERRNO.ENODATA : putSized(result, host, request);
  },
};

const listxattr: Operation<readonly string[]> = {
  method: "listExtendedAttributes",
  size: STRUCT.fuse_getxattr_in.SIZE,
  call: (filesystem, request, context) => filesystem.listExtendedAttributes(request.node, context),
  reply: (result, host, request) => putSized(encodeName(result.map((name) => name + "\0").join("")), host, request),
};

/** getxattr(2), listxattr(2): with size 0 only the length is wanted, and too little room is ERANGE. */
function putSized(value: Uint8Array, host: ReplyHost, request: RequestView): number {
  const size = request.u32(STRUCT.fuse_getxattr_in.size);
  if (size === 0) return host.body.put32(value.length);
  return value.length > size ? -ERRNO.ERANGE : host.body.putBytes(value);
}

const removexattr: Operation<void> = {
  method: "removeExtendedAttribute",
  size: 0,
  call: (filesystem, request, context) => filesystem.removeExtendedAttribute(request.node, request.takeName(), context),
  ...nothing,
};

const access: Operation<void> = {
  method: "access",
  size: STRUCT.fuse_access_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.access(request.node, request.u32(STRUCT.fuse_access_in.mask), context),
  ...nothing,
};

const LK = STRUCT.fuse_lk_in;
const LOCK = STRUCT.fuse_file_lock;

/** F_RDLCK, F_WRLCK, F_UNLCK of asm-generic/fcntl.h. */
const LOCK_TYPES: readonly FileLock["type"][] = ["read", "write", "unlock"];

function fileLock(request: RequestView): FileLock {
  return {
    type: lockType(request),
    start: request.u64(LK.lk + LOCK.start),
    end: request.u64(LK.lk + LOCK.end),
    pid: request.u32(LK.lk + LOCK.pid),
  };
}

function lockType(request: RequestView): FileLock["type"] {
  const type = LOCK_TYPES[request.u32(LK.lk + LOCK.type)];
  if (type === undefined) throw new FsError("EINVAL", "Unknown type of lock");
  return type;
}

const getlk: Operation<FileLock | undefined> = {
  method: "getLock",
  size: LK.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getLock(request.node, request.u64(LK.fh), request.big(LK.owner), fileLock(request), context),
  reply(result, host) {
    if (result === undefined) return host.body.putLock(LOCK_TYPES.indexOf("unlock"), 0, 0, 0);
    return host.body.putLock(LOCK_TYPES.indexOf(result.type), result.start, lastByte(result.end), result.pid);
  },
};

/** OFFSET_MAX, 2^63 - 1, has no number of its own: what is beyond 2^53 means "to the end". */
function lastByte(end: number): number | bigint {
  return end > Number.MAX_SAFE_INTEGER ? 0x7fff_ffff_ffff_ffffn : end;
}

function setlkOperation(wait: boolean): Operation<void> {
  return {
    method: "setLock",
    size: LK.SIZE,
    call(filesystem, request, context) {
      const handle = request.u64(LK.fh);
      const owner = request.big(LK.owner);
      if (request.u32(LK.lk_flags) & KERNEL.FUSE_LK_FLOCK) {
        // The kernel sends these only when the filesystem has the method: it alone asks for FUSE_FLOCK_LOCKS.
        return filesystem.setWholeFileLock(request.node, handle, owner, lockType(request), wait, context);
      }
      return filesystem.setLock(request.node, handle, owner, fileLock(request), wait, context);
    },
    ...nothing,
  };
}

const BMAP = STRUCT.fuse_bmap_in;

const bmap: Operation<number> = {
  method: "mapBlock",
  size: BMAP.SIZE,
  call: (filesystem, request, context) =>
    filesystem.mapBlock(request.node, request.u32(BMAP.blocksize), request.u64(BMAP.block), context),
  reply: (result, host) => host.body.put64(result),
};

const IOCTL = STRUCT.fuse_ioctl_in;

const ioctl: Operation<IoctlReply> = {
  method: "ioctl",
  size: IOCTL.SIZE,
  call(filesystem, request, context) {
    const flags = request.u32(IOCTL.flags);
    const details = {
      command: request.u32(IOCTL.cmd),
      argument: request.big(IOCTL.arg),
      input: request.takeBytes(request.u32(IOCTL.in_size)),
      outputSize: request.u32(IOCTL.out_size),
      directory: (flags & KERNEL.FUSE_IOCTL_DIR) !== 0,
      compatible32: (flags & KERNEL.FUSE_IOCTL_COMPAT) !== 0,
    };
    return filesystem.ioctl(request.node, request.u64(IOCTL.fh), details, context);
  },
  reply(result, host, request) {
    const output = result.output ?? new Uint8Array();
    if (output.length > request.u32(IOCTL.out_size)) throw new Error("ioctl returned more than outputSize bytes");
    return host.body.putIoctl(result.result ?? 0, output);
  },
};

const poll: Operation<number> = {
  method: "poll",
  size: STRUCT.fuse_poll_in.SIZE,
  call(filesystem, request, context) {
    const { fh, kh, flags, events } = STRUCT.fuse_poll_in;
    const wakeup = request.u32(flags) & KERNEL.FUSE_POLL_SCHEDULE_NOTIFY ? request.u64(kh) : undefined;
    return filesystem.poll(request.node, request.u64(fh), request.u32(events), wakeup, context);
  },
  reply: (result, host) => host.body.put32(result),
};

const fallocate: Operation<void> = {
  method: "allocate",
  size: STRUCT.fuse_fallocate_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, length, mode } = STRUCT.fuse_fallocate_in;
    const handle = request.u64(fh);
    return filesystem.allocate(
      request.node,
      handle,
      request.u32(mode),
      request.u64(offset),
      request.u64(length),
      context,
    );
  },
  ...nothing,
};

const COPY = STRUCT.fuse_copy_file_range_in;

const copyFileRange: Operation<number> = {
  method: "copyFileRange",
  size: COPY.SIZE,
  call(filesystem, request, context) {
    const from = { node: request.node, handle: request.u64(COPY.fh_in), offset: request.u64(COPY.off_in) };
    const to = {
      node: request.u64(COPY.nodeid_out),
      handle: request.u64(COPY.fh_out),
      offset: request.u64(COPY.off_out),
    };
    // The reply is a `fuse_write_out`, whose size has 32 bits.
    const length = Math.min(request.u64(COPY.len), 0xffff_f000);
    return filesystem.copyFileRange(from, to, length, request.u32(COPY.flags), context);
  },
  reply: (result, host) => host.body.put32(result),
};

/** COPY_FILE_RANGE_64 differs only in its reply, `fuse_copy_file_range_out`. */
const copyFileRange64: Operation<number> = { ...copyFileRange, reply: (result, host) => host.body.put64(result) };

const lseek: Operation<number> = {
  method: "seek",
  size: STRUCT.fuse_lseek_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, whence } = STRUCT.fuse_lseek_in;
    return filesystem.seek(request.node, request.u64(fh), request.i64(offset), request.u32(whence), context);
  },
  reply: (result, host) => host.body.put64(result),
};

const statx: Operation<ExtendedStatus> = {
  method: "getExtendedStatus",
  size: STRUCT.fuse_statx_in.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getExtendedStatus(request.node, handleIfAny(request, STRUCT.fuse_statx_in), context),
  reply: (result, host, request) => host.body.putExtendedStatus(request.node, result.attributes, result.birthTime),
};

const syncfs: Operation<void> = {
  method: "synchronizeFileSystem",
  size: STRUCT.fuse_syncfs_in.SIZE,
  call: (filesystem, request, context) => filesystem.synchronizeFileSystem(request.node, context),
  ...nothing,
};

/** Rows by opcode. What is not here (INIT, FORGET, INTERRUPT, NOTIFY_REPLY, …) is the session's own business. */
// deno-lint-ignore no-explicit-any -- rows of different results share one table; each row agrees with itself.
export const OPERATIONS: ReadonlyMap<number, Operation<any>> = new Map<number, Operation<any>>([
  [OPCODE.LOOKUP, lookup],
  [OPCODE.GETATTR, getattr],
  [OPCODE.SETATTR, setattr],
  [OPCODE.READLINK, readlink],
  [OPCODE.SYMLINK, symlink],
  [OPCODE.MKNOD, mknod],
  [OPCODE.MKDIR, mkdir],
  [OPCODE.UNLINK, unlink],
  [OPCODE.RMDIR, rmdir],
  [OPCODE.RENAME, rename],
  [OPCODE.RENAME2, rename2],
  [OPCODE.LINK, link],
  [OPCODE.OPEN, open],
  [OPCODE.CREATE, create],
  [OPCODE.TMPFILE, tmpfile],
  [OPCODE.READ, read],
  [OPCODE.WRITE, write],
  [OPCODE.FLUSH, flush],
  [OPCODE.RELEASE, release],
  [OPCODE.FSYNC, fsync],
  [OPCODE.OPENDIR, opendir],
  [OPCODE.READDIR, readdir],
  [OPCODE.READDIRPLUS, readdirplus],
  [OPCODE.RELEASEDIR, releasedir],
  [OPCODE.FSYNCDIR, fsyncdir],
  [OPCODE.STATFS, statfs],
  [OPCODE.SETXATTR, setxattr],
  [OPCODE.GETXATTR, getxattr],
  [OPCODE.LISTXATTR, listxattr],
  [OPCODE.REMOVEXATTR, removexattr],
  [OPCODE.ACCESS, access],
  [OPCODE.GETLK, getlk],
  [OPCODE.SETLK, setlkOperation(false)],
  [OPCODE.SETLKW, setlkOperation(true)],
  [OPCODE.BMAP, bmap],
  [OPCODE.IOCTL, ioctl],
  [OPCODE.POLL, poll],
  [OPCODE.FALLOCATE, fallocate],
  [OPCODE.COPY_FILE_RANGE, copyFileRange],
  [OPCODE.COPY_FILE_RANGE_64, copyFileRange64],
  [OPCODE.LSEEK, lseek],
  [OPCODE.STATX, statx],
  [OPCODE.SYNCFS, syncfs],
]);
