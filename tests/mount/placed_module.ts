/**
 * A tree of branches for two loops and handlers: a directory of the host at "/", which the loops serve, and in handlers a
 * filesystem in memory at /memory and one at /dead whose reads do what the file's name says.
 */
import { BranchFileSystem, type FileSystem, type LoopHost } from "../../mod.ts";
import { MemoryFileSystem } from "../../src/layers/memory/mod.ts";
import * as passthrough from "../../src/layers/passthrough/module.ts";
import makePoolFileSystem, { type PoolOptions } from "./pool_module.ts";

export interface PlacedOptions extends PoolOptions {
  readonly source: string;
}

type Shared = ReturnType<typeof passthrough.prepare>;

const passthroughOptions = (source: string): passthrough.PassthroughOptions => ({ source, cache: "never" });

export function prepare({ source }: PlacedOptions, loops: number): Shared {
  return passthrough.prepare(passthroughOptions(source), loops);
}

export const release = passthrough.release;

export default function makeTree(options: PlacedOptions, host: LoopHost<Shared>): FileSystem {
  return new BranchFileSystem([
    { path: "/", filesystem: passthrough.default(passthroughOptions(options.source), host) },
    { path: "/memory", filesystem: new MemoryFileSystem({ restarts: host.restarts ?? 0 }), handler: 0 },
    { path: "/dead", filesystem: makePoolFileSystem(options, host), handler: 1 },
    { path: "/dead/on/way", filesystem: new MemoryFileSystem(), handler: 0 },
  ], { handler: host.handler });
}
