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

type Shared = (ReturnType<typeof passthrough.prepare> | undefined)[];

export function prepare({ branches }: TreeOptions, loops: number): Shared {
  return branches.map((branch) => branch.passthrough && passthrough.prepare(branch.passthrough, loops));
}

export function release(shared: Shared): void {
  for (const source of shared) if (source !== undefined) passthrough.release(source);
}

export default function makeTree(options: TreeOptions, host: LoopHost<Shared>): FileSystem {
  const branches = options.branches.map(({ path, passthrough: source }, index) => {
    const shared = host.shared[index];
    const filesystem = source && shared ? passthrough.default(source, { ...host, shared }) : new MemoryFileSystem();
    return { path, filesystem };
  });
  return new BranchFileSystem(branches, options);
}
