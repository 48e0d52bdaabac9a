/** What `branch.ts` measures: a directory of the host as one of many branches, inside loops or a handler. */
import type { FileSystem, LoopHost } from "../mod.ts";
import { BranchFileSystem } from "../mod.ts";
import { MemoryFileSystem } from "../src/layers/memory/mod.ts";
import * as passthrough from "../src/layers/passthrough/module.ts";

export interface Tree {
  /** Shown at /src. */
  readonly source: passthrough.PassthroughOptions;
  /** How many branches there are in all. */
  readonly branches: number;
  /** Whether a handler serves /src. */
  readonly inHandler: boolean;
}

type Source = ReturnType<typeof passthrough.prepare>;

export function prepare({ source }: Tree, loops: number): Source {
  return passthrough.prepare(source, loops);
}

export const release = passthrough.release;

export default function makeTree({ source, branches, inHandler }: Tree, host: LoopHost<Source>): FileSystem {
  const others = Array.from({ length: branches - 1 }, (_, index) => ({
    path: `/other/${index}`,
    filesystem: new MemoryFileSystem(),
  }));
  const measured = { path: "/src", filesystem: passthrough.default(source, host), ...inHandler && { handler: 0 } };
  return new BranchFileSystem([measured, ...others], { handler: host.handler });
}
