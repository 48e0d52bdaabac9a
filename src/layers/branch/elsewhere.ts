/**
 * A branch that another isolate serves, as the others see it: the operations and features are its filesystem's, so that all
 * isolates have the same tree, but none of them is done here.
 */
import { Elsewhere, FsError } from "../../fs/errors.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { METHOD_NAMES } from "../support/methods.ts";
import type { AllMethods } from "./missing_methods.ts";

/**
 * The stand-in for `filesystem` in a loop, or in handler number `here`: the filesystem is never asked, for handler number
 * `handler` serves it, or the loops do (undefined).
 */
export function standIn(filesystem: FileSystem, handler: number | undefined, here: number | undefined): FileSystem {
  const handOn = here === undefined ? throwing(new Elsewhere(handler!)) : refuse;
  const methods = METHOD_NAMES.filter((name) => filesystem[name] !== undefined && name !== "forget");
  return {
    ...Object.fromEntries(methods.map((name) => [name, handOn])),
    // The handler counts what it gave out, and so is told of all that is forgotten.
    forgetLookups: handOn,
    features: filesystem.features ?? [],
  };
}

function throwing(error: Error): () => never {
  return () => {
    throw error;
  };
}

/**
 * A handler is asked for what is not its own only while branches change, by a loop whose tree is not the handler's. The
 * kernel looks a name up once more before somebody sees ESTALE (retry_estale in fs/namei.c), and the loops have changed by
 * then.
 */
function refuse(): never {
  throw new FsError("ESTALE", "Another isolate serves this branch: the branches are changing");
}

/** The stand-in, in a handler, for a branch that came later: whatever it can do, it is not asked here. */
export function strangerMethods(): AllMethods {
  return Object.fromEntries(METHOD_NAMES.map((name) => [name, refuse])) as unknown as AllMethods;
}
