/** What a notify worker says of a notification, as those who sent it hear it. */
import { ERRNO, errnoName, FsError } from "../fs/errors.ts";
import type { NotifyOutcome } from "../fs/notifier.ts";
import type { NotifyAnswer } from "../messages.ts";
import type { Notification } from "../protocol/notification.ts";

/** The Linux that brought what an older kernel answers with EINVAL. */
const SINCE: Partial<Record<Notification["kind"], string>> = {
  resend: "6.9",
  incrementEpoch: "6.16",
  prune: "6.18",
};

/** The outcome that `answer` means. @throws {FsError} for a refusal. */
export function outcomeOf(kind: Notification["kind"], answer: NotifyAnswer): NotifyOutcome {
  if (answer === 0) return "delivered";
  if (answer === ERRNO.ENOENT) return "not cached";
  if (answer === ERRNO.ENODEV || answer === ERRNO.ECONNABORTED) return "not mounted";
  if (typeof answer === "string") throw new FsError("EINVAL", `Cannot notify the kernel (${kind}): ${answer}`);
  const name = errnoName(answer) ?? "EIO";
  const since = name === "EINVAL" ? SINCE[kind] : undefined;
  const hint = since === undefined ? "" : `; it needs Linux ${since} or newer`;
  throw new FsError(name, `Cannot notify the kernel (${kind}): it answers ${name}${hint}`);
}
