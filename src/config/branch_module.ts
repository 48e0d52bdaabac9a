/**
 * One branch of a configuration as a module that loops and handlers load: its filesystem and its wrappers. What it shows
 * of the host is opened once, for all.
 */
import type { FileSystem } from "../fs/filesystem.ts";
import type { LoopHost } from "../fs/module.ts";
import { MemoryFileSystem } from "../layers/memory/mod.ts";
import * as passthrough from "../layers/passthrough/module.ts";
import { makeUnion } from "../layers/union/mod.ts";
import { makeSizeUsage, type SizeUsage } from "../layers/wrappers/mod.ts";
import { type BranchConfig, sourcesOf } from "./config.ts";
import { measureFiles } from "./measure_files.ts";
import { wrapBranch } from "./wrap_branch.ts";

/** Options of the module; they survive a structured clone. */
export interface BranchOptions {
  readonly branch: BranchConfig;
  /**
   * Each source takes half of the process's descriptors unless its options say how many; so many sources, those of other
   * branches counted too, share that half. See {@linkcode countSharers}.
   */
  readonly sharers: number;
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

/** How many sources share the descriptors that no branch has asked for. */
export function countSharers(branches: readonly BranchConfig[]): number {
  return branches.flatMap(passthroughOptions).filter(({ maxDescriptors }) => maxDescriptors === undefined).length;
}

/** Opens the branch's sources. @throws {FsError} that names the source which cannot be opened. */
export async function prepare({ branch, sharers }: BranchOptions, loops: number): Promise<SharedBranch> {
  const usage = await makeUsage(branch);
  const sources: Source[] = [];
  try {
    for (const options of passthroughOptions(branch)) {
      const source = passthrough.prepare(options, loops);
      const isOpen = options.maxDescriptors === undefined;
      sources.push(isOpen ? { ...source, maxDescriptors: Math.ceil(source.maxDescriptors / sharers) } : source);
    }
  } catch (error) {
    release({ sources, usage });
    throw error;
  }
  return { sources, usage };
}

/** Closes the sources. */
export function release({ sources }: SharedBranch): void {
  sources.forEach(passthrough.release);
}

/** Makes one loop's, or one handler's, filesystem. */
export default function makeBranch(
  { branch }: Pick<BranchOptions, "branch">,
  host: LoopHost<SharedBranch>,
): FileSystem {
  return wrapBranch(makeFileSystem(branch, host), branch.wrappers, host.shared.usage);
}

function makeFileSystem(branch: BranchConfig, host: LoopHost<SharedBranch>): FileSystem {
  const { restarts = 0, shared: { sources } } = host;
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
