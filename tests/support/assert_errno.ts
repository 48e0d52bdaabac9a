/** Asserts that something is refused with a certain errno. */
import { errnoNameOf } from "../../src/fs/errors.ts";
import type { ErrnoName } from "../../src/fs/errors.ts";
import { assertEquals } from "../deps.ts";

/** Runs `attempt`, which must throw what the caller of the filesystem would see as `code`. */
export function assertErrno(code: ErrnoName, attempt: () => unknown): void {
  let outcome: unknown = "success";
  try {
    attempt();
  } catch (thrown) {
    outcome = errnoNameOf(thrown) ?? thrown;
  }
  assertEquals(outcome, code);
}
