/**
 * A module whose lookups do as their names say: of "gate" block the thread until the gate is open, of "bad"
 * throw, of "none" find nothing. All others find files; those called "wait-…" are opened when waiting is over.
 */
import { type FileSystem, Later } from "../../mod.ts";

/** Shared words: whether the gate is open, and whether waiting is over. */
export type UringModuleOptions = Int32Array<SharedArrayBuffer>;

export const GATE = 0;
export const OVER = 1;

/** The number of the node of "wait-0". */
const WAITING = 100;

export default function makeFileSystem(words: UringModuleOptions): FileSystem {
  const attributes = { mode: 0o100644, size: 4 };
  return {
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : attributes,
    lookup(_parent, name) {
      if (name === "gate") Atomics.wait(words, GATE, 0);
      if (name === "bad") throw new TypeError("broken by intent");
      if (name === "none") return undefined;
      return { node: name.startsWith("wait-") ? WAITING + Number(name.slice(5)) : 2, attributes };
    },
    open(node) {
      if (node >= WAITING && Atomics.load(words, OVER) === 0) throw new Later(1);
      return { directIo: true };
    },
    read: (_node, _handle, offset) => new TextEncoder().encode("abcd").subarray(offset),
  };
}
