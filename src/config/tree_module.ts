/** The tree of a configuration as a module that session loops load: its branches, grafted into one. */
import type { FileSystem } from "../fs/filesystem.ts";
import type { KeptState, LoopHost } from "../fs/module.ts";
import { BranchFileSystem, type MountTargets } from "../layers/branch/mod.ts";
import * as branchModule from "./branch_module.ts";
import type { BranchConfig } from "./config.ts";

/** Options of the module; they survive a structured clone. */
export interface TreeOptions {
  /** In the order of their ids. */
  readonly branches: readonly BranchConfig[];
  readonly branchPointErrno: "EBUSY" | "EPERM";
  /** Whether branches of any kind may come later. */
  readonly growing: boolean;
  /** What is to be there for somebody to mount on. */
  readonly targets?: MountTargets;
}

/** What all loops share of each branch, by its path. */
export type SharedTree = ReadonlyMap<string, branchModule.SharedBranch>;

/** The branches that have a handler of their own, beside the loops, in the order of the handlers. */
export function branchesInHandlers(branches: readonly BranchConfig[]): BranchConfig[] {
  return branches.filter(({ placement }) => placement === "handler");
}

/** Opens the sources of all branches. @throws {FsError} that names the source which cannot be opened. */
export async function prepare({ branches }: TreeOptions, loops: number, kept?: KeptState): Promise<SharedTree> {
  const shared = new Map<string, branchModule.SharedBranch>();
  const sharers = branchModule.countSharers(branches);
  try {
    for (const branch of branches) {
      const { path, id } = branch;
      const part = kept?.part(`${id}`);
      // A server may have ended before the last file of a branch that went lazily was closed.
      if (kept?.removedBranches.includes(path)) part!.free();
      else shared.set(path, await branchModule.prepare({ branch, sharers }, loops, part));
    }
  } catch (error) {
    release(shared);
    throw error;
  }
  return shared;
}

/** Closes the sources. */
export function release(shared: SharedTree): void {
  for (const branch of shared.values()) branchModule.release(branch);
}

/** Closes the sources of a branch that was removed, and lets go of what was kept of it. */
export function releaseBranch(shared: SharedTree, path: string, kept?: KeptState): void {
  const branch = shared.get(path)!;
  branchModule.release(branch, true);
  kept?.part(`${branch.id}`).free();
}

/** Makes one loop's, or one handler's, part of the tree. */
export default function makeTree(options: TreeOptions, host: LoopHost<SharedTree>): FileSystem {
  const { branches, branchPointErrno, growing, targets } = options;
  const inHandlers = branchesInHandlers(branches);
  const loops = host.loops - inHandlers.length;
  const definitions = branches.map((branch) => {
    // It was removed: what stands here for it goes before anybody is served.
    if (!host.shared.has(branch.path)) return { id: branch.id, path: branch.path, filesystem: {} };
    if (loops > 1 && !branchModule.canBeInAllLoops(branch)) {
      throw new RangeError(`Cannot serve "${branch.path}" from ${loops} loops: one has to do for type ${branch.type}`);
    }
    const its = host.shared.get(branch.path)!;
    const handler = inHandlers.indexOf(branch);
    const isHere = handler === (host.handler ?? -1);
    const { restarts = 0 } = host;
    const shared = isHere ? its : branchModule.withoutKept(its);
    const filesystem = branchModule.default({ branch }, { ...host, shared, restarts: isHere ? restarts : 0 });
    return { id: branch.id, path: branch.path, filesystem, ...handler >= 0 && { handler } };
  });
  const { handler, agreed } = host;
  return new BranchFileSystem(definitions, { branchPointErrno, growing, handler, agreed, ...targets && { targets } });
}
