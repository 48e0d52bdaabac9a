/** Errors on their way from one process to another. */
import { LibraryError } from "../../ffi/library.ts";
import { MountError } from "../connection/connection.ts";
import { MountpointError } from "../connection/mountpoint.ts";
import { type ErrnoName, FsError } from "../fs/errors.ts";
import { KeeperError } from "./kept_mount.ts";

/** Answers any question: it could not be done, and trying again would not help. */
export interface Failed {
  readonly kind: "failed";
  readonly message: string;
  /** The error's class, as in "MountError". */
  readonly error: string;
  /** The kind of answer in whose place this comes; missing when it is that of all who wait for one. */
  readonly of?: string;
  /** The errno's name, when it was an {@linkcode FsError}. */
  readonly code?: string;
}

/** What a process said that failed. */
export class ProcessFailure extends Error {
  override readonly name = "ProcessFailure";
  readonly failed: Failed;

  constructor(failed: Failed) {
    super(failed.message);
    this.failed = failed;
  }
}

/** The message for an error. */
export function describeFailure(error: unknown): Failed {
  if (error instanceof ProcessFailure) return error.failed;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { kind: "failed", message, error: name, ...error instanceof FsError && { code: error.code } };
}

const CLASSES: Readonly<Record<string, new (message: string) => Error>> = {
  ...{ MountError, MountpointError, LibraryError, KeeperError, TypeError, RangeError },
};

/** The error as it was in the other process. */
export function rebuildFailure({ error, message, code }: Failed): Error {
  if (code !== undefined) return new FsError(code as ErrnoName, message);
  return new (CLASSES[error] ?? Error)(message);
}

/** Waits, and throws what failed in the other process as if it were here. */
export async function unwrapFailure<Result>(promise: Promise<Result>): Promise<Result> {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof ProcessFailure ? rebuildFailure(error.failed) : error;
  }
}
