/** Brings the tree of a handler that takes a dead one's place from the first branches to the present ones. */
import type { BranchPoint, PlaceNumbers } from "../fs/branches.ts";
import type { CatchUp } from "../handler/pool.ts";
import type { LoopNewBranch } from "../messages.ts";

/** What the loops' trees have. */
export interface PresentBranches {
  /** What they had at first. */
  readonly first: readonly BranchPoint[];
  /** By path. */
  readonly ids: ReadonlyMap<string, number>;
  /** How many branches had an id before the one that has it. */
  readonly generations: ReadonlyMap<number, number>;
  /** In node ids: the loops and the handler must number alike. */
  readonly numbers: PlaceNumbers;
  readonly loops: number;
}

export async function catchUpWith(present: PresentBranches, command: CatchUp["command"]): Promise<void> {
  const { first, ids, generations, numbers, loops } = present;
  const stays = ({ path, id }: BranchPoint) => ids.get(path) === id && generations.get(id) === 0;
  const gone = first.filter((point) => !stays(point));
  const old = new Set(first.filter(stays).map(({ path }) => path));
  const added = [...ids].filter(([path]) => !old.has(path)).map(([path, id]): LoopNewBranch => {
    // Handlers make nothing of what loops serve.
    return { path, id, generation: 0, module: "", options: undefined, shared: undefined, loops };
  });
  // One after the other, for an id may be another branch's now.
  await command("prepareBranches", { removed: gone.map(({ path }) => path), added: [], numbers });
  await command("commitBranches", undefined);
  await command("dropBranches", gone.map(({ id }) => ({ id })));
  await command("prepareBranches", { removed: [], added });
  await command("commitBranches", undefined);
  await command("dropBranches", []);
}
