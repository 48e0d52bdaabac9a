/**
 * A filesystem without state: `/N` is file number N, which holds its number. What begins with "stuck" keeps its loop
 * until the file `release` is in the folder that the options name.
 */
import type { FileSystem, NodeId } from "../../src/fs/filesystem.ts";
import type { KeptState, LoopHost } from "../../src/fs/module.ts";
import { O_DIRECT } from "../../src/fs/flags.ts";

export interface KeptOptions {
  readonly folder: string;
  /** A server whose folder has the file `broken` fails; one whose folder has `hang` never begins, and calls that `hung`. */
  readonly mayBreak?: boolean;
  /** All loops but the first fail. */
  readonly laterBreak?: boolean;
  /** The first server is killed before it serves. */
  readonly dies?: boolean;
  /** The first server has all its loops serve, each later one the first of them alone, until the file `wake` is there. */
  readonly rests?: boolean;
  /** Whoever looks up "elsewhere" waits for this file. */
  readonly elsewhere?: string;
}

const STUCK = 1_000_000;

/** `/slow`, which the kernel caches: reading it takes until the file `release` is there. */
export const SLOW = STUCK + 1;

/** What a server was told of those before it is in the file `interrupted-N` then, after N servers. */
export function prepare({ folder }: KeptOptions, _loops: number, kept?: KeptState): void {
  if (exists(`${folder}/hang`)) {
    Deno.renameSync(`${folder}/hang`, `${folder}/hung`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  if (kept === undefined) return;
  Deno.writeTextFileSync(`${folder}/interrupted-${kept.restarts}`, JSON.stringify(kept.interrupted));
}

export default function makeFileSystem(
  { folder, mayBreak = false, laterBreak = false, dies = false, rests = false, elsewhere }: KeptOptions,
  { loop, restarts = 0 }: LoopHost,
): FileSystem {
  if ((mayBreak && exists(`${folder}/broken`)) || (laterBreak && loop > 0)) throw new Error("broken by intent");
  if (dies && !exists(`${folder}/died`)) {
    Deno.writeTextFileSync(`${folder}/died`, "");
    Deno.kill(Deno.pid, "SIGKILL");
  }
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  const text = (node: NodeId) => new TextEncoder().encode(`${node}\n`);
  const attributes = (node: NodeId) => ({
    mode: node === 1 ? 0o40755 : 0o100644,
    size: node === 1 ? 0 : text(node).length,
  });
  const waitForFile = (name: string) => {
    while (!exists(`${folder}/${name}`)) Atomics.wait(sleep, 0, 0, 10);
  };
  return {
    initialize() {
      if (rests && loop > 0 && restarts > 0) waitForFile("wake");
    },
    getAttributes: attributes,
    lookup(_parent, name) {
      if (name.startsWith("stuck")) {
        Deno.writeTextFileSync(`${folder}/asked-${Deno.pid}`, `${name}\n`, { append: true });
        waitForFile("release");
      }
      if (name === "elsewhere") Deno.statSync(elsewhere!);
      const node = name.startsWith("stuck") ? STUCK : name === "slow" ? SLOW : Number(name);
      return Number.isInteger(node) && node > 1 ? { node, attributes: attributes(node) } : undefined;
    },
    open: (node, flags) => ({ handle: flags & O_DIRECT, directIo: node !== SLOW }),
    read(node, _handle, offset, size) {
      if (node === SLOW) {
        Deno.writeTextFileSync(`${folder}/asked-${Deno.pid}`, "slow\n", { append: true });
        waitForFile("release");
      }
      return text(node).subarray(offset, offset + size);
    },
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
