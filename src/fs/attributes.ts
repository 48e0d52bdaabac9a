/** What is known of a file: its attributes, its place in the kernel's caches, the filesystem's own figures. */
import type { NodeId } from "./filesystem.ts";

/** A moment, in seconds and nanoseconds since 1970-01-01 UTC. Seconds may be negative, nanoseconds are 0 to 999,999,999. */
export interface Time {
  /** Whole seconds since 1970. */
  readonly seconds: number;
  /** What is beyond them. */
  readonly nanoseconds: number;
}

/** What `stat` shows. Only `mode` must be given. */
export interface Attributes {
  /** Type (`S_IFREG`, `S_IFDIR`, …) and permission bits. */
  mode: number;
  /** `st_ino`. Default: the node id. */
  inode?: number;
  /** Bytes. Default 0. */
  size?: number;
  /** Units of 512 bytes. Default: what `size` needs. */
  blocks?: number;
  /** The preferred size of reads and writes. Default 4096. */
  blockSize?: number;
  /** `st_nlink`. Default 1. */
  links?: number;
  /** Default: the user that serves the mount. */
  uid?: number;
  /** Default: the group that serves the mount. */
  gid?: number;
  /** `st_rdev` of a device node, in the kernel's 32-bit encoding ({@linkcode FileSystem.makeNode} gets the same). */
  device?: number;
  /** Last access. Default: the epoch. */
  atime?: Time;
  /** Last change of content. Default: the epoch. */
  mtime?: Time;
  /** Last change of anything, these attributes included. Default: the epoch. */
  ctime?: Time;
  /** Seconds that these attributes may be cached. Default: what the entry says that they came with, or `attr_timeout`. */
  timeout?: number | undefined;
}

/** A name's answer: which node it is, what that is like, and how long the kernel may believe it. */
export interface Entry {
  /** The number by which the kernel will ask for it. */
  node: NodeId;
  /** With `node` it names a file for all time (NFS file handles); change it when an id is used again. Default 0. */
  generation?: number;
  /** What `stat` shows of it. */
  attributes: Attributes;
  /** Seconds that the name may be cached. Default: the mount's `entry_timeout`. */
  entryTimeout?: number;
  /** Seconds that the attributes may be cached. Default: the mount's `attr_timeout`. */
  attributesTimeout?: number;
}

/** What `statx` knows beyond `stat`. */
export interface ExtendedStatus {
  /** What `stat` shows of it. */
  attributes: Attributes;
  /** When the file was made. */
  birthTime?: Time;
}

/** What `statvfs` shows. */
export interface FileSystemStatistics {
  /** Bytes per block; the counts below are in it. */
  blockSize: number;
  /** All there are. */
  blocks: number;
  /** Those that hold nothing. */
  blocksFree: number;
  /** Free for those without privileges. */
  blocksAvailable: number;
  /** How many files there may be. */
  files: number;
  /** How many more. */
  filesFree: number;
  /** The longest name, in bytes. Default 255. */
  nameLength?: number;
  /** Default: `blockSize`. */
  fragmentSize?: number;
}

/** 1970-01-01. */
export const EPOCH: Time = { seconds: 0, nanoseconds: 0 };

let anchor = performance.timeOrigin;

/**
 * The time of day to about a quarter of a microsecond. `performance.now()` has the digits but not the steps of the
 * system's clock (NTP, a laptop that slept), so it is anchored anew when the two differ by more than a millisecond.
 */
export function now(): Time {
  const wall = Date.now();
  const elapsed = performance.now();
  let milliseconds = anchor + elapsed;
  if (milliseconds < wall || milliseconds > wall + 1) {
    anchor = wall - elapsed;
    milliseconds = wall;
  }
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.min(999_999_999, Math.round((milliseconds - seconds * 1000) * 1e6)) };
}

/** A `Date` as a {@linkcode Time}. */
export function timeOf(date: Date): Time {
  const seconds = Math.floor(date.getTime() / 1000);
  return { seconds, nanoseconds: (date.getTime() - seconds * 1000) * 1e6 };
}
