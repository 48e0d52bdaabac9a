/** A module for a branch with one file, which counts how often it is made and ended, and can fail in one loop. */
import type { FileSystem, LoopHost } from "../../mod.ts";

export interface CountedOptions {
  /** Shared words, see below. */
  readonly counts: Int32Array<SharedArrayBuffer>;
  /** The loop in which it cannot be made. */
  readonly failsIn?: number;
}

export const PREPARED = 0;
export const MADE = 1;
export const DESTROYED = 2;
export const RELEASED = 3;

/** Words for {@linkcode CountedOptions}. */
export function makeCounts(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(16));
}

export function prepare({ counts }: CountedOptions): CountedOptions["counts"] {
  counts[PREPARED]!++;
  return counts;
}

export function release(counts: CountedOptions["counts"]): void {
  counts[RELEASED]!++;
}

export default function make({ failsIn }: CountedOptions, host: LoopHost<CountedOptions["counts"]>): FileSystem {
  if (host.loop === failsIn) throw new Error("no room in this loop");
  Atomics.add(host.shared, MADE, 1);
  const attributes = { mode: 0o100644, size: 4 };
  return {
    // What else the tree asks for, so that this may be grafted into it.
    features: ["handle-killpriv-v2"],
    destroy: () => void Atomics.add(host.shared, DESTROYED, 1),
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes } : undefined,
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : attributes,
    open: () => ({ directIo: true }),
    release: () => {},
    read: (_node, _handle, offset) => new TextEncoder().encode("text").subarray(offset),
    forgetLookups: () => {},
  };
}
