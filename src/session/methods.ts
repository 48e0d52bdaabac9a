/** Which methods a filesystem has: what the kernel is asked for depends on it. */
import type { FileSystem } from "../fs/filesystem.ts";
import { OPERATIONS } from "../protocol/operations.ts";

// SETLK stands for two methods; the table names the one.
const METHODS = [...new Set([...OPERATIONS.values()].map(({ method }) => method)), "setWholeFileLock" as const];

/** The names of the operations that `filesystem` has, inherited ones too. */
export function methodsOf(filesystem: FileSystem): string[] {
  return METHODS.filter((method) => typeof filesystem[method] === "function");
}
