/**
 * Trees whose branches come and go while loops serve them. Each loop has a tree of its own, and all are changed alike, in
 * steps: every tree prepares the change, and can still refuse it; every tree commits it, which cannot fail; what was
 * removed is dropped. Between the first commit and the last drop a tree understands what the others answer, whether
 * they have the change already or not.
 */
import type { FileSystem, Name, NodeId } from "./filesystem.ts";
import type { LimitOptions } from "./limits.ts";

/** Where a branch is grafted. */
export interface BranchPoint {
  readonly id: number;
  /** Absolute and normal. */
  readonly path: string;
  /** The handler beside the loops that serves the branch; missing for one in the loops. */
  readonly handler?: number;
}

/** Whether `path` is `ancestor` or below it; both are normal. */
export function isWithin(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(ancestor === "/" ? "/" : ancestor + "/");
}

/** A branch that is to come. */
export interface NewBranch extends BranchPoint {
  /**
   * In loops, of a branch that a handler serves: one that has its operations and features, and is never asked. Undefined in
   * handlers that do not serve it: they need to know only where it is.
   */
  readonly filesystem: FileSystem | undefined;
  /** How many branches had the id before. */
  readonly generation: number;
}

/** What is to be done at once. A path that is removed and added is replaced. */
export interface BranchChange {
  /** Paths of branches. */
  readonly removed: readonly string[];
  readonly added: readonly NewBranch[];
  /** What {@linkcode ChangeableBranches.numbers} of another tree is: for one that was not there when the others changed. */
  readonly numbers?: PlaceNumbers | undefined;
}

/** The numbers of all paths that branches ever made places of, which are in node ids; the same in all trees of a mount. */
export type PlaceNumbers = ReadonlyMap<string, number>;

/** A name that means another file than before; what lies below it is not listed. */
export interface ChangedName {
  readonly parent: NodeId;
  readonly name: Name;
}

/**
 * What the kernel holds of a branch that went through one loop. That part may be negative, for another loop may have
 * handed out what is given back here; the sum over all loops is the truth.
 */
export interface HeldBranch {
  readonly id: number;
  readonly lookups: number;
  /** Open files and directories. */
  readonly opened: number;
}

/**
 * What a loop counts as among open files until it has added its own part. That may be negative, so this is more than a
 * loop can have open, and less than a sixteenth of what a word can count.
 */
export const NOT_ADDED = 2 ** 26;

/** The open files of a branch that several loops remove lazily. */
export interface SharedOpenFiles {
  /**
   * One word: how many are open, and {@linkcode NOT_ADDED} for each loop that has not added its part yet. So it is 0 only
   * when the last file is closed, however the loops' steps follow each other.
   */
  readonly count: Int32Array<SharedArrayBuffer>;
  /** Called by the loop that brings it to 0. */
  unused(): void;
}

/** The branches of a filesystem that can be changed while it is served. */
export interface ChangeableBranches {
  /** The handler beside the loops that the tree is made for; undefined in loops. */
  readonly handler: number | undefined;
  /** Where the branches are. */
  readonly points: readonly BranchPoint[];
  /** The numbers of places, which a later tree goes on with. */
  readonly numbers: PlaceNumbers;
  /** What the kernel holds of each branch, also of those that were dropped. */
  readonly held: readonly HeldBranch[];
  /**
   * Gets a change ready: initializes what is added, and answers for it, but no name leads to it.
   *
   * @throws {FsError} why it cannot be done; then nothing has changed. What was given as added is not destroyed.
   */
  prepare(change: BranchChange): void;
  /** Makes the prepared change, and says what the kernel must look up again. */
  commit(): readonly ChangedName[];
  /** Takes back what was prepared and not committed, and destroys what was to be added. Without such: nothing. */
  abandon(): Promise<void>;
  /**
   * All trees have committed: what the change removed is gone. With `lazy`, what is open in those branches lives until it
   * is closed, and they are gone when `drop` is called again for them. Resolves when they are destroyed, lazy ones at once.
   */
  drop(branches: readonly DroppedBranch[]): Promise<void>;
}

/** A branch that no name leads to any more. */
export interface DroppedBranch {
  readonly id: number;
  readonly lazy?: SharedOpenFiles | undefined;
}

/** A filesystem that is grafted: a module, as `mount` takes it. */
export interface BranchModule {
  /** The module's URL; see {@linkcode FileSystemModule}. */
  readonly module: URL | string;
  /** For the module's functions; must survive a structured clone. */
  readonly options?: unknown;
  /** Whether every loop serves it (the default), or a handler of its own beside them, where methods may be async. */
  readonly placement?: "loop" | "handler";
  /** How much that handler takes on at once, and for how long. */
  readonly limits?: LimitOptions;
}

/** A branch that was grafted while the tree was served. */
export interface LaterBranch extends BranchPoint {
  /** How many branches had the id before. */
  readonly generation: number;
  /** As {@linkcode BranchModule} has them. */
  readonly module: string;
  readonly options: unknown;
}

/** What became of a tree's first branches while it was served: all that another needs to be the same. JSON can say it. */
export interface TreeHistory {
  /** Paths of first branches that were removed. */
  readonly removed: readonly string[];
  readonly added: readonly LaterBranch[];
  /** How many branches had an id before the one that has it, or had it last. */
  readonly generations: readonly (readonly [id: number, generation: number])[];
  /** As {@linkcode PlaceNumbers}. */
  readonly numbers: readonly (readonly [path: string, number: number])[];
}

/** One part of a change of branches: what to graft at `path`, what to put in the place of what is there, or `remove`. */
export type BranchStep =
  | { readonly action: "graft" | "replace"; readonly path: string; readonly branch: BranchModule }
  | { readonly action: "prune"; readonly path: string };

/** How branches are removed. */
export interface RemovalOptions {
  /** What is open lives until it is closed. Default false: it answers `ESTALE` at once. */
  readonly lazy?: boolean;
}

/** A change of branches that was made. */
export interface ChangedBranches {
  /** How many files and directories of the removed branches were open when no name led to them any more. */
  readonly opened: number;
  /**
   * Resolves when all that the removed branches had is closed: at once, or with `lazy` when the last of their files is, or
   * at the end of the mount. Rejects with what ending them threw.
   */
  readonly ended: Promise<void>;
}

/** Changes the branches of a live mount. */
export interface LiveBranches {
  /**
   * Makes all of `steps`, at once for everybody who looks, or none of them. Changes wait for each other.
   *
   * @throws {FsError} why it cannot be done, and what a module throws: then nothing has changed. EINPROGRESS is the
   * exception: the branches have changed, but not everybody has come round to it yet.
   */
  change(steps: readonly BranchStep[], options?: RemovalOptions): Promise<ChangedBranches>;
  /** What all changes came to; undefined when there were none. Only where a keeper holds the mount. */
  readonly history: TreeHistory | undefined;
}
