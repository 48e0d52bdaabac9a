/**
 * The body of a reply, built in place: the kernel's structs (`fuse_entry_out`, `fuse_attr_out`, …), which follow
 * `fuse_out_header`. They are the same on every architecture; `struct stat` and libfuse's `fuse_file_info` are not, and
 * are never written here.
 */
import * as KERNEL from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { type Attributes, type Entry, EPOCH, type FileSystemStatistics, type Time } from "../fs/attributes.ts";
import type { DirectoryEntry, NodeId, Opened } from "../fs/filesystem.ts";
import { encodeNameInto } from "../fs/names.ts";

const ATTR = STRUCT.fuse_attr;
const ENTRY = STRUCT.fuse_entry_out;
const ATTR_OUT = STRUCT.fuse_attr_out;
const OPEN = STRUCT.fuse_open_out;
const DIRENT = STRUCT.fuse_dirent;
const STATX = STRUCT.fuse_statx;
const TWO_32 = 0x1_0000_0000;

/** What a mount says where a filesystem leaves it open. */
export interface ReplyDefaults {
  /** Seconds. */
  readonly entryTimeout: number;
  readonly attributesTimeout: number;
  /** Seconds that "no such name" may be cached; 0 for not at all. */
  readonly negativeTimeout: number;
  /** The owner of files that have none. */
  readonly uid: number;
  readonly gid: number;
}

/** The words of the same memory. */
export function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

/** Writes reply bodies into a buffer. Methods that `put` return the body's length in bytes. */
export class ReplyBody {
  /** The room for a body, without the header. */
  bytes: Uint8Array<ArrayBuffer>;
  #words: Uint32Array;
  readonly #defaults: ReplyDefaults;

  constructor(bytes: Uint8Array<ArrayBuffer>, defaults: ReplyDefaults) {
    this.bytes = bytes;
    this.#words = wordsOf(bytes);
    this.#defaults = defaults;
  }

  /** Builds further bodies in another buffer; `words` are its words. */
  moveTo(bytes: Uint8Array<ArrayBuffer>, words: Uint32Array): void {
    this.bytes = bytes;
    this.#words = words;
  }

  /** Bytes as they are; free of cost when they already lie here, as those from `context.allocate` do. */
  putBytes(data: Uint8Array): number {
    if (data.buffer !== this.bytes.buffer || data.byteOffset !== this.bytes.byteOffset) this.bytes.set(data);
    return data.length;
  }

  putEntry(entry: Entry): number {
    return this.#entry(0, entry);
  }

  /** `fuse_entry_out` with node 0: the kernel may remember that the name is not there. */
  putNegativeEntry(): number {
    this.bytes.fill(0, 0, ENTRY.SIZE);
    this.#duration(ENTRY.entry_valid, ENTRY.entry_valid_nsec, this.#defaults.negativeTimeout);
    return ENTRY.SIZE;
  }

  putAttributes(node: NodeId, attributes: Attributes): number {
    this.#words[3] = 0;
    const timeout = attributes.timeout ?? this.#defaults.attributesTimeout;
    this.#duration(ATTR_OUT.attr_valid, ATTR_OUT.attr_valid_nsec, timeout);
    this.#attributes(ATTR_OUT.attr, node, attributes);
    return ATTR_OUT.SIZE;
  }

  /** `fuse_open_out`, at the start or, after a create, behind the entry. `backing` is as `OpenFiles` says. */
  putOpened(opened: Opened, backing: number, at = 0): number {
    this.#u64(at + OPEN.fh, opened.handle ?? 0);
    this.#words[(at + OPEN.open_flags) >> 2] = backing === 0 ? openFlags(opened) : backedFlags(opened, backing < 0);
    this.#words[(at + OPEN.backing_id) >> 2] = Math.abs(backing);
    return at + OPEN.SIZE;
  }

  /** One number of 64 bits (`fuse_lseek_out`, `fuse_bmap_out`). */
  put64(value: number): number {
    this.#u64(0, value);
    return 8;
  }

  /** One number of 32 bits and padding (`fuse_write_out`, `fuse_getxattr_out`, `fuse_poll_out`). */
  put32(value: number): number {
    this.#words[0] = value;
    this.#words[1] = 0;
    return 8;
  }

  putLock(type: number, start: number, end: number | bigint, pid: number): number {
    const lock = STRUCT.fuse_file_lock;
    this.#u64(lock.start, start);
    const last = BigInt(end);
    this.#words[lock.end >> 2] = Number(last & 0xffffffffn);
    this.#words[(lock.end >> 2) + 1] = Number(last >> 32n);
    this.#words[lock.type >> 2] = type;
    this.#words[lock.pid >> 2] = pid;
    return lock.SIZE;
  }

  putStatistics(statistics: FileSystemStatistics): number {
    const out = STRUCT.fuse_kstatfs;
    this.bytes.fill(0, 0, out.SIZE);
    this.#u64(out.blocks, statistics.blocks);
    this.#u64(out.bfree, statistics.blocksFree);
    this.#u64(out.bavail, statistics.blocksAvailable);
    this.#u64(out.files, statistics.files);
    this.#u64(out.ffree, statistics.filesFree);
    this.#words[out.bsize >> 2] = statistics.blockSize;
    this.#words[out.namelen >> 2] = statistics.nameLength ?? 255;
    this.#words[out.frsize >> 2] = statistics.fragmentSize ?? statistics.blockSize;
    return out.SIZE;
  }

  /** `fuse_ioctl_out` and the bytes for the program. */
  putIoctl(result: number, output: Uint8Array): number {
    const out = STRUCT.fuse_ioctl_out;
    // First of all, as `output` may lie here: over io_uring the input does.
    this.bytes.set(output, out.SIZE);
    this.bytes.fill(0, 0, out.SIZE);
    this.#words[out.result >> 2] = result >>> 0;
    return out.SIZE + output.length;
  }

  /** `fuse_statx_out`: what `stat` has, and the birth time when there is one. */
  putExtendedStatus(node: NodeId, attributes: Attributes, birthTime: Time | undefined): number {
    const out = STRUCT.fuse_statx_out;
    this.bytes.fill(0, 0, out.SIZE);
    this.#duration(out.attr_valid, out.attr_valid_nsec, attributes.timeout ?? this.#defaults.attributesTimeout);
    const at = out.stat;
    const words = this.#words;
    const size = attributes.size ?? 0;
    words[(at + STATX.mask) >> 2] = birthTime === undefined ? STATX_BASIC_STATS : STATX_BASIC_STATS | STATX_BTIME;
    words[(at + STATX.blksize) >> 2] = attributes.blockSize ?? 4096;
    words[(at + STATX.nlink) >> 2] = attributes.links ?? 1;
    words[(at + STATX.uid) >> 2] = attributes.uid ?? this.#defaults.uid;
    words[(at + STATX.gid) >> 2] = attributes.gid ?? this.#defaults.gid;
    words[(at + STATX.mode) >> 2] = attributes.mode & 0xffff;
    this.#u64(at + STATX.ino, attributes.inode ?? node);
    this.#u64(at + STATX.size, size);
    this.#u64(at + STATX.blocks, attributes.blocks ?? Math.ceil(size / 512));
    this.#statxTime(at + STATX.atime, attributes.atime ?? EPOCH);
    this.#statxTime(at + STATX.mtime, attributes.mtime ?? EPOCH);
    this.#statxTime(at + STATX.ctime, attributes.ctime ?? EPOCH);
    this.#statxTime(at + STATX.btime, birthTime ?? EPOCH);
    const device = attributes.device ?? 0;
    // new_encode_dev of linux/kdev_t.h, taken apart: 12 bits of major, 20 of minor in two pieces.
    words[(at + STATX.rdev_major) >> 2] = (device >>> 8) & 0xfff;
    words[(at + STATX.rdev_minor) >> 2] = (device & 0xff) | ((device >>> 12) & 0xfff00);
    return out.SIZE;
  }

  /**
   * Adds a `fuse_dirent` (with `plus`, a `fuse_direntplus`) at `at` and returns where the next one goes; -1 when it
   * does not end before `limit`.
   */
  addDirectoryEntry(at: number, limit: number, entry: DirectoryEntry, plus: boolean): number {
    const direntAt = plus ? at + ENTRY.SIZE : at;
    const nameAt = direntAt + DIRENT.name;
    if (nameAt > limit) return -1;
    // The name is written first: only then is its length in bytes known.
    const length = encodeNameInto(
      entry.name,
      limit < this.bytes.length ? this.bytes.subarray(0, limit) : this.bytes,
      nameAt,
    );
    const next = nameAt + ((length + 7) & ~7);
    if (length < 0 || next > limit) return -1;
    this.bytes.fill(0, nameAt + length, next);
    this.#u64(direntAt + DIRENT.ino, entry.inode);
    this.#u64(direntAt + DIRENT.off, entry.offset);
    this.#words[(direntAt + DIRENT.namelen) >> 2] = length;
    this.#words[(direntAt + DIRENT.type) >> 2] = (entry.mode >>> 12) & 0xf;
    if (plus) {
      // Node 0 means: this is no lookup (and counts none).
      if (entry.entry === undefined) this.bytes.fill(0, at, at + ENTRY.SIZE);
      else this.#entry(at, entry.entry);
    }
    return next;
  }

  #entry(at: number, entry: Entry): number {
    this.#u64(at + ENTRY.nodeid, entry.node);
    this.#u64(at + ENTRY.generation, entry.generation ?? 0);
    this.#duration(
      at + ENTRY.entry_valid,
      at + ENTRY.entry_valid_nsec,
      entry.entryTimeout ?? this.#defaults.entryTimeout,
    );
    const attributesTimeout = entry.attributes.timeout ?? entry.attributesTimeout ?? this.#defaults.attributesTimeout;
    this.#duration(at + ENTRY.attr_valid, at + ENTRY.attr_valid_nsec, attributesTimeout);
    this.#attributes(at + ENTRY.attr, entry.node, entry.attributes);
    return ENTRY.SIZE;
  }

  #attributes(at: number, node: NodeId, attributes: Attributes): void {
    const words = this.#words;
    const size = attributes.size ?? 0;
    this.#u64(at + ATTR.ino, attributes.inode ?? node);
    this.#u64(at + ATTR.size, size);
    this.#u64(at + ATTR.blocks, attributes.blocks ?? Math.ceil(size / 512));
    this.#time(at + ATTR.atime, at + ATTR.atimensec, attributes.atime ?? EPOCH);
    this.#time(at + ATTR.mtime, at + ATTR.mtimensec, attributes.mtime ?? EPOCH);
    this.#time(at + ATTR.ctime, at + ATTR.ctimensec, attributes.ctime ?? EPOCH);
    words[(at + ATTR.mode) >> 2] = attributes.mode;
    words[(at + ATTR.nlink) >> 2] = attributes.links ?? 1;
    words[(at + ATTR.uid) >> 2] = attributes.uid ?? this.#defaults.uid;
    words[(at + ATTR.gid) >> 2] = attributes.gid ?? this.#defaults.gid;
    words[(at + ATTR.rdev) >> 2] = attributes.device ?? 0;
    words[(at + ATTR.blksize) >> 2] = attributes.blockSize ?? 4096;
    words[(at + ATTR.flags) >> 2] = 0;
  }

  /** A 64-bit number, two's complement; exact within ±2^53. */
  #u64(at: number, value: number): void {
    this.#words[at >> 2] = value;
    this.#words[(at >> 2) + 1] = Math.floor(value / TWO_32);
  }

  #duration(secondsAt: number, nanosecondsAt: number, seconds: number): void {
    const whole = Math.floor(seconds);
    this.#u64(secondsAt, whole);
    this.#words[nanosecondsAt >> 2] = whole === seconds ? 0 : (seconds - whole) * 1e9;
  }

  #time(secondsAt: number, nanosecondsAt: number, time: Time): void {
    this.#u64(secondsAt, time.seconds);
    this.#words[nanosecondsAt >> 2] = time.nanoseconds;
  }

  #statxTime(at: number, time: Time): void {
    this.#time(at + STRUCT.fuse_sx_time.tv_sec, at + STRUCT.fuse_sx_time.tv_nsec, time);
  }
}

// linux/stat.h
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

function openFlags(opened: Opened): number {
  return (opened.directIo ? KERNEL.FOPEN_DIRECT_IO : 0) |
    (opened.keepCache ? KERNEL.FOPEN_KEEP_CACHE : 0) |
    (opened.nonSeekable ? KERNEL.FOPEN_NONSEEKABLE : 0) |
    (opened.cacheDirectory ? KERNEL.FOPEN_CACHE_DIR : 0) |
    (opened.stream ? KERNEL.FOPEN_STREAM : 0) |
    (opened.noFlush ? KERNEL.FOPEN_NOFLUSH : 0) |
    (opened.parallelDirectWrites ? KERNEL.FOPEN_PARALLEL_DIRECT_WRITES : 0);
}

/**
 * The flags of an open whose node has a backing file; the kernel takes no others with it (FOPEN_PASSTHROUGH_MASK in
 * fs/fuse/iomode.c). FOPEN_DIRECT_IO beside it: reads and writes are requests, only mappings are the file's.
 */
function backedFlags(opened: Opened, mapsOnly: boolean): number {
  const direct = mapsOnly || opened.backingMapsOnly === true || opened.backing === undefined;
  return KERNEL.FOPEN_PASSTHROUGH |
    (direct ? KERNEL.FOPEN_DIRECT_IO : 0) |
    (direct && opened.parallelDirectWrites ? KERNEL.FOPEN_PARALLEL_DIRECT_WRITES : 0) |
    (opened.noFlush ? KERNEL.FOPEN_NOFLUSH : 0);
}
