/** Which branches the trees of a mount have and had, and what is to be closed for each. Books only: it asks nobody. */
import type { BranchPoint, HeldBranch, PlaceNumbers, TreeHistory } from "../fs/branches.ts";
import { FsError } from "../fs/errors.ts";
import type { Awaitable } from "../fs/filesystem.ts";
import type { OpenedKeptState } from "../kept/kept_state.ts";
import type { LoopNewBranch } from "../messages.ts";
import type { MadeBranch } from "./later_branch.ts";

/** A branch that a name leads to, or that goes lazily. */
export interface BranchRecord extends BranchPoint {
  readonly release: MadeBranch["release"];
  /** How it is made again where its handler died; undefined for those that the tree's own module makes. */
  readonly made: LoopNewBranch | undefined;
  /** Of one that goes lazily: resolves when it is gone. */
  leaving?: PromiseWithResolvers<void>;
}

/** What the books begin with. */
export interface FirstBranches {
  /** What the tree had at first. */
  readonly points: readonly BranchPoint[];
  /** Closes what the branch had that was at `path` at first. */
  readonly releaseFirst: (path: string) => Awaitable<void>;
  /** Where a keeper holds the mount: what the servers before this one made of them. */
  readonly kept?: OpenedKeptState | undefined;
  /** The branches that `kept.tree` adds, made. */
  readonly later?: readonly MadeBranch[];
}

export class BranchLedger {
  /** What the trees had at first. */
  readonly first: readonly BranchPoint[];
  /** By their ids. */
  readonly #records: Map<number, BranchRecord>;
  /** How many branches had an id before the one that has it, or had it last. */
  readonly generations: Map<number, number>;
  /** By handler, what it served and no name leads to any more; closed when it has ended. */
  readonly #dropped = new Map<number, BranchRecord[]>();
  /** What the kernel holds of those that handlers served, which the loops do not count: not known before a handler's end. */
  readonly #heldBeside = new Map<number, number>();
  /** Ids of which the kernel may hold what only a server before this one has counted. */
  readonly #spent: ReadonlySet<number>;

  constructor({ points, releaseFirst, kept, later = [] }: FirstBranches) {
    const { removed = [], generations = [] } = kept?.tree ?? {};
    this.first = points;
    this.generations = new Map([...points.map(({ id }) => [id, 0] as const), ...generations]);
    this.#spent = new Set(kept !== undefined && kept.restarts > 0 ? this.generations.keys() : []);
    const there = points.filter(({ path }) => !removed.includes(path));
    this.#records = new Map(
      there.map((point) => [point.id, { ...point, made: undefined, release: () => releaseFirst(point.path) }]),
    );
    for (const branch of later) this.add(branch);
  }

  /** What became of the first branches, for another server; `numbers` of the paths by now. */
  history(numbers: PlaceNumbers): TreeHistory {
    const { live } = this;
    const stays = ({ id, path }: BranchPoint) =>
      live.some((record) => record.id === id && record.path === path && record.made === undefined);
    return {
      removed: this.first.filter((point) => !stays(point)).map(({ path }) => path),
      added: live.flatMap(({ made }) => {
        if (made === undefined) return [];
        const { id, path, generation, module, options } = made;
        return [{ id, path, generation, module, options }];
      }),
      generations: [...this.generations],
      numbers: [...numbers],
    };
  }

  /** Whether the kernel may hold something of `id` that only a server before this one has counted. */
  isSpent(id: number): boolean {
    return this.#spent.has(id);
  }

  /** Branches that names lead to. */
  get live(): BranchRecord[] {
    return [...this.#records.values()].filter(({ leaving }) => leaving === undefined);
  }

  /** What one handler serves. */
  inHandler(handler: number): BranchRecord[] {
    return [...this.#records.values()].filter((record) => record.handler === handler);
  }

  get(id: number): BranchRecord | undefined {
    return this.#records.get(id);
  }

  /** The branch that goes from `path`. @throws {FsError} ENOENT. */
  at(path: string): BranchRecord {
    const record = this.live.find((record) => record.path === path);
    if (record !== undefined) return record;
    throw new FsError("ENOENT", `Cannot prune or replace "${path}": no branch is grafted there`);
  }

  /** A name leads to it now. */
  add({ release, ...made }: MadeBranch): void {
    const { id, path, generation, handler } = made;
    this.#records.set(id, { id, path, ...handler !== undefined && { handler }, made, release });
    this.generations.set(id, generation);
  }

  /** Nothing leads to it any more. */
  drop(record: BranchRecord): void {
    const { id, handler } = record;
    this.#records.delete(id);
    if (handler === undefined) return;
    this.#heldBeside.set(id, Infinity);
    this.#dropped.set(handler, [...this.#dropped.get(handler) ?? [], record]);
  }

  /** A handler has ended, of whose branches the kernel holds so much: undefined when nobody knows. Returns those. */
  endHandler(handler: number, held: readonly HeldBranch[] | undefined): BranchRecord[] {
    const records = this.#dropped.get(handler) ?? [];
    this.#dropped.delete(handler);
    for (const { id } of records) {
      const { lookups, opened } = held?.find((one) => one.id === id) ?? { lookups: Infinity, opened: 0 };
      this.#heldBeside.set(id, lookups + opened);
    }
    return records;
  }

  /** All that is to be closed at the end of the mount; what was there at first has its own end. */
  takeAll(): BranchRecord[] {
    const records = [...this.#records.values(), ...[...this.#dropped.values()].flat()];
    this.#records.clear();
    this.#dropped.clear();
    return records.filter(({ made }) => made !== undefined);
  }

  /** Ids in order that no branch has and the kernel holds nothing of; `held` is what the loops count. */
  *freeIds(held: readonly HeldBranch[]): Generator<number> {
    // Nothing is handed out of a branch that every loop has dropped, so what is counted one after the other can only be
    // more than there is.
    const known = new Map(this.#heldBeside);
    for (const { id, lookups, opened } of held) known.set(id, (known.get(id) ?? 0) + lookups + opened);
    const isFree = (id: number) => !this.#records.has(id) && !this.#spent.has(id) && (known.get(id) ?? 0) <= 0;
    for (let id = 1;; id++) if (isFree(id)) yield id;
  }
}
