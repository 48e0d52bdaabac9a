/**
 * A branch that another isolate serves, as the others see it: the operations and features are its filesystem's, so that all
 * isolates have the same tree, but none of them is done here.
 */
import { Elsewhere } from "../../fs/errors.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { METHOD_NAMES } from "../support/methods.ts";

/** The stand-in for `filesystem`, which is never asked: handler number `handler` serves it, or the loops do (undefined). */
export function standIn(filesystem: FileSystem, handler: number | undefined): FileSystem {
  const elsewhere = new Elsewhere(handler ?? -1);
  const handOn = (): never => {
    throw elsewhere;
  };
  const methods = METHOD_NAMES.filter((name) => filesystem[name] !== undefined && name !== "forget");
  return {
    ...Object.fromEntries(methods.map((name) => [name, handOn])),
    // The handler counts what it gave out, and so is told of all that is forgotten.
    forgetLookups: handOn,
    features: filesystem.features ?? [],
  };
}
