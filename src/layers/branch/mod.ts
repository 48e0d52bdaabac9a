/**
 * One tree of many filesystems: each is a *branch*, grafted at a path. The tree answers at once what the branch answers at
 * once. Branches may lie in one another; a tree is no branch of another (graft its branches instead), for a branch's node
 * ids have 40 bits.
 *
 * - The branch at "/" is the root; without one the root is an empty directory that never changes, as are directories on
 *   the way to a branch that the branch around it does not have.
 * - A branch point, and a directory on the way to one, cannot be removed, renamed or replaced from within the tree
 *   (`EBUSY`), and hides whatever else has its name. Nothing can be renamed, linked or copied by the kernel from branch to
 *   branch (`EXDEV`), which mv(1) and cp(1) expect.
 * - Inode numbers are unique in the tree; `st_dev` is one.
 * - What a branch cannot do is refused there, without consequences for the others.
 *
 * @module
 */
import { type ErrnoName, FsError } from "../../fs/errors.ts";
import type { ConnectionInfo, FileSystem } from "../../fs/filesystem.ts";
import { mapNotifier } from "../support/map_notifier.ts";
import { METHOD_NAMES, type MethodName } from "../support/methods.ts";
import { Branch } from "./branch.ts";
import {
  type BranchTable,
  changedNames,
  checkBranchPath,
  makeBranchTable,
  type MountTargets,
  numberBranches,
  type Place,
} from "./branch_table.ts";
import { directoryOperations } from "./directory_operations.ts";
import { standIn } from "./elsewhere.ts";
import { demandingFeatures, joinFeatures } from "./features.ts";
import { nameOperations } from "./name_operations.ts";
import { MOST_BRANCHES } from "./node_ids.ts";
import { nodeOperations } from "./node_operations.ts";
import { makeStaticDirectories } from "./static_directories.ts";
import { Tree } from "./tree.ts";

export type { BranchTable, MountTargets, Place } from "./branch_table.ts";

/** A filesystem and where it is grafted. */
export interface BranchDefinition {
  /** Absolute, such as `/src/vendor`; without ".", ".." or a "/" at the end. */
  readonly path: string;
  readonly filesystem: FileSystem;
  /** The branch's id: 0 at "/", elsewhere 1, 2, … without a gap. Default: the lowest that no other branch asks for. */
  readonly id?: number;
  /**
   * The handler beside the loops that serves this branch (`LoopPlacement.handlers`), from 0. All others take note of which
   * operations and features `filesystem` has, and never ask it, initialize it or destroy it. Default: the loops serve it.
   */
  readonly handler?: number;
}

/** How a tree behaves. */
export interface BranchOptions {
  /** What changing a branch point is refused with. Default `EBUSY`, as for mountpoints. */
  readonly branchPointErrno?: "EBUSY" | "EPERM";
  /** Paths that somebody is to mount on: they are there, without a change to any branch, and keep their names. */
  readonly targets?: MountTargets;
  /**
   * Branches may be grafted later: the kernel is told from the start of all operations (but of locks only those that all
   * branches have), and asked for no feature that every branch would have to know. Default false: a later branch can use
   * what one of the first had.
   */
  readonly growing?: boolean;
  /** Which handler this tree is made for: `host.handler`, as the module is told. Undefined in loops. */
  readonly handler?: number | undefined;
}

/** Operations that are missing only where nobody has them; the library would answer them by itself. */
const ALWAYS: ReadonlySet<MethodName> = new Set<MethodName>([
  "lookup",
  "forgetLookups",
  "getAttributes",
  "open",
  "release",
  "openDirectory",
  "readDirectory",
  "releaseDirectory",
]);

/** Operations that the kernel does better itself, for all, than the tree for some. */
const TOGETHER: ReadonlySet<MethodName> = new Set<MethodName>(["getLock", "setLock", "setWholeFileLock"]);

// The operations are put in by the constructor.
export interface BranchFileSystem extends FileSystem {}

/** The tree. */
export class BranchFileSystem implements FileSystem {
  readonly features: readonly string[];
  readonly #tree: Tree;
  readonly #growing: boolean;
  #connection: ConnectionInfo | undefined;
  /** How many branches had an id before its present one. */
  readonly #generations: number[] = [];

  /** @throws {FsError} `EINVAL`, `EEXIST` or `ENOSPC` that names the branch. */
  constructor(branches: readonly BranchDefinition[], options: BranchOptions = {}) {
    const { branchPointErrno = "EBUSY", targets, growing = false, handler: here } = options;
    const numbered = numberBranches(branches);
    for (const { path, filesystem } of branches) refuseTree(path, filesystem);
    const filesystems = branches.map(({ filesystem, handler }) => {
      return handler === here ? filesystem : standIn(filesystem, handler);
    });
    this.#growing = growing;
    this.features = joinFeatures(filesystems, growing);
    this.#tree = new Tree(makeBranchTable(numbered, undefined, targets));
    this.#tree.setBranch(0, new Branch(0, "/", makeStaticDirectories()));
    for (const [index, { path }] of branches.entries()) {
      const id = numbered.get(path)!;
      this.#tree.setBranch(id, new Branch(id, path, filesystems[index]!));
    }
    Object.assign(this, this.#operations(filesystems, branchPointErrno));
  }

  /** The operations that the tree has. */
  #operations(filesystems: readonly FileSystem[], placeErrno: ErrnoName): FileSystem {
    const operations: FileSystem = {
      ...nameOperations(this.#tree, placeErrno),
      ...nodeOperations(this.#tree),
      ...directoryOperations(this.#tree),
    };
    for (const name of METHOD_NAMES) {
      const has = (filesystem: FileSystem) => filesystem[name] !== undefined;
      const kept = TOGETHER.has(name)
        ? filesystems.length > 0 && filesystems.every(has)
        : this.#growing || ALWAYS.has(name) || filesystems.some(has);
      if (!kept) delete operations[name];
    }
    return operations;
  }

  /** Where branches are grafted now: a value that never changes. */
  get table(): BranchTable {
    return this.#tree.table;
  }

  initialize(connection: ConnectionInfo): void {
    this.#connection = connection;
    for (const branch of this.#tree.branches) this.#initializeBranch(branch, connection);
  }

  #initializeBranch(branch: Branch, connection: ConnectionInfo): void {
    const notifier = mapNotifier(connection.notifier, (inner) => this.#tree.outerNode(branch, inner));
    branch.initialize({ ...connection, notifier });
  }

  /** Ends all branches, also when one throws. */
  async destroy(): Promise<void> {
    const endings = await Promise.allSettled(this.#tree.branches.map((branch) => branch.destroy()));
    const errors = endings.filter((ending) => ending.status === "rejected").map(({ reason }) => reason);
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} branches did not end well`);
  }

  /**
   * Grafts a filesystem while the tree is served. The tree has changed when this returns; the promise resolves when the
   * kernel was told (in a loop it never does, see `Notifier`).
   *
   * `id`: for several loops that each have a tree, which must all choose the same; one that is free in all of them (see
   * {@linkcode held}). Default: the lowest that is free here.
   *
   * @throws {FsError} `EINVAL` for a path or an id that is none, `EEXIST` when a branch is there, `EBUSY` when the id is
   * not free, `ENOSPC` when none is, `EOPNOTSUPP` when the mount uses a feature that the filesystem does not ask for.
   */
  graft(path: string, filesystem: FileSystem, options: { id?: number } = {}): Promise<void> {
    checkBranchPath(path, "a branch");
    const existing = this.#pointAt(path);
    if (existing !== undefined) {
      throw new FsError("EEXIST", `Cannot graft at "${path}": branch ${existing.branch} is there; prune or replace it`);
    }
    return this.#put(path, filesystem, options.id);
  }

  /**
   * What the kernel holds of each branch, also of removed ones: lookups and open files. With several loops this is the
   * part that went through this loop, which may be negative; the sum over all loops is the truth.
   */
  get held(): ReadonlyMap<number, { readonly lookups: number; readonly opened: number }> {
    return new Map(this.#tree.branches.map(({ id, known, opened }) => [id, { lookups: known, opened }]));
  }

  /** Grafts a filesystem in a branch's place; the branch is removed as by {@linkcode prune}. */
  replace(path: string, filesystem: FileSystem, options: { lazy?: boolean } = {}): Promise<void> {
    const removed = this.#removable(path, "replace");
    const told = this.#put(path, filesystem);
    return Promise.all([told, removed.leave(options.lazy ?? false)]).then(() => {});
  }

  /**
   * Removes a branch. Its open files answer `ESTALE` from now on; with `lazy` they live until they are closed. Branches
   * grafted below stay where they are. The promise resolves when the kernel was told and the branch's filesystem has
   * been destroyed: at once, or when its last open file was closed; it rejects with what `destroy` threw.
   *
   * @throws {FsError} `ENOENT` when no branch is there, `EBUSY` for the root.
   */
  prune(path: string, options: { lazy?: boolean } = {}): Promise<void> {
    const removed = this.#removable(path, "prune");
    const branches = this.#paths();
    branches.delete(path);
    const told = this.#setTable(branches);
    return Promise.all([told, removed.leave(options.lazy ?? false)]).then(() => {});
  }

  #put(path: string, filesystem: FileSystem, asked?: number): Promise<void> {
    refuseTree(path, filesystem);
    const demanding = demandingFeatures(filesystem, this.features);
    if (demanding.length > 0) {
      const features = demanding.join(", ");
      throw new FsError("EOPNOTSUPP", `Cannot graft at "${path}": the mount uses ${features}; make the tree "growing"`);
    }
    const id = asked ?? this.#freeId(path);
    if (asked !== undefined) this.#checkFree(asked, path);
    const generation = (this.#generations[id] ?? -1) + 1;
    const branch = new Branch(id, path, filesystem, generation);
    if (this.#connection !== undefined) this.#initializeBranch(branch, this.#connection);
    this.#generations[id] = generation;
    this.#tree.setBranch(id, branch);
    return this.#setTable(this.#paths().set(path, id));
  }

  /** The ids of branches by path. */
  #paths(): Map<string, number> {
    const points = [...this.#tree.table.branches].filter(([id, { path }]) => id !== 0 || path === "/");
    return new Map(points.map(([id, { path }]) => [path, id]));
  }

  #setTable(branches: ReadonlyMap<string, number>): Promise<void> {
    const before = this.#tree.table;
    const table = makeBranchTable(branches, before);
    this.#tree.setTable(table);
    const { notifier } = this.#connection ?? {};
    if (notifier === undefined) return Promise.resolve();
    const changes = changedNames(before.root, table.root);
    const told = Promise.all(changes.map(({ parent, name }) => notifier.invalidateEntry(parent, name))).then(() => {});
    told.catch(() => {});
    return told;
  }

  /** The lowest id that the kernel holds nothing of. */
  #freeId(path: string): number {
    for (let id = 1; id < MOST_BRANCHES; id++) {
      const taken = this.#tree.branch(id);
      if (taken === undefined || taken.forgotten) return id;
    }
    throw new FsError("ENOSPC", `Cannot graft at "${path}": all ${MOST_BRANCHES - 1} ids of branches are in use`);
  }

  #checkFree(id: number, path: string): void {
    if (!Number.isInteger(id) || id < 1 || id >= MOST_BRANCHES) {
      throw new FsError("EINVAL", `Cannot graft at "${path}" as branch ${id}: ids are 1 to ${MOST_BRANCHES - 1}`);
    }
    if (this.#tree.table.branches.has(id)) {
      throw new FsError("EBUSY", `Cannot graft at "${path}" as branch ${id}: that is in use`);
    }
  }

  #removable(path: string, action: string): Branch {
    const point = this.#pointAt(path);
    if (point === undefined) throw new FsError("ENOENT", `Cannot ${action} "${path}": no branch is grafted there`);
    if (point.branch === 0) throw new FsError("EBUSY", `Cannot ${action} "/": the root stays while the tree lives`);
    return this.#tree.branch(point.branch!)!;
  }

  #pointAt(path: string): Place | undefined {
    return [...this.#tree.table.branches.values()].find((place) => place.path === path);
  }
}

function refuseTree(path: string, filesystem: FileSystem): void {
  if (!(filesystem instanceof BranchFileSystem)) return;
  throw new FsError("EINVAL", `Cannot graft a tree of branches at "${path}": graft its branches there`);
}
