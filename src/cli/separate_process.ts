/** Whether a mount here can outlive its server (`-o process=separate`), and why not. */
import type { KernelFacts } from "../connection/probe.ts";
import { closeKeptState, createKeptState } from "../kept/kept_state.ts";

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
  const kept = createKeptState();
  closeKeptState(kept);
  if (kept.descriptors !== undefined) return undefined;
  return "for directories with no_resend only: this kernel keeps no open files (io_uring of Linux 6.8, see " +
    "kernel.io_uring_disabled)";
}
