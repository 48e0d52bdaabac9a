/** Filesystems with a fault: every tenth request throws before anything is done of it. */
import type { FileSystem } from "../../src/fs/filesystem.ts";

/**
 * What nobody hears the answer of would be lost: a file that stays open. And by statistics the test sees that a server
 * answers.
 */
const SPARED = [
  ...["constructor", "initialize", "destroy", "forgetLookups", "release", "releaseDirectory", "getStatistics"],
];

const EVERY = 10;

/** Gives `filesystem` the fault in each of its methods. */
export function makeFaulty(filesystem: FileSystem, loop: number): FileSystem {
  const methods = filesystem as unknown as Record<string, (...parameters: unknown[]) => unknown>;
  let requests = loop * (EVERY / 2);
  let isServing = false;
  for (const name of methodsOf(filesystem)) {
    const method = methods[name]!.bind(filesystem);
    methods[name] = (...parameters) => {
      // What one method asks of another is no request.
      if (isServing) return method(...parameters);
      if (++requests % EVERY === 0) throw new Error("a fault by intent");
      isServing = true;
      try {
        return method(...parameters);
      } finally {
        isServing = false;
      }
    };
  }
  return filesystem;
}

function methodsOf(filesystem: FileSystem): Set<string> {
  const names = new Set<string>();
  for (let object: object = filesystem; object !== Object.prototype; object = Object.getPrototypeOf(object)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(object))) {
      if (typeof value === "function" && !SPARED.includes(name)) names.add(name);
    }
  }
  return names;
}
