/**
 * Files in memory that outlive their server, as a slow remote would serve them: each method first waits for a moment, so
 * that many requests are under way. Looking up what begins with "slow" waits until the file `release` is in the folder that the options
 * name, "stuck" keeps the isolate of the first server for ever, "die" ends the worker. Whoever asked is in `asked-PID` then.
 */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { KeptState, LoopHost } from "../../src/fs/module.ts";
import { openKeptMemory, type SharedMemory, shareKeptMemory } from "../../src/layers/memory/module.ts";
import { METHOD_NAMES } from "../../src/layers/support/methods.ts";

export interface KeptHandlerOptions {
  readonly folder: string;
  /** How long a method waits at most, in milliseconds. Default 3. */
  readonly delay?: number;
}

interface Shared {
  readonly memory: SharedMemory;
  readonly restarts: number;
}

export function prepare(_options: KeptHandlerOptions, _workers: number, kept?: KeptState): Shared {
  return { memory: shareKeptMemory(kept!), restarts: kept!.restarts };
}

export default function makeFileSystem(
  { folder, delay = 3 }: KeptHandlerOptions,
  { shared, restarts }: LoopHost<Shared>,
): FileSystem {
  Deno.writeTextFileSync(`${folder}/made`, `${restarts}\n`, { append: true });
  const files: FileSystem = openKeptMemory({}, shared.memory);
  type Method = (...given: unknown[]) => unknown;
  const methods = files as unknown as Record<string, Method>;
  const present = METHOD_NAMES.filter((name) => typeof methods[name] === "function");
  const slowly = present.map((name): [string, Method] => [name, async (...given) => {
    await wait(Math.random() * delay);
    if (name === "lookup") await meet(given[1] as string, folder, shared.restarts);
    return methods[name]!.apply(files, given);
  }]);
  return {
    ...Object.fromEntries(slowly),
    features: files.features ?? [],
    forgetLookups: (node, count) => files.forgetLookups!(node, count),
  };
}

/** The isolate may be kept for ever: what is told of it is told before. */
async function meet(name: string, folder: string, restarts: number): Promise<void> {
  const [kind = ""] = name.split("-");
  if (!["slow", "stuck", "die"].includes(kind)) return;
  await Deno.writeTextFile(`${folder}/asked-${Deno.pid}`, `${kind}\n`, { append: true });
  if (kind === "die") self.close();
  if (kind === "stuck" && restarts === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  while (kind === "slow" && !isThere(`${folder}/release`)) await wait(10);
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
