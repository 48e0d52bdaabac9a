/**
 * A tree for a loop and a handler: the files of `kept_module.ts` at "/", which the loop serves, and at "/slow" those of
 * `kept_handler_module.ts`.
 */
import { BranchFileSystem } from "../../src/layers/branch/mod.ts";
import { MemoryFileSystem } from "../../src/layers/memory/mod.ts";
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { KeptState, LoopHost } from "../../src/fs/module.ts";
import makeSlow, { type KeptHandlerOptions, prepare as prepareSlow } from "./kept_handler_module.ts";
import makeNumbers from "./kept_module.ts";

type Shared = ReturnType<typeof prepareSlow>;

export function prepare(options: KeptHandlerOptions, loops: number, kept?: KeptState): Shared {
  return prepareSlow(options, loops, kept!.part("slow"));
}

export default function makeTree(options: KeptHandlerOptions, host: LoopHost<Shared>): FileSystem {
  const { handler, agreed } = host;
  // Only one isolate may have what is kept; in the others it is enough that the operations are the same.
  const slow = handler === 0 ? makeSlow(options, host) : new MemoryFileSystem();
  return new BranchFileSystem([
    { path: "/", filesystem: makeNumbers(options, host) },
    { path: "/slow", filesystem: slow, handler: 0 },
  ], { handler, agreed });
}
