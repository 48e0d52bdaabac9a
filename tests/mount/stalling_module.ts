/** A module for a branch in loops with one file, a read of which returns when the test lets it. */
import type { FileSystem } from "../../mod.ts";

export interface StallingOptions {
  /** Word 0: reads that have begun. Word 1: whether they return. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

export default function make({ words }: StallingOptions): FileSystem {
  const attributes = { mode: 0o100644, size: 4 };
  return {
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes } : undefined,
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : attributes,
    open: () => ({ directIo: true }),
    read() {
      Atomics.add(words, 0, 1);
      Atomics.wait(words, 1, 0);
      return new Uint8Array();
    },
    forgetLookups: () => {},
  };
}
