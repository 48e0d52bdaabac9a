/** Where things are in the memory of `OpenNodes`: a header, a record for each loop, the buckets, the cells. */
import type { NodeId } from "../fs/filesystem.ts";

// Words of the header.
export const FREE_LOCK = 0;
export const FREE_HEAD = 1;
/** One past the last cell that was ever used; cell 0 is none. */
export const HIGH_WATER = 2;
/** Set for good when there was no room for a node. */
export const OVERFLOWN = 3;
/** How many nodes are open, for `size`. */
export const NODES = 4;
/** An id that the kernel gave lately: it hands them out one after the other (idr_alloc_cyclic in fs/fuse/backing.c). */
export const LAST_ID = 5;
const HEADER_WORDS = 8;

/** The kernel's first id, also after its last, which is 2^31 - 1. */
export const FIRST_ID = 1;

// Words of a loop's record. 0 and 1 are the node that a count was changed of, as in a cell.
/** The cell whose count was changed, negated until that is done; 0 for none. */
export const CHANGED = 2;
/** By how much, and what it is then. */
export const BY = 3;
export const AFTER = 4;
/** The number of the request that it was changed for. */
export const REQUEST_LOW = 5;
export const REQUEST_HIGH = 6;
/** While the kernel is asked for an id: the least that it can be. */
export const EXPECTED = 7;
const RECORD_WORDS = 8;

/** As many as can serve a mount. */
export const MOST_LOOPS = 16;

export const BUCKETS = 1 << 14;
/** A bucket is a lock and the first cell of its chain. */
export const BUCKET_WORDS = 2;

// Words of a cell.
export const NODE_LOW = 0;
export const NODE_HIGH = 1;
export const COUNT = 2;
export const BACKING_ID = 3;
export const NEXT = 4;
export const CELL_WORDS = 5;

/** Where the buckets begin. */
export const FIRST_BUCKET = HEADER_WORDS + MOST_LOOPS * RECORD_WORDS;
const FIRST_CELL = FIRST_BUCKET + BUCKETS * BUCKET_WORDS;

/** The first word of a loop's record. */
export function recordAt(loop: number): number {
  return HEADER_WORDS + loop * RECORD_WORDS;
}

/** The first word of a cell. */
export function at(cell: number): number {
  return FIRST_CELL + cell * CELL_WORDS;
}

/** The lock word of a node's bucket; its chain's head is the next word. */
export function bucketOf(node: NodeId): number {
  return bucketOfWords(lowOf(node), highOf(node));
}

/** The same, by the node's words. */
export function bucketOfWords(low: number, high: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return FIRST_BUCKET + ((mixed >>> 8) & (BUCKETS - 1)) * BUCKET_WORDS;
}

/** The node that two words are. */
export function nodeAt(words: Int32Array, start: number): NodeId {
  return (words[start + NODE_LOW]! >>> 0) + (words[start + NODE_HIGH]! >>> 0) * 0x1_0000_0000;
}

/** The two halves of a node id, or of a request's number, as words hold them. */
export function lowOf(node: number): number {
  return node | 0;
}

export function highOf(node: number): number {
  return Math.floor(node / 0x1_0000_0000) | 0;
}
