/**
 * Where branches are grafted, as an immutable value: it survives a structured clone, so that every loop of a mount can be
 * given the same, and a change is a new table in the old one's place.
 *
 * The table knows *places*: the branch points, and the waypoints, which are the directories on the way to them, and the
 * targets. A place has a fixed node id, so that any loop recognises it without having looked it up before.
 */
import type { ChangedName } from "../../fs/branches.ts";
import { type ErrnoName, FsError } from "../../fs/errors.ts";
import type { Name, NodeId } from "../../fs/filesystem.ts";
import { MOST_BRANCHES, outerNode, WAYPOINTS } from "./node_ids.ts";
import { byteLength } from "../support/name_limits.ts";

/** A branch point, a directory on the way to one, or a target. */
export interface Place {
  /** Stays the same for a path, also when the place is gone for a while. From 1, the root. */
  readonly number: number;
  /** Absolute. */
  readonly path: string;
  /** The last part of the path; empty for the root. */
  readonly name: Name;
  /** The directory that it is in; undefined for the root. */
  readonly parent: Place | undefined;
  /** Whether the place shows a file. Branch points and what leads to places are directories. */
  readonly isFile: boolean;
  /** The places in this directory, by name, in the order of their numbers. */
  readonly children: ReadonlyMap<Name, Place>;
  /** The branch that is grafted here; undefined for a waypoint. */
  readonly branch: number | undefined;
  /** The node id, and `st_ino`. */
  readonly node: NodeId;
}

/** Paths that have to be there for somebody to mount on: shown as the branch around them has them, else made up. */
export interface MountTargets {
  /** Absolute paths of directories. */
  readonly directories?: readonly string[];
  /** Absolute paths of files. */
  readonly files?: readonly string[];
}

/** All places, and which branches are where. */
export interface BranchTable {
  /** The place "/". */
  readonly root: Place;
  /** By number. */
  readonly places: ReadonlyMap<number, Place>;
  /** Where each branch is, by its id. The root is branch 0, also when nothing is grafted there. */
  readonly branches: ReadonlyMap<number, Place>;
  /** The numbers of all paths that ever had one. */
  readonly numbers: ReadonlyMap<string, number>;
  /** What has to be there to be mounted on. */
  readonly targets: MountTargets;
}

const ROOT_NUMBER = 1;

/** How many numbers places can have: they are directory offsets too. */
const MOST_PLACES = 2 ** 19;

interface GrowingPlace extends Place {
  readonly children: Map<Name, GrowingPlace>;
}

/**
 * The table for branches by path, which goes on with the numbers and targets of `before`.
 *
 * @throws {FsError} for a path that is none, and for a file where a directory is needed.
 */
export function makeBranchTable(
  branches: ReadonlyMap<string, number>,
  before?: BranchTable,
  targets: MountTargets = before?.targets ?? {},
): BranchTable {
  const { directories = [], files = [] } = targets;
  for (const path of [...directories, ...files]) checkBranchPath(path, "a mount target");
  const numbers = new Map(before?.numbers ?? [["/", ROOT_NUMBER]]);
  const places = new Map<number, GrowingPlace>();
  const points = new Map<number, Place>();
  const add = (path: string, parent: GrowingPlace | undefined, name: Name): GrowingPlace => {
    const number = numbers.getOrInsertComputed(path, () => numbers.size + 1);
    if (number >= MOST_PLACES) throw new FsError("ENOSPC", `Cannot graft below "${path}": there were too many paths`);
    const branch = path === "/" ? 0 : branches.get(path);
    const node = branch === undefined ? outerNode(WAYPOINTS, number) : outerNode(branch, 1);
    const isFile = branch === undefined && files.includes(path);
    if (parent?.isFile) throw new FsError("EINVAL", `Cannot have "${path}": "${parent.path}" is a file to mount on`);
    const place: GrowingPlace = { number, path, name, parent, isFile, children: new Map(), branch, node };
    places.set(number, place);
    if (branch !== undefined) points.set(branch, place);
    parent?.children.set(name, place);
    return place;
  };
  const root = add("/", undefined, "");
  for (const path of [...branches.keys(), ...directories, ...files]) {
    let place: GrowingPlace = root;
    for (const name of namesOf(path)) {
      const next = `${place.path === "/" ? "" : place.path}/${name}`;
      place = place.children.get(name) ?? add(next, place, name);
    }
  }
  for (const { children } of places.values()) sortByNumber(children);
  return { root, places, branches: points, numbers, targets };
}

function sortByNumber(children: GrowingPlace["children"]): void {
  const sorted = [...children].sort(([, one], [, other]) => one.number - other.number);
  children.clear();
  for (const [name, place] of sorted) children.set(name, place);
}

function namesOf(path: string): Name[] {
  return path === "/" ? [] : path.slice(1).split("/");
}

/** Checks the path of a branch, which `who` names. @throws {FsError} EINVAL that says what is wrong with it. */
export function checkBranchPath(path: string, who: string): void {
  const refuse = (reason: string): never => {
    throw new FsError("EINVAL", `Cannot graft ${who} at ${JSON.stringify(path)}: ${reason}`);
  };
  if (typeof path !== "string" || !path.startsWith("/")) refuse('the path must begin with "/"');
  for (const name of namesOf(path)) {
    if (name === "") refuse('the path has an empty name; write it with single "/" and none at the end');
    if (name === "." || name === "..") refuse(`the path must not contain "${name}"`);
    if (name.includes("\0")) refuse("the path has a zero byte");
    if (byteLength(name) > 255) refuse("a name of the path is longer than 255 bytes");
  }
}

/** A branch as it is asked for. */
export interface NumberedPath {
  readonly path: string;
  readonly id?: number;
}

/**
 * The ids of branches, by path: as given, else the lowest that no other asks for. The branch at "/" is 0, the others are
 * 1, 2, … without a gap. @throws {FsError} EINVAL, EEXIST or ENOSPC that names the branch.
 */
export function numberBranches(branches: readonly NumberedPath[]): Map<string, number> {
  const asked = new Set(branches.map(({ id }) => id));
  const highest = branches.filter(({ path }) => path !== "/").length;
  const numbered = new Map<string, number>();
  const paths = new Map<number, string>();
  let next = 1;
  for (const { path, id: given } of branches) {
    while (asked.has(next)) next++;
    const id = given ?? (path === "/" ? 0 : next++);
    checkBranchPath(path, `branch ${id}`);
    const refuse = (code: ErrnoName, reason: string): never => {
      throw new FsError(code, `Cannot graft branch ${id} at "${path}": ${reason}`);
    };
    if (numbered.has(path)) refuse("EEXIST", `branch ${numbered.get(path)} is there already`);
    if (paths.has(id)) refuse("EINVAL", `the one at "${paths.get(id)}" has that id`);
    if ((id === 0) !== (path === "/")) refuse("EINVAL", 'branch 0 is the one at "/", and only that');
    if (id >= MOST_BRANCHES) refuse("ENOSPC", `ids end at ${MOST_BRANCHES - 1}`);
    if (!Number.isInteger(id) || id > highest) {
      refuse("EINVAL", `the ids of ${highest} branches below the root are 1 to ${highest}, without a gap`);
    }
    numbered.set(path, id);
    paths.set(id, path);
  }
  return numbered;
}

/** Which names the kernel must look up again when a table takes another's place. */
export function changedNames(before: Place, after: Place): ChangedName[] {
  const names = new Set([...before.children.keys(), ...after.children.keys()]);
  return [...names].flatMap((name) => {
    const [old, now] = [before.children.get(name), after.children.get(name)];
    if (old !== undefined && old.node === now?.node) return changedNames(old, now);
    return [{ parent: before.node, name }];
  });
}
