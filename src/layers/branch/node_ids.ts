/**
 * Ids that carry the route. A node is `branch * 2^40 + inner node`: 12 bits of branch and 40 of the branch's own id, in
 * the 53 bits of a number, so that no table leads from one to the other. Inode numbers are made alike.
 */
import { FsError } from "../../fs/errors.ts";
import type { NodeId } from "../../fs/filesystem.ts";

/** How many nodes a branch can have. */
export const SPAN = 2 ** 40;

/** The number in a branch's place for directories on the way to branch points, which belong to none. */
export const WAYPOINTS = 4095;

/** Branches have ids below this. */
export const MOST_BRANCHES = WAYPOINTS;

/** The tree's id for a branch's node. @throws {FsError} EOVERFLOW for one that does not fit. */
export function outerNode(branch: number, inner: NodeId): NodeId {
  if (inner >= 1 && inner < SPAN) return branch * SPAN + inner;
  throw new FsError("EOVERFLOW", `Cannot show node ${inner} of branch ${branch}: node ids of a branch end below 2^40`);
}

/** The branch of a node. */
export function branchOf(node: NodeId): number {
  return Math.floor(node / SPAN);
}

/** Inode numbers below this are shown exactly; 1 is the branch's root. */
const EXACT = 2 ** 39;

/** The largest prime below 2^39. */
const FOLD = EXACT - 7;

/**
 * `st_ino` of a file whose filesystem calls it `inode`; `origin` is the branch's number times {@linkcode SPAN}. Numbers
 * of 39 bits and more are folded into as many above the exact ones: two of those can meet, one time in 2^39.
 */
export function shownInode(origin: number, inode: number): number {
  return inode > 1 && inode < EXACT ? origin + inode : origin + EXACT + inode % FOLD;
}
