/**
 * The tree of a configuration as a module that session loops load: its branches, each with its wrappers, grafted into one.
 * What branches show of the host is opened once, for all loops.
 */
import type { FileSystem } from "../fs/filesystem.ts";
import type { LoopHost } from "../fs/module.ts";
import { BranchFileSystem, type MountTargets } from "../layers/branch/mod.ts";
import { MemoryFileSystem } from "../layers/memory/mod.ts";
import * as passthrough from "../layers/passthrough/module.ts";
import { makeUnion } from "../layers/union/mod.ts";
import { makeSizeUsage, type SizeUsage } from "../layers/wrappers/mod.ts";
import { type BranchConfig, sourcesOf } from "./config.ts";
import { measureFiles } from "./measure_files.ts";
import { wrapBranch } from "./wrap_branch.ts";

/** Options of the module; they survive a structured clone. */
export interface TreeOptions {
  /** In the order of their ids. */
  readonly branches: readonly BranchConfig[];
  readonly branchPointErrno: "EBUSY" | "EPERM";
  /** What is to be there for somebody to mount on. */
  readonly targets?: MountTargets;
}

type Source = ReturnType<typeof passthrough.prepare>;

/** What all loops share of a branch. */
export interface SharedBranch {
  /** As {@linkcode sourcesOf} has them. */
  readonly sources: readonly Source[];
  /** Where a size limit counts. */
  readonly usage: SizeUsage | undefined;
}

/** Whether a branch lives in memory of one isolate's own, so that what serves it is alone with it. */
function isConfined({ type }: BranchConfig): boolean {
  return type !== "passthrough";
}

/** Whether a branch stands in nobody's way to several loops: it can be in all of them, or is in none. */
export function canBeInAllLoops(branch: BranchConfig): boolean {
  return !isConfined(branch) || branch.placement === "handler";
}

/** The branches that have a handler of their own, beside the loops, in the order of the handlers. */
export function branchesInHandlers(branches: readonly BranchConfig[]): BranchConfig[] {
  return branches.filter(({ placement }) => placement === "handler");
}

/** Opens the sources of all branches. @throws {FsError} that names the source which cannot be opened. */
export async function prepare({ branches }: TreeOptions, loops: number): Promise<SharedBranch[]> {
  const shared: SharedBranch[] = [];
  try {
    for (const branch of branches) {
      const sources: Source[] = [];
      shared.push({ sources, usage: await makeUsage(branch) });
      for (const options of passthroughOptions(branch)) sources.push(passthrough.prepare(options, loops));
    }
  } catch (error) {
    release(shared);
    throw error;
  }
  return shareDescriptors(branches, shared);
}

/** Closes the sources. */
export function release(shared: readonly SharedBranch[]): void {
  for (const { sources } of shared) sources.forEach(passthrough.release);
}

/** Makes one loop's, or one handler's, part of the tree. */
export default function makeTree(options: TreeOptions, host: LoopHost<readonly SharedBranch[]>): FileSystem {
  const { branches, branchPointErrno, targets } = options;
  const inHandlers = branchesInHandlers(branches);
  const loops = host.loops - inHandlers.length;
  const definitions = branches.map((branch, index) => {
    if (loops > 1 && !canBeInAllLoops(branch)) {
      throw new RangeError(`Cannot serve "${branch.path}" from ${loops} loops: one has to do for type ${branch.type}`);
    }
    const shared = host.shared[index]!;
    const handler = inHandlers.indexOf(branch);
    const isHere = handler === (host.handler ?? -1);
    if (isHere) forgetFilesOfDead(branch, shared, host);
    const filesystem = wrapBranch(makeBranch(branch, shared, host), branch.wrappers, shared.usage);
    return { id: branch.id, path: branch.path, filesystem, ...handler >= 0 && { handler } };
  });
  return new BranchFileSystem(definitions, { branchPointErrno, handler: host.handler, ...targets && { targets } });
}

/** What a filesystem in memory held is gone with its handler, and takes up nothing any more. */
function forgetFilesOfDead({ type }: BranchConfig, { usage }: SharedBranch, { restarts = 0 }: LoopHost): void {
  if (type === "memory" && restarts > 0 && usage !== undefined) usage[0] = 0;
}

function makeBranch(branch: BranchConfig, { sources }: SharedBranch, host: LoopHost): FileSystem {
  const { restarts = 0 } = host;
  const directories = passthroughOptions(branch).map((options, index) =>
    passthrough.default(options, { ...host, shared: sources[index]! })
  );
  switch (branch.type) {
    case "memory":
      return new MemoryFileSystem({ ...branch.options, restarts });
    case "passthrough":
      return directories[0]!;
    case "union": {
      const members = branch.sources.map(({ path, writable }, index) => ({
        filesystem: directories[index]!,
        writable,
        name: path,
      }));
      return makeUnion(members, { createPolicy: branch.createPolicy, restarts });
    }
  }
}

/** How each source of a branch is opened. */
function passthroughOptions(branch: BranchConfig): passthrough.PassthroughOptions[] {
  return branch.type === "passthrough" ? [branch.options] : sourcesOf(branch).map(({ path }) => ({ source: path }));
}

async function makeUsage(branch: BranchConfig): Promise<SizeUsage | undefined> {
  if (branch.wrappers.maxSize === undefined) return undefined;
  const usage = makeSizeUsage();
  usage[0] = await measureFiles(sourcesOf(branch).map(({ path }) => path));
  return usage;
}

/** Each source takes half of the process's descriptors unless its options say how many; together they share that half. */
function shareDescriptors(branches: readonly BranchConfig[], shared: readonly SharedBranch[]): SharedBranch[] {
  const isOpen = (index: number) => passthroughOptions(branches[index]!)[0]?.maxDescriptors === undefined;
  const count = shared.filter((_, index) => isOpen(index)).reduce((sum, { sources }) => sum + sources.length, 0);
  return shared.map(({ sources, usage }, index) => ({
    usage,
    sources: sources.map((source) => {
      return isOpen(index) ? { ...source, maxDescriptors: Math.ceil(source.maxDescriptors / count) } : source;
    }),
  }));
}
