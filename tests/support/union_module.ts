/**
 * Directories of the host as one union, as a module for one loop. Options: each directory's path, and whether it is
 * writable.
 */
import type { LoopHost } from "../../src/fs/module.ts";
import type { FileSystem } from "../../src/fs/filesystem.ts";
import { type CreatePolicyName, makeUnion } from "../../src/layers/union/mod.ts";
import makePassthrough, { prepare as open, release as close } from "../../src/layers/passthrough/module.ts";

export interface UnionModuleOptions {
  readonly branches: readonly { readonly source: string; readonly writable: boolean }[];
  readonly createPolicy?: CreatePolicyName;
}

type Shared = ReturnType<typeof open>[];

export function prepare({ branches }: UnionModuleOptions, loops: number): Shared {
  return branches.map(({ source }) => open({ source }, loops));
}

export function release(sources: Shared): void {
  for (const source of sources) close(source);
}

export default function makeFileSystem(
  { branches, createPolicy = "ff" }: UnionModuleOptions,
  host: LoopHost<Shared>,
): FileSystem {
  const members = branches.map(({ source, writable }, index) => ({
    filesystem: makePassthrough({ source }, { ...host, shared: host.shared[index]! }),
    writable,
    name: source,
  }));
  return makeUnion(members, { createPolicy });
}
