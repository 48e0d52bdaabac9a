/** The passthrough layer with a fault. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import makePassthrough, { type PassthroughOptions } from "../../src/layers/passthrough/module.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { makeFaulty } from "../support/faults.ts";

export { prepare, release } from "../../src/layers/passthrough/module.ts";

export default function makeFileSystem(options: PassthroughOptions, host: LoopHost<Source>): FileSystem {
  return makeFaulty(makePassthrough(options, host), host.loop);
}
