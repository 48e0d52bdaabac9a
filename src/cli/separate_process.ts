/** Whether a mount here can outlive its server, whether it does when nobody says, and why not. */
import type { KernelFacts } from "../connection/probe.ts";
import { MOST_LOOPS_UNASKED } from "../config/values.ts";
import { chooseTransport } from "../transport/choice.ts";
import { chooseKeeper, type KeeperChoice, NO_OPEN_FILES } from "./keeper_choice.ts";
import { keepsOpenFiles } from "./keeper_facts.ts";

/** What doctor says of it. */
export interface SeparateProcessFindings {
  readonly usable: boolean;
  /** Why not; undefined when it is usable. */
  readonly reason: string | undefined;
  /** What is less than it could be; undefined when nothing is. */
  readonly limitation: string | undefined;
}

const MOUNTS_ANEW = "this kernel cannot send requests again (Linux 6.9 can): for each new server the connection is " +
  "aborted and mounted anew, and what was open gets errors";

/** Judges by what the kernel's FUSE offers, and whether it keeps open files. `fuse`: undefined when it was not asked. */
export function examineSeparateProcess(fuse: KernelFacts | undefined): SeparateProcessFindings {
  if (fuse === undefined) return { usable: false, reason: "the kernel was not asked", limitation: undefined };
  return { usable: true, reason: undefined, limitation: findLimitation(fuse) };
}

function findLimitation({ features }: KernelFacts): string | undefined {
  if (!features.includes("has-resend")) return MOUNTS_ANEW;
  return keepsOpenFiles() ? undefined : `for directories with no_resend only: ${NO_OPEN_FILES}`;
}

/** Whether a mount of a directory has a keeper when nobody says. */
export function chooseForDirectory(fuse: KernelFacts | undefined): KeeperChoice {
  const servers = Math.min(navigator.hardwareConcurrency, MOST_LOOPS_UNASKED);
  return chooseKeeper({
    ...{ asked: "auto", refusal: undefined, emptied: undefined, growing: false, inHandler: undefined },
    ...{ resend: true, opensFiles: true },
    kernelResends: fuse?.features.includes("has-resend") ?? false,
    keepsOpenFiles: keepsOpenFiles(),
    uring: chooseTransport({ asked: "auto", placement: "loop", servers }).transport === "uring",
  });
}
