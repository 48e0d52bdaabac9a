/** Which methods a filesystem has: what the kernel is asked for depends on it. */
import type { FileSystem } from "../fs/filesystem.ts";
import { OPERATIONS } from "../protocol/operations.ts";

// SETLK stands for two methods; the table names the one.
const METHODS = [...new Set([...OPERATIONS.values()].map(({ method }) => method)), "setWholeFileLock" as const];

/** The names of the operations that `filesystem` has, inherited ones too. */
export function methodsOf(filesystem: FileSystem): string[] {
  return METHODS.filter((method) => typeof filesystem[method] === "function");
}

/**
 * Whether the library is to count lookups for it: it wants to be told of nodes that the kernel let go of, and does not
 * count by itself. Each isolate counts what it hands out, so that only one may serve such a filesystem.
 */
export function needsCounts({ forget, forgetLookups }: FileSystem): boolean {
  return forget !== undefined && forgetLookups === undefined;
}
