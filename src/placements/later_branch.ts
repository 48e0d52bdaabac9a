/** A branch that comes to a tree which loops serve: its module loaded, and opened what the loops share of it. */
import type { LaterBranch } from "../fs/branches.ts";
import type { Awaitable } from "../fs/filesystem.ts";
import type { FileSystemModule, KeptState } from "../fs/module.ts";
import type { LoopNewBranch } from "../messages.ts";

/** As loops are told of it, and how it ends. */
export interface MadeBranch extends LoopNewBranch {
  /** Closes what the module's `prepare` opened; with `removed`, what was kept of it is let go of. */
  readonly release: (removed: boolean) => Awaitable<void>;
}

/** What is kept of it, under a name for all time: an id may be another branch's later. */
export function partOfLater(kept: KeptState, { id, generation }: Pick<LaterBranch, "id" | "generation">): KeptState {
  return kept.part("later").part(`${id}.${generation}`);
}

/** Makes it for so many loops. @throws what its module throws. */
export async function makeLaterBranch(
  branch: LaterBranch,
  loops: number,
  kept: KeptState | undefined,
): Promise<MadeBranch> {
  const { id, path, generation, module, options } = branch;
  const { prepare, release } = await import(module) as FileSystemModule;
  const part = kept && partOfLater(kept, branch);
  const free = async (removed: boolean, shared: unknown) => {
    await release?.(shared, removed);
    if (removed) part?.free();
  };
  const shared = await prepare?.(options, loops, part);
  return {
    ...{ id, path, generation, module, options, shared, loops },
    ...kept !== undefined && { restarts: kept.restarts },
    release: (removed) => free(removed, shared),
  };
}
