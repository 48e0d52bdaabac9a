/** A tree of branches inside loops: memory, and directories of the host, which every loop may serve. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import { BranchFileSystem, type BranchOptions } from "../../src/layers/branch/mod.ts";
import { MemoryFileSystem } from "../../src/layers/memory/mod.ts";
import * as passthrough from "../../src/layers/passthrough/module.ts";

/** A directory of the host, or without one a filesystem in memory (for one loop). */
export interface BranchSpecification {
  readonly path: string;
  readonly passthrough?: passthrough.PassthroughOptions;
}

export interface TreeOptions extends BranchOptions {
  readonly branches: readonly BranchSpecification[];
}

/** Sources by their branch's path. */
type Shared = ReadonlyMap<string, ReturnType<typeof passthrough.prepare>>;

export function prepare({ branches }: TreeOptions, loops: number): Shared {
  return new Map(
    branches.flatMap(({ path, passthrough: source }) => source ? [[path, passthrough.prepare(source, loops)]] : []),
  );
}

export function release(shared: Shared): void {
  for (const source of shared.values()) passthrough.release(source);
}

export function releaseBranch(shared: Shared, path: string): void {
  const source = shared.get(path);
  if (source !== undefined) passthrough.release(source);
}

export default function makeTree(options: TreeOptions, host: LoopHost<Shared>): FileSystem {
  const branches = options.branches.map(({ path, passthrough: source }) => {
    const shared = host.shared.get(path);
    const filesystem = source && shared ? passthrough.default(source, { ...host, shared }) : new MemoryFileSystem();
    return { path, filesystem };
  });
  return new BranchFileSystem(branches, { ...options, handler: host.handler });
}
