/** `struct statx` (linux/stat.h, the same on every architecture) as the contract's attributes and as a file's key. */
import type { Attributes, Time } from "../../fs/attributes.ts";
import { S_IFMT } from "../../fs/flags.ts";

/** What is asked for: all of stat, the birth time, the mount's id. */
export const STATX_MASK = 0x7ff | 0x800 | 0x1000;

const STATX_BTIME = 0x800;
const SIZE = 256;

// Indices of 32-bit words.
const MASK = 0;
const BLOCK_SIZE = 1;
const LINKS = 4;
const UID = 5;
const GID = 6;
const MODE = 7;
const INODE = 8;
const FILE_SIZE = 10;
const BLOCKS = 12;
const ATIME = 16;
const BTIME = 20;
const CTIME = 24;
const MTIME = 28;
const RDEV_MAJOR = 32;
const RDEV_MINOR = 33;
const DEV_MAJOR = 34;
const DEV_MINOR = 35;
const MOUNT = 36;

/** A multiplier that spreads the bits of what is hashed (2^32 divided by the golden ratio). */
const SPREAD = 0x9e3779b1;

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

/**
 * Which file it is. Device and inode say so while the inode lives; the mount is part of it because one filesystem may
 * be mounted in two places with different flags; the birth time tells an inode from the next one with its number.
 */
export interface FileKey {
  inodeLow: number;
  inodeHigh: number;
  /** Major and minor in the kernel's own 12 and 20 bits. */
  device: number;
  mount: number;
  /** A hash of the birth time; 0 when the filesystem does not tell. */
  birth: number;
  /** `S_IFMT` of the mode: an inode never changes its type. */
  type: number;
}

/** One buffer for `statx`, read in place. */
export class FileStatus {
  readonly buffer: Uint8Array<ArrayBuffer> = new Uint8Array(SIZE);
  readonly key: FileKey = { inodeLow: 0, inodeHigh: 0, device: 0, mount: 0, birth: 0, type: 0 };
  readonly #words = new Uint32Array(this.buffer.buffer);
  readonly #times = { atime: makeTime(), mtime: makeTime(), ctime: makeTime() };
  readonly #attributes: Attributes & { inode: number } = {
    ...{ mode: 0, inode: 0, size: 0, blocks: 0, blockSize: 0, links: 0, uid: 0, gid: 0, device: 0 },
    ...this.#times,
    timeout: undefined,
  };
  readonly #homeDevice: number;

  /** `homeDevice` is the source's own: files on others are shown with inode numbers that cannot meet its own. */
  constructor(homeDevice = 0) {
    this.#homeDevice = homeDevice;
  }

  get type(): number {
    return this.#words[MODE]! & S_IFMT;
  }

  get mode(): number {
    return this.#words[MODE]! & 0xffff;
  }

  get size(): number {
    return this.#words[FILE_SIZE]! + this.#words[FILE_SIZE + 1]! * 0x1_0000_0000;
  }

  get links(): number {
    return this.#words[LINKS]!;
  }

  /** `st_ctime`, in seconds. */
  get changedSeconds(): number {
    return this.#words[CTIME]! + (this.#words[CTIME + 1]! | 0) * 0x1_0000_0000;
  }

  /** The rest of `st_ctime`. */
  get changedNanoseconds(): number {
    return this.#words[CTIME + 2]!;
  }

  /** As in the key. */
  get device(): number {
    return (this.#words[DEV_MAJOR]! << 20 | this.#words[DEV_MINOR]!) | 0;
  }

  /** Fills in and returns the key; the same object each time. */
  readKey(): FileKey {
    const words = this.#words;
    const { key } = this;
    key.inodeLow = words[INODE]! | 0;
    key.inodeHigh = words[INODE + 1]! | 0;
    key.device = this.device;
    key.mount = words[MOUNT]! | 0;
    key.birth = words[MASK]! & STATX_BTIME ? this.#birthHash() : 0;
    key.type = this.type;
    return key;
  }

  #birthHash(): number {
    return (Math.imul(this.#words[BTIME]!, SPREAD) ^ this.#words[BTIME + 2]!) | 1;
  }

  /** Fills in and returns the attributes; the same object each time. */
  readAttributes(): Attributes {
    const words = this.#words;
    const attributes = this.#attributes;
    attributes.mode = words[MODE]! & 0xffff;
    attributes.inode = this.shownInode(words[INODE]!, words[INODE + 1]!, this.device);
    attributes.size = this.size;
    attributes.blocks = words[BLOCKS]! + words[BLOCKS + 1]! * 0x1_0000_0000;
    attributes.blockSize = words[BLOCK_SIZE]!;
    attributes.links = words[LINKS]!;
    attributes.uid = words[UID]!;
    attributes.gid = words[GID]!;
    attributes.device = encodeDevice(words[RDEV_MAJOR]!, words[RDEV_MINOR]!);
    this.#readTime(ATIME, this.#times.atime);
    this.#readTime(MTIME, this.#times.mtime);
    this.#readTime(CTIME, this.#times.ctime);
    return attributes;
  }

  /** When the file was made, where the filesystem tells. */
  readBirthTime(): Time | undefined {
    if ((this.#words[MASK]! & STATX_BTIME) === 0) return undefined;
    const time = makeTime();
    this.#readTime(BTIME, time);
    return time;
  }

  /**
   * The inode number to show. One mount has one `st_dev`, so a file on another filesystem below the source gets its
   * device mixed into bits 40 to 52; else `tar` and `rsync -H` would take it for a hard link of a file here.
   */
  shownInode(low: number, high: number, device: number): number {
    const folded = (high ^ (high >>> 21)) & 0x1f_ffff;
    if (device === this.#homeDevice) return (low >>> 0) + folded * 0x1_0000_0000;
    const mixed = (Math.imul(device, SPREAD) >>> 19) | 1;
    return (low >>> 0) + ((folded & 0xff) + mixed * 0x100) * 0x1_0000_0000;
  }

  #readTime(at: number, time: Mutable<Time>): void {
    const words = this.#words;
    time.seconds = words[at]! + (words[at + 1]! | 0) * 0x1_0000_0000;
    time.nanoseconds = words[at + 2]!;
  }
}

function makeTime(): Mutable<Time> {
  return { seconds: 0, nanoseconds: 0 };
}

/** linux/kdev_t.h: new_encode_dev. */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
