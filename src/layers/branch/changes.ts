/** Branches that come and go while the tree is served: each change is prepared, committed, and what it removed is dropped. */
import type { BranchChange, ChangeableBranches, ChangedName, DroppedBranch, HeldBranch } from "../../fs/branches.ts";
import type { BranchPoint, NewBranch, PlaceNumbers } from "../../fs/branches.ts";
import { FsError } from "../../fs/errors.ts";
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { mapNotifier } from "../support/map_notifier.ts";
import { Branch } from "./branch.ts";
import { type BranchTable, changedNames, checkBranchPath, makeBranchTable } from "./branch_table.ts";
import { standIn, strangerMethods } from "./elsewhere.ts";
import { demandingFeatures } from "./features.ts";
import { MOST_BRANCHES } from "./node_ids.ts";
import type { Tree } from "./tree.ts";

/** A change that is ready to be made. */
interface Prepared {
  readonly table: BranchTable;
  /** What is added, and what had its id before: forgotten branches, or nothing. */
  readonly added: readonly { readonly branch: Branch; readonly before: Branch | undefined }[];
}

export class TreeChanges implements ChangeableBranches {
  readonly #tree: Tree;
  /** The features that the mount was asked for. */
  readonly #features: readonly string[];
  readonly handler: number | undefined;
  #connection: ConnectionInfo | undefined;
  #prepared: Prepared | undefined;

  constructor(tree: Tree, features: readonly string[], handler?: number) {
    this.#tree = tree;
    this.#features = features;
    this.handler = handler;
  }

  /** The mount is live. */
  initialize(connection: ConnectionInfo): void {
    this.#connection = connection;
    for (const branch of this.#tree.branches) this.#initializeBranch(branch);
  }

  get points(): BranchPoint[] {
    return [...this.#tree.table.branches].map(([id, { path }]) => {
      const handler = this.#tree.branch(id)?.handler;
      return { id, path, ...handler !== undefined && { handler } };
    });
  }

  get numbers(): PlaceNumbers {
    return this.#tree.table.numbers;
  }

  get held(): HeldBranch[] {
    return this.#tree.branches.map(({ id, known, opened }) => ({ id, lookups: known, opened }));
  }

  /** What a branch at `path` may be added as: the lowest id that the kernel holds nothing of. @throws {FsError} ENOSPC. */
  freeId(path: string): number {
    for (let id = 1; id < MOST_BRANCHES; id++) {
      if (this.#tree.branch(id)?.forgotten ?? true) return id;
    }
    throw new FsError("ENOSPC", `Cannot graft at "${path}": all ${MOST_BRANCHES - 1} ids of branches are in use`);
  }

  /** How many branches had this id before its next one. */
  nextGeneration(id: number): number {
    return (this.#tree.branch(id)?.generation ?? -1) + 1;
  }

  prepare({ removed, added, numbers }: BranchChange): void {
    if (this.#prepared !== undefined) {
      throw new Error("Cannot prepare a change of branches: another one is not committed");
    }
    const ids = new Map(this.points.map(({ id, path }) => [path, id]));
    for (const path of removed) this.#remove(ids, path);
    for (const branch of added) this.#add(ids, branch);
    const { table: before } = this.#tree;
    const table = makeBranchTable(ids, numbers === undefined ? before : { ...before, numbers });
    this.#prepared = { table, added: this.#begin(added) };
    this.#tree.otherTable = table;
  }

  commit(): ChangedName[] {
    if (this.#prepared === undefined) throw new Error("Cannot commit a change of branches: none is prepared");
    const { table: before } = this.#tree;
    this.#tree.setTable(this.#prepared.table);
    this.#tree.otherTable = before;
    this.#prepared = undefined;
    return changedNames(before.root, this.#tree.table.root);
  }

  async abandon(): Promise<void> {
    const { added = [] } = this.#prepared ?? {};
    this.#prepared = undefined;
    this.#tree.otherTable = undefined;
    for (const { branch, before } of added) this.#tree.setBranch(branch.id, before);
    await Promise.all(added.map(({ branch }) => branch.destroy()));
  }

  async drop(branches: readonly DroppedBranch[]): Promise<void> {
    this.#tree.otherTable = undefined;
    // A handler that was not there when it was grafted has none of that id.
    await Promise.all(branches.map(({ id, lazy }) => this.#tree.branch(id)?.leaveWithOthers(lazy)));
  }

  /** Drops a branch of a tree that is the only one. Resolves when it is destroyed: with `lazy` when nothing is open. */
  async dropAlone(id: number | undefined, lazy: boolean): Promise<void> {
    this.#tree.otherTable = undefined;
    if (id !== undefined) await this.#tree.branch(id)!.leave(lazy);
  }

  /** The id of the branch that can be removed from `path`. @throws {FsError} */
  removableAt(path: string): number {
    const id = this.#idAt(path);
    if (id === undefined) throw new FsError("ENOENT", `Cannot prune or replace "${path}": no branch is grafted there`);
    if (id === 0) throw new FsError("EBUSY", 'Cannot prune or replace "/": the root stays while the tree lives');
    return id;
  }

  #idAt(path: string): number | undefined {
    return this.points.find((point) => point.path === path)?.id;
  }

  #remove(ids: Map<string, number>, path: string): void {
    this.removableAt(path);
    ids.delete(path);
  }

  #add(ids: Map<string, number>, { path, filesystem, id }: NewBranch): void {
    checkBranchPath(path, "a branch");
    const existing = ids.get(path);
    if (existing !== undefined) {
      throw new FsError("EEXIST", `Cannot graft at "${path}": branch ${existing} is there; prune or replace it`);
    }
    const demanding = filesystem === undefined ? [] : demandingFeatures(filesystem, this.#features);
    if (demanding.length > 0) {
      const features = demanding.join(", ");
      throw new FsError("EOPNOTSUPP", `Cannot graft at "${path}": the mount uses ${features}; make the tree "growing"`);
    }
    if (!Number.isInteger(id) || id < 1 || id >= MOST_BRANCHES) {
      throw new FsError("EINVAL", `Cannot graft at "${path}" as branch ${id}: ids are 1 to ${MOST_BRANCHES - 1}`);
    }
    if ([...ids.values()].includes(id) || this.#tree.table.branches.has(id)) {
      throw new FsError("EBUSY", `Cannot graft at "${path}" as branch ${id}: that is in use`);
    }
    ids.set(path, id);
  }

  /** Makes and initializes branches, to which no name leads yet. What one throws, all are taken back for. */
  #begin(added: readonly NewBranch[]): Prepared["added"] {
    using undo = new DisposableStack();
    const begun = added.map((point) => {
      const { id, path, filesystem, generation, handler } = point;
      const branch = new Branch(id, path, this.#servedHere(point), generation, handler);
      if (filesystem === undefined) branch.methods = strangerMethods();
      const before = this.#tree.branch(id);
      this.#initializeBranch(branch);
      this.#tree.setBranch(id, branch);
      undo.defer(() => this.#tree.setBranch(id, before));
      return { branch, before };
    });
    undo.move();
    return begun;
  }

  /** The filesystem itself where it is served, and elsewhere one that stands for it. */
  #servedHere({ filesystem, handler }: NewBranch): FileSystem {
    if (filesystem === undefined) return {};
    return handler === this.handler ? filesystem : standIn(filesystem, handler, this.handler);
  }

  #initializeBranch(branch: Branch): void {
    if (this.#connection === undefined) return;
    const notifier = mapNotifier(this.#connection.notifier, (inner) => this.#tree.outerNode(branch, inner));
    branch.initialize({ ...this.#connection, notifier });
  }

  /** Tells the kernel, by this tree's own notifier. */
  tell(names: readonly ChangedName[]): Promise<void> {
    const { notifier } = this.#connection ?? {};
    if (notifier === undefined) return Promise.resolve();
    const told = Promise.all(names.map(({ parent, name }) => notifier.invalidateEntry(parent, name))).then(() => {});
    told.catch(() => {});
    return told;
  }
}
