/**
 * One branch of a configuration as a module that loops and handlers load: its filesystem and its wrappers. What it shows
 * of the host is opened once, for all.
 */
import type { FileSystem } from "../fs/filesystem.ts";
import type { KeptState, LoopHost } from "../fs/module.ts";
import { MemoryFileSystem } from "../layers/memory/mod.ts";
import { KeptMemoryFileSystem } from "../layers/memory/kept_memory.ts";
import { openKeptMemory, type SharedMemory, shareKeptMemory } from "../layers/memory/module.ts";
import * as passthrough from "../layers/passthrough/module.ts";
import { type KeptUnionMemory, makeUnion, shareKeptUnion, statesOfMembers } from "../layers/union/mod.ts";
import {
  makeSizeUsage,
  SIZE_USAGE_BYTES,
  sizeChangeOf,
  sizeChangesBytes,
  type SizeUsage,
} from "../layers/wrappers/mod.ts";
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

/** The word of a size usage that says whether what was there at first has been counted. */
const MEASURED = 1;

type Source = ReturnType<typeof passthrough.prepare>;

/** What all loops share of a branch. */
export interface SharedBranch {
  readonly id: number;
  /** As {@linkcode sourcesOf} has them. */
  readonly sources: readonly Source[];
  /** Where files in memory are that outlive the server. */
  readonly content: SharedMemory | undefined;
  /** Where a union's tables are that outlive the server. */
  readonly tables: KeptUnionMemory | undefined;
  /** Where a size limit counts. */
  readonly usage: SizeUsage | undefined;
  /** Where the loops write down what they change, behind the usage, if that outlives them. */
  readonly changes: SharedArrayBuffer | undefined;
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
export async function prepare(
  { branch, sharers }: BranchOptions,
  loops: number,
  kept?: KeptState,
): Promise<SharedBranch> {
  const content = branch.type === "memory" && branch.options.keepContent && kept ? shareKeptMemory(kept) : undefined;
  if (branch.type === "memory" && kept !== undefined && content === undefined) sayWhatIsGone(branch, kept);
  const counting = await makeUsage(branch, loops, kept?.part("usage"));
  const tables = branch.type === "union" && kept !== undefined ? shareKeptUnion(kept.part("union")) : undefined;
  const sources: Source[] = [];
  try {
    const given = passthroughOptions(branch);
    const parts = kept && given.map((_, index) => kept.part(`source${index}`));
    const states = parts && tables ? statesOfMembers(parts, tables) : parts;
    for (const [index, options] of given.entries()) {
      const source = passthrough.prepare(options, loops, states?.[index]);
      const isOpen = options.maxDescriptors === undefined;
      sources.push(isOpen ? { ...source, maxDescriptors: Math.ceil(source.maxDescriptors / sharers) } : source);
    }
  } catch (error) {
    release({ sources });
    throw error;
  }
  return { id: branch.id, sources, content, tables, ...counting };
}

/** Closes the sources; those of a branch that was removed for good. */
export function release({ sources }: Pick<SharedBranch, "sources">, removed = false): void {
  for (const source of sources) passthrough.release(source, removed);
}

/** What an isolate has of a branch that another serves: nothing of what outlives the server, of which there is one user. */
export function withoutKept(shared: SharedBranch): SharedBranch {
  return { ...shared, content: undefined, tables: undefined };
}

/** Makes one loop's, or one handler's, filesystem; `host.restarts` of a handler is for those that it serves. */
export default function makeBranch(
  { branch }: Pick<BranchOptions, "branch">,
  host: LoopHost<SharedBranch>,
): FileSystem {
  const { loop, shared: { usage, changes } } = host;
  const filesystem = makeFileSystem(branch, host);
  if (usage !== undefined) countMemory(filesystem, usage, host);
  return wrapBranch(filesystem, branch.wrappers, {
    ...usage && { usage },
    ...changes && { change: sizeChangeOf(changes, SIZE_USAGE_BYTES, loop) },
  });
}

function makeFileSystem(branch: BranchConfig, host: LoopHost<SharedBranch>): FileSystem {
  const { restarts = 0, shared: { sources, content, tables } } = host;
  const directories = passthroughOptions(branch).map((options, index) =>
    passthrough.default(options, { ...host, shared: sources[index]! })
  );
  switch (branch.type) {
    case "memory":
      return content === undefined
        ? new MemoryFileSystem({ ...branch.options, restarts })
        : openKeptMemory({ ...branch.options, restarts }, content);
    case "passthrough":
      return directories[0]!;
    case "union": {
      const members = branch.sources.map(({ path, writable }, index) => ({
        filesystem: directories[index]!,
        writable,
        name: path,
      }));
      return makeUnion(members, { createPolicy: branch.createPolicy, restarts, kept: tables });
    }
  }
}

/** What a size limit finds in memory when it begins to count there. */
function countMemory(filesystem: FileSystem, usage: SizeUsage, { restarts = 0 }: LoopHost): void {
  if (!(filesystem instanceof MemoryFileSystem)) return;
  if (!(filesystem instanceof KeptMemoryFileSystem)) {
    // What it held is gone with its server, and takes up nothing any more.
    if (restarts > 0) usage[0] = 0;
  } else if (usage[MEASURED] === 0) {
    // The files outlive the connection, and what was counted does not.
    usage[0] = filesystem.measure();
    usage[MEASURED] = 1;
  }
}

/** How each source of a branch is opened. */
function passthroughOptions(branch: BranchConfig): passthrough.PassthroughOptions[] {
  return branch.type === "passthrough" ? [branch.options] : sourcesOf(branch).map(({ path }) => ({ source: path }));
}

/** A server before this one may have had files of the branch. */
function sayWhatIsGone({ path }: BranchConfig, kept: KeptState): void {
  const seen = new Int32Array(kept.part("seen").memory(4));
  if (seen[0] === 1) kept.log(`Branch "${path}" is in memory, and empty: its files went with the server before`, "");
  seen[0] = 1;
}

/** Files that are open and have no name count too, so that only the first server counts anew. */
async function makeUsage(
  branch: BranchConfig,
  loops: number,
  kept: KeptState | undefined,
): Promise<Pick<SharedBranch, "usage" | "changes">> {
  if (branch.wrappers.maxSize === undefined) return { usage: undefined, changes: undefined };
  const memory = kept?.memory(SIZE_USAGE_BYTES + sizeChangesBytes(loops));
  const usage = makeSizeUsage(memory);
  if (usage[MEASURED] === 0 && branch.type !== "memory") {
    usage[0] = await measureFiles(sourcesOf(branch).map(({ path }) => path));
    usage[MEASURED] = 1;
  }
  return { usage, changes: memory };
}
