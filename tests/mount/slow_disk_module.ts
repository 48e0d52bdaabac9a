/**
 * The tree of a configuration on a slow disk: each long piece takes a while to read, and one that begins with "!" takes
 * until it is another.
 */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import makeTree, { type SharedTree, type TreeOptions } from "../../src/config/tree_module.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { replaceCall } from "../support/crashing_calls.ts";

export { prepare, release, releaseBranch } from "../../src/config/tree_module.ts";

/** A union copies in pieces of so many bytes; each takes so many milliseconds. */
export const PIECE = 1 << 17;
export const PIECE_MILLISECONDS = 400;

const STUCK = "!".charCodeAt(0);

export default function makeFileSystem(options: TreeOptions, host: LoopHost<SharedTree>): FileSystem {
  const tree = makeTree(options, host);
  const files = openFiles() as { pread(...given: [number, Uint8Array<ArrayBuffer>, number, bigint]): number };
  const { pread } = files;
  replaceCall(files, "pread", (descriptor, buffer, size, offset) => {
    for (;;) {
      const length = pread(descriptor, buffer, size, offset);
      if (size < PIECE) return length;
      sleep(PIECE_MILLISECONDS);
      if (buffer[0] !== STUCK) return length;
    }
  });
  return tree;
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
