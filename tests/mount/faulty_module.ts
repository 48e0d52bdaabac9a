/** The passthrough layer with a fault: every tenth request throws before anything is done of it. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import makePassthrough, { type PassthroughOptions } from "../../src/layers/passthrough/module.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";

export { prepare, release } from "../../src/layers/passthrough/module.ts";

/**
 * What nobody hears the answer of would be lost: a file that stays open. And by statistics the test sees that a server
 * answers.
 */
const SPARED = new Set(["initialize", "destroy", "forgetLookups", "release", "releaseDirectory", "getStatistics"]);

const EVERY = 10;

export default function makeFileSystem(options: PassthroughOptions, host: LoopHost<Source>): FileSystem {
  const filesystem = makePassthrough(options, host) as Record<string, unknown>;
  let requests = host.loop * (EVERY / 2);
  for (const [name, method] of Object.entries(filesystem)) {
    if (typeof method !== "function" || SPARED.has(name)) continue;
    filesystem[name] = (...parameters: unknown[]) => {
      if (++requests % EVERY === 0) throw new Error("a fault by intent");
      return method(...parameters);
    };
  }
  return filesystem;
}
