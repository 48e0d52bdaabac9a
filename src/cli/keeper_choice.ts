/** Whether a mount of the tool has a keeper: with process=auto, wherever what is mounted goes on with it. Pure. */
import type { ProcessWish } from "../config/mount_options.ts";

/** What decides. With `asked` "same" or "separate" nothing else is looked at. */
export interface KeeperFacts {
  readonly asked: ProcessWish;
  /** Why no keeper can hold the mount, for people; undefined when one can. */
  readonly refusal: string | undefined;
  /** What would be empty under the next server, such as `memory`; undefined for nothing. */
  readonly emptied: string | undefined;
  /** Whether branches of any kind may come, also such as end with their server. */
  readonly growing: boolean;
  /** The first branch in a handler, of which another could take the place while mounted, but for a keeper. */
  readonly inHandler: string | undefined;
  /** Whether what a server left unanswered is to be sent to the next one (`no_resend`). */
  readonly resend: boolean;
  /** Whether the kernel can do that. */
  readonly kernelResends: boolean;
  /** Whether what is mounted has files of the host open. */
  readonly opensFiles: boolean;
  /** Whether this kernel keeps them. */
  readonly keepsOpenFiles: boolean;
  /** Whether requests would come over io_uring without a keeper. */
  readonly uring: boolean;
}

/** What came of it. */
export interface KeeperChoice {
  /** Whether a process of its own serves, and this one keeps the mount. */
  readonly separate: boolean;
  /** Why, for people. */
  readonly reason: string;
}

/** Decides. */
export function chooseKeeper(facts: KeeperFacts): KeeperChoice {
  if (facts.asked !== "auto") return { separate: facts.asked === "separate", reason: `process=${facts.asked}` };
  const reason = whyNoKeeper(facts);
  return { separate: reason === undefined, reason: reason ?? "what is mounted outlives its server" };
}

function whyNoKeeper(facts: KeeperFacts): string | undefined {
  if (facts.refusal !== undefined) return facts.refusal;
  if (facts.growing) return "with mount.growing branches may come that end with their server";
  if (facts.inHandler !== undefined) {
    return `branch "${facts.inHandler}" is in a handler, and could not change while mounted`;
  }
  if (facts.emptied !== undefined) {
    return `what is in ${facts.emptied} would end with its server; keep_content keeps it`;
  }
  if (!facts.resend) return "with no_resend the mount would be made anew for each server";
  if (!facts.kernelResends) return "this kernel cannot send requests again (Linux 6.9 can)";
  if (facts.uring) return "requests come over io_uring here";
  // Last, for it is asked by making a table of files.
  if (facts.opensFiles && !facts.keepsOpenFiles) return NO_OPEN_FILES;
  return undefined;
}

/** As `doctor` says it too. */
export const NO_OPEN_FILES = "this kernel keeps no open files (io_uring of Linux 6.8, see kernel.io_uring_disabled)";
