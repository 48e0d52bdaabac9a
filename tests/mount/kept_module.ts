/**
 * A filesystem without state: `/N` is file number N, which holds its number. What is named "stuck" keeps its loop until
 * the file `release` is in the folder that the options name.
 */
import type { FileSystem, NodeId } from "../../src/fs/filesystem.ts";
import { O_DIRECT } from "../../src/fs/flags.ts";

export interface KeptOptions {
  readonly folder: string;
  /** A server whose folder has the file `broken` fails. */
  readonly mayBreak?: boolean;
  /** The first server is killed before it serves. */
  readonly dies?: boolean;
}

const STUCK = 1_000_000;

export default function makeFileSystem({ folder, mayBreak = false, dies = false }: KeptOptions): FileSystem {
  if (mayBreak && exists(`${folder}/broken`)) throw new Error("broken by intent");
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
  return {
    getAttributes: attributes,
    lookup(_parent, name) {
      if (name === "stuck") {
        Deno.writeTextFileSync(`${folder}/asked-${Deno.pid}`, "");
        while (!exists(`${folder}/release`)) Atomics.wait(sleep, 0, 0, 10);
      }
      const node = name === "stuck" ? STUCK : Number(name);
      return Number.isInteger(node) && node > 1 ? { node, attributes: attributes(node) } : undefined;
    },
    open: (_node, flags) => ({ handle: flags & O_DIRECT, directIo: true }),
    read: (node, _handle, offset, size) => text(node).subarray(offset, offset + size),
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
