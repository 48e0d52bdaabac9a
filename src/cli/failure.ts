/** How a command fails: with a message for the user and a kind, which run.ts turns into an exit code. */
import type { FailureKind } from "./exit_codes.ts";

/** A failure that the user can understand from its message alone: what was attempted, on what, and what to do. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** What kind of failure it is. */
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
