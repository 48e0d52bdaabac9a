/** Waiting for others with a deadline. */
import { type ErrnoName, FsError } from "../fs/errors.ts";

/**
 * What `done` gives, unless that takes longer than so many milliseconds.
 *
 * @throws {FsError} ETIMEDOUT, or another code, with the text that `late` gives then; and what `done` rejects with.
 */
export async function inTime<Result>(
  done: Promise<Result>,
  milliseconds: number,
  late: () => string,
  code: ErrnoName = "ETIMEDOUT",
): Promise<Result> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new FsError(code, late())), milliseconds);
  try {
    return await Promise.race([done, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `done` to come to its end, however it does, but no longer than so many milliseconds. */
export async function atMost(done: Promise<unknown>, milliseconds: number): Promise<void> {
  await inTime(done, milliseconds, () => "").catch(() => {});
}
