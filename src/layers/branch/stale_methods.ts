/** The operations of a branch that was removed: nothing is there any more, and only closing still succeeds. */
import { FsError } from "../../fs/errors.ts";
import { METHOD_NAMES } from "../support/methods.ts";
import type { AllMethods } from "./missing_methods.ts";

export function staleMethods(id: number, path: string): AllMethods {
  const stale = (): never => {
    throw new FsError("ESTALE", `Branch ${id} at "${path}" was removed`);
  };
  const methods = Object.fromEntries(METHOD_NAMES.map((name) => [name, stale])) as unknown as AllMethods;
  return { ...methods, release: () => {}, releaseDirectory: () => {} };
}
