/** The words that go to and come from posix_client.c, and what they mean. */

import { decodeName, encodeName } from "../../src/fs/names.ts";

/** An argument: text (bytes that are not UTF-8 as in src/fs/names.ts), bytes, a number or a constant's name. */
export type Word = string | number | bigint | Uint8Array;
/** A point in time: nanoseconds since 1970. */
export type Nanoseconds = bigint;
/** What utimensat takes for one time. */
export type TimeToSet = Nanoseconds | "UTIME_NOW" | "UTIME_OMIT";

/** What stat(2) tells. Sizes in bytes, `blocks` in units of 512 bytes. */
export interface Status {
  device: bigint;
  inode: bigint;
  /** Type and permissions, as in st_mode. */
  mode: number;
  linkCount: number;
  uid: number;
  gid: number;
  /** What a device node stands for. */
  major: number;
  minor: number;
  size: number;
  blockSize: number;
  blocks: number;
  atime: Nanoseconds;
  mtime: Nanoseconds;
  ctime: Nanoseconds;
}

/** One entry as getdents64(2) tells it. `position` is what lseek takes to go on behind it. `type` is a DT_ number. */
export interface DirectoryEntry {
  inode: bigint;
  position: bigint;
  type: number;
  name: string;
}

export function encodeWord(word: Word): string {
  if (typeof word === "number" || typeof word === "bigint") return word.toString();
  if (typeof word === "string" && /^[\w./|-]+$/.test(word)) return word;
  const bytes = typeof word === "string" ? encodeName(word) : word;
  if (bytes.length === 0) return "%";
  let encoded = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    encoded += /[\w./|-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return encoded;
}

export function decodeWord(word: string): Uint8Array {
  if (word === "%") return new Uint8Array();
  const bytes = new Uint8Array(word.length);
  let length = 0;
  for (let at = 0; at < word.length; at++) {
    const escaped = word[at] === "%";
    bytes[length++] = escaped ? parseInt(word.slice(at + 1, at + 3), 16) : word.charCodeAt(at);
    if (escaped) at += 2;
  }
  return bytes.subarray(0, length);
}

export function toNanoseconds(seconds: string, nanoseconds: string): Nanoseconds {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/** Seconds and nanoseconds as a timespec has them: the nanoseconds are never negative. */
export function timeWords(time: TimeToSet): [bigint, bigint | string] {
  if (typeof time === "string") return [0n, time];
  const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [(time - nanoseconds) / 1_000_000_000n, nanoseconds];
}

export function parseStatus(words: string[]): Status {
  const [mode, linkCount, uid, gid, major, minor, size, blockSize, blocks] = words.slice(2, 11).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [atime, mtime, ctime] = [11, 13, 15].map((at) => toNanoseconds(words[at]!, words[at + 1]!)) as [
    bigint,
    bigint,
    bigint,
  ];
  const [device, inode] = [BigInt(words[0]!), BigInt(words[1]!)];
  return { device, inode, mode, linkCount, uid, gid, major, minor, size, blockSize, blocks, atime, mtime, ctime };
}

export function parseEntries(words: string[]): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < words.length; at += 4) {
    entries.push({
      inode: BigInt(words[at]!),
      position: BigInt(words[at + 1]!),
      type: Number(words[at + 2]),
      name: words[at + 3]!.includes("%") ? decodeName(decodeWord(words[at + 3]!)) : words[at + 3]!,
    });
  }
  return entries;
}

export function splitNames(list: Uint8Array): string[] {
  return decodeName(list).split("\0").slice(0, -1);
}
