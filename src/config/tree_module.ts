/** The tree of a configuration as a module that session loops load: its branches, grafted into one. */
import type { FileSystem } from "../fs/filesystem.ts";
import type { LoopHost } from "../fs/module.ts";
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
export async function prepare({ branches }: TreeOptions, loops: number): Promise<SharedTree> {
  const shared = new Map<string, branchModule.SharedBranch>();
  const sharers = branchModule.countSharers(branches);
  try {
    for (const branch of branches) {
      shared.set(branch.path, await branchModule.prepare({ branch, sharers }, loops));
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

/** Closes the sources of a branch that was removed. */
export function releaseBranch(shared: SharedTree, path: string): void {
  branchModule.release(shared.get(path)!);
}

/** Makes one loop's, or one handler's, part of the tree. */
export default function makeTree(options: TreeOptions, host: LoopHost<SharedTree>): FileSystem {
  const { branches, branchPointErrno, growing, targets } = options;
  const inHandlers = branchesInHandlers(branches);
  const loops = host.loops - inHandlers.length;
  const definitions = branches.map((branch) => {
    if (loops > 1 && !branchModule.canBeInAllLoops(branch)) {
      throw new RangeError(`Cannot serve "${branch.path}" from ${loops} loops: one has to do for type ${branch.type}`);
    }
    const shared = host.shared.get(branch.path)!;
    const handler = inHandlers.indexOf(branch);
    const isHere = handler === (host.handler ?? -1);
    if (isHere) forgetFilesOfDead(branch, shared, host);
    const filesystem = branchModule.default({ branch }, { ...host, shared });
    return { id: branch.id, path: branch.path, filesystem, ...handler >= 0 && { handler } };
  });
  const { handler } = host;
  return new BranchFileSystem(definitions, { branchPointErrno, growing, handler, ...targets && { targets } });
}

/** What a filesystem in memory held is gone with its handler, and takes up nothing any more. */
function forgetFilesOfDead(
  { type }: BranchConfig,
  { usage }: branchModule.SharedBranch,
  { restarts = 0 }: LoopHost,
): void {
  if (type === "memory" && restarts > 0 && usage !== undefined) usage[0] = 0;
}
