/** Operations on attributes, of files and of the whole filesystem. */
import type { Attributes, ExtendedStatus, FileSystemStatistics, Time } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { AttributeChanges, FileSystem, Handle, IoctlReply, IoctlRequest } from "../../fs/filesystem.ts";
import type { NodeId, RequestContext } from "../../fs/filesystem.ts";
import { O_DIRECTORY, O_RDONLY, O_TRUNC, O_WRONLY, S_IFDIR, S_IFREG } from "../../fs/flags.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";
import { AT_EACCESS, AT_EMPTY_PATH, EINVAL, EMPTY, ProcPath } from "./system_calls.ts";

const KEEP_ID = 0xffff_ffff;
// bits/stat.h
const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;

// Indices of 64-bit words of struct statfs (bits/statfs.h of 64-bit machines).
const STATFS_WORDS = 15;
const STATFS = { blockSize: 1, blocks: 2, free: 3, available: 4, files: 5, filesFree: 6, nameLength: 8, fragment: 9 };

/**
 * The ioctls whose argument is plain data that fits what the command says (linux/fs.h): FS_IOC_GETFLAGS and SETFLAGS
 * (lsattr, chattr), GETVERSION, FSGETXATTR and FSSETXATTR. Any other might have the server do things.
 */
const IOCTLS = new Set([0x8008_6601, 0x4008_6602, 0x8008_7601, 0x801c_581f, 0x401c_5820]);

export function attributeOperations(loop: PassthroughLoop) {
  const { calls, descriptors, identity, status, table } = loop;
  const { files } = calls;
  const times = new BigInt64Array(4);
  const timesBytes = new Uint8Array(times.buffer);
  const statistics = new BigUint64Array(STATFS_WORDS);
  const statisticsBytes = new Uint8Array(statistics.buffer);
  const path = new ProcPath();
  const ioctlArgument = new Uint8Array(64);

  function putTime(at: number, time: Time | "now" | undefined): void {
    times[at] = typeof time === "object" ? BigInt(time.seconds) : 0n;
    times[at + 1] = time === undefined ? UTIME_OMIT : time === "now" ? UTIME_NOW : BigInt(time.nanoseconds);
  }

  /**
   * Without a handle it is truncate(2), or O_TRUNC; the latter moves the times of a file that is empty already, where
   * the source's truncate may not.
   */
  function changeSize(node: NodeId, descriptor: number, size: number, handle: Handle | undefined): void {
    if (handle !== undefined && files.ftruncate(handle, BigInt(size)) === 0) return;
    // A file opened with O_RDONLY | O_TRUNC is truncated by one who may write to it.
    if (handle !== undefined && calls.errno !== EINVAL) throw calls.failure("change an open file's size");
    if (loop.typeOf(node) !== S_IFREG) throw new FsError("EINVAL", "Cannot change the size of what is no file");
    if (size === 0) calls.close(loop.reopen(descriptor, O_WRONLY | O_TRUNC));
    else calls.check(files.truncate(path.of(descriptor), BigInt(size)), "change a file's size");
  }

  /** By way of /proc, since fchmod refuses `O_PATH` descriptors. */
  function changeMode(descriptor: number, mode: number): void {
    const number = loop.number.putNumber(descriptor);
    calls.check(files.fchmodat(loop.source.proc, number, mode, 0), "change a file's mode");
  }

  function changeOwner(descriptor: number, uid = KEEP_ID, gid = KEEP_ID): void {
    calls.check(files.fchownat(descriptor, EMPTY, uid, gid, AT_EMPTY_PATH), "change a file's owner");
  }

  /** Times that the writeback cache kept (`ctime` says so) are the kernel's to set, not the caller's. */
  function changeTimes(descriptor: number, changes: AttributeChanges): void {
    if (changes.ctime === undefined) putTimes(descriptor, changes);
    else identity.asServer(() => putTimes(descriptor, changes));
  }

  function putTimes(descriptor: number, { atime, mtime }: AttributeChanges): void {
    putTime(0, atime);
    putTime(2, mtime);
    calls.check(files.utimensat(descriptor, EMPTY, timesBytes, AT_EMPTY_PATH), "change a file's times");
  }

  function look(node: NodeId, handle: Handle | undefined): void {
    loop.look(handle ?? descriptors.use(node));
  }

  return {
    getAttributes(node: NodeId, handle: Handle | undefined): Attributes {
      look(node, handle);
      return loop.attributesOf(table.cellOf(node));
    },

    setAttributes(
      node: NodeId,
      changes: AttributeChanges,
      handle: Handle | undefined,
      context: RequestContext,
    ): Attributes {
      const descriptor = descriptors.use(node);
      identity.assume(context);
      if (changes.size !== undefined) changeSize(node, descriptor, changes.size, handle);
      if (changes.uid !== undefined || changes.gid !== undefined) changeOwner(descriptor, changes.uid, changes.gid);
      if (changesNothing(changes)) identity.asServer(() => changeOwner(descriptor));
      if (changes.mode !== undefined) changeMode(descriptor, changes.mode);
      if (changes.atime !== undefined || changes.mtime !== undefined) changeTimes(descriptor, changes);
      loop.look(descriptor);
      return loop.attributesOf(table.cellOf(node));
    },

    getExtendedStatus(node: NodeId, handle: Handle | undefined): ExtendedStatus {
      look(node, handle);
      const birthTime = status.readBirthTime();
      return { attributes: loop.attributesOf(table.cellOf(node)), ...(birthTime && { birthTime }) };
    },

    access(node: NodeId, mask: number, context: RequestContext): void {
      const descriptor = descriptors.use(node);
      identity.assume(context);
      calls.check(files.faccessat(descriptor, EMPTY, mask, AT_EACCESS | AT_EMPTY_PATH), "use a file so");
    },

    getStatistics(node: NodeId): FileSystemStatistics {
      calls.check(files.fstatfs(descriptors.use(node), statisticsBytes), "read the filesystem's figures");
      const word = (index: number) => Number(statistics[index]);
      return {
        blockSize: word(STATFS.blockSize),
        blocks: word(STATFS.blocks),
        blocksFree: word(STATFS.free),
        blocksAvailable: word(STATFS.available),
        files: word(STATFS.files),
        filesFree: word(STATFS.filesFree),
        nameLength: word(STATFS.nameLength),
        fragmentSize: word(STATFS.fragment),
      };
    },

    /** syncfs needs a descriptor that is more than a path; the directory the kernel names is opened for it. */
    synchronizeFileSystem(node: NodeId): void {
      if (loop.typeOf(node) !== S_IFDIR) throw new FsError("EINVAL", "Cannot synchronize what is no directory");
      const descriptor = descriptors.use(node);
      const opened = identity.asServer(() => loop.reopen(descriptor, O_RDONLY | O_DIRECTORY));
      const result = files.syncfs(opened);
      const failure = result < 0 ? calls.failure("bring the filesystem to the disk") : undefined;
      calls.close(opened);
      if (failure !== undefined) throw failure;
    },

    ioctl(_node: NodeId, handle: Handle, request: IoctlRequest, context: RequestContext): IoctlReply {
      if (!IOCTLS.has(request.command >>> 0)) throw new FsError("ENOTTY", "Cannot pass this ioctl to the source");
      identity.assume(context);
      ioctlArgument.fill(0);
      ioctlArgument.set(request.input.subarray(0, ioctlArgument.length));
      const result = calls.check(files.ioctl(handle, request.command, ioctlArgument), "make an ioctl on the source");
      return { result, output: ioctlArgument.subarray(0, request.outputSize) };
    },
  } satisfies FileSystem;
}

/**
 * The kernel asks to take setuid and setgid away with a change of nothing (with the writeback cache, of the ctime alone):
 * for a stranger's write, who may not change the mode, and for `chown(-1, -1)`, which does just that.
 */
function changesNothing({ mode, uid, gid, size, atime, mtime }: AttributeChanges): boolean {
  return [mode, uid, gid, size, atime, mtime].every((change) => change === undefined);
}
