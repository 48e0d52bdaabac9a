/** The tree of a configuration with a fault. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import makeTree, { type SharedTree, type TreeOptions } from "../../src/config/tree_module.ts";
import { makeFaulty } from "../support/faults.ts";

export { prepare, release, releaseBranch } from "../../src/config/tree_module.ts";

export default function makeFileSystem(options: TreeOptions, host: LoopHost<SharedTree>): FileSystem {
  return makeFaulty(makeTree(options, host), host.loop);
}
