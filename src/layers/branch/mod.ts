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
import type { ChangeableBranches } from "../../fs/branches.ts";
import { type ErrnoName, FsError } from "../../fs/errors.ts";
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { METHOD_NAMES, type MethodName } from "../support/methods.ts";
import { Branch } from "./branch.ts";
import {
  type BranchTable,
  checkBranchPath,
  makeBranchTable,
  type MountTargets,
  numberBranches,
} from "./branch_table.ts";
import { TreeChanges } from "./changes.ts";
import { directoryOperations } from "./directory_operations.ts";
import { standIn } from "./elsewhere.ts";
import { joinFeatures } from "./features.ts";
import { nameOperations } from "./name_operations.ts";
import { nodeOperations } from "./node_operations.ts";
import { makeStaticDirectories } from "./static_directories.ts";
import { Tree } from "./tree.ts";

export type { BranchTable, MountTargets, Place } from "./branch_table.ts";

/** A filesystem and where it is grafted. */
export interface BranchDefinition {
  /** Absolute, such as `/src/vendor`; without ".", ".." or a "/" at the end. */
  readonly path: string;
  /** What is grafted; its root is shown at `path`. */
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
  /**
   * The operations and features of the tree whose place this one takes (`host.agreed`): it has the same, whatever became of
   * the branches. Default: what the branches have.
   */
  readonly agreed?: { readonly methods: readonly string[]; readonly features: readonly string[] } | undefined;
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

/** Its operations are put in by the constructor: those that any branch has. */
export interface BranchFileSystem extends FileSystem {}

/** The tree. */
export class BranchFileSystem implements FileSystem {
  /** Those that the branches allow. */
  readonly features: readonly string[];
  /** The branches as they are changed in several loops; {@linkcode graft} and the others do it in one isolate. */
  readonly branches: ChangeableBranches;
  readonly #tree: Tree;
  readonly #changes: TreeChanges;
  readonly #growing: boolean;

  /** A tree of `branches`. @throws {FsError} `EINVAL`, `EEXIST` or `ENOSPC` that names the branch. */
  constructor(branches: readonly BranchDefinition[], options: BranchOptions = {}) {
    const { branchPointErrno = "EBUSY", targets, growing = false, agreed, handler: here } = options;
    const numbered = numberBranches(branches);
    for (const { path, filesystem } of branches) refuseTree(path, filesystem);
    const filesystems = branches.map(({ filesystem, handler }) => {
      return handler === here ? filesystem : standIn(filesystem, handler, here);
    });
    this.#growing = growing;
    this.features = agreed?.features ?? joinFeatures(filesystems, growing);
    this.#tree = new Tree(makeBranchTable(numbered, undefined, targets));
    this.#tree.setBranch(0, new Branch(0, "/", makeStaticDirectories()));
    for (const [index, { path, handler }] of branches.entries()) {
      const id = numbered.get(path)!;
      this.#tree.setBranch(id, new Branch(id, path, filesystems[index]!, 0, handler));
    }
    this.#changes = new TreeChanges(this.#tree, this.features, here);
    this.branches = this.#changes;
    Object.assign(this, this.#operations(filesystems, branchPointErrno, agreed?.methods));
  }

  /** The operations that the tree has: those that were agreed on, or else what the filesystems have. */
  #operations(
    filesystems: readonly FileSystem[],
    placeErrno: ErrnoName,
    agreed: readonly string[] | undefined,
  ): FileSystem {
    const operations: FileSystem = {
      ...nameOperations(this.#tree, placeErrno),
      ...nodeOperations(this.#tree),
      ...directoryOperations(this.#tree),
    };
    for (const name of METHOD_NAMES) {
      const isWanted = agreed === undefined ? this.#isOffered(name, filesystems) : agreed.includes(name);
      if (!isWanted && !ALWAYS.has(name)) delete operations[name];
    }
    return operations;
  }

  #isOffered(name: MethodName, filesystems: readonly FileSystem[]): boolean {
    const has = (filesystem: FileSystem) => filesystem[name] !== undefined;
    if (TOGETHER.has(name)) return filesystems.length > 0 && filesystems.every(has);
    return this.#growing || filesystems.some(has);
  }

  /** Where branches are grafted now: a value that never changes. */
  get table(): BranchTable {
    return this.#tree.table;
  }

  initialize(connection: ConnectionInfo): void {
    this.#changes.initialize(connection);
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
  async graft(path: string, filesystem: FileSystem, options: { id?: number } = {}): Promise<void> {
    checkBranchPath(path, "a branch");
    await this.#change(undefined, { path, filesystem, ...options }, false);
  }

  /**
   * What the kernel holds of each branch, also of removed ones: lookups and open files. With several loops this is the
   * part that went through this loop, which may be negative; the sum over all loops is the truth.
   */
  get held(): ReadonlyMap<number, { readonly lookups: number; readonly opened: number }> {
    return new Map(this.#changes.held.map(({ id, lookups, opened }) => [id, { lookups, opened }]));
  }

  /** Grafts a filesystem in a branch's place; the branch is removed as by {@linkcode prune}. */
  async replace(path: string, filesystem: FileSystem, options: { lazy?: boolean } = {}): Promise<void> {
    await this.#change(path, { path, filesystem }, options.lazy ?? false);
  }

  /**
   * Removes a branch. Its open files answer `ESTALE` from now on; with `lazy` they live until they are closed. Branches
   * grafted below stay where they are. The promise resolves when the kernel was told and the branch's filesystem has
   * been destroyed: at once, or when its last open file was closed; it rejects with what `destroy` threw.
   *
   * @throws {FsError} `ENOENT` when no branch is there, `EBUSY` for the root.
   */
  async prune(path: string, options: { lazy?: boolean } = {}): Promise<void> {
    await this.#change(path, undefined, options.lazy ?? false);
  }

  /** The tree has changed at the first `await`. */
  async #change(removed: string | undefined, added: BranchDefinition | undefined, lazy: boolean): Promise<void> {
    const changes = this.#changes;
    const id = removed === undefined ? undefined : changes.removableAt(removed);
    changes.prepare({
      removed: removed === undefined ? [] : [removed],
      added: added === undefined ? [] : [this.#number(added)],
    });
    const told = changes.tell(changes.commit());
    await Promise.all([told, changes.dropAlone(id, lazy)]);
  }

  #number({ path, filesystem, id: asked }: BranchDefinition) {
    refuseTree(path, filesystem);
    const id = asked ?? this.#changes.freeId(path);
    return { id, path, filesystem, generation: this.#changes.nextGeneration(id) };
  }
}

function refuseTree(path: string, filesystem: FileSystem): void {
  if (!(filesystem instanceof BranchFileSystem)) return;
  throw new FsError("EINVAL", `Cannot graft a tree of branches at "${path}": graft its branches there`);
}
