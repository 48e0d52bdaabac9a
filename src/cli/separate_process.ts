/** Whether a mount here can outlive its server (`-o process=separate`), and why not. */
import type { KernelFacts } from "../connection/probe.ts";
import { closeKeptState, createKeptState } from "../kept/kept_state.ts";

/** What doctor says of it. */
export interface SeparateProcessFindings {
  readonly usable: boolean;
  /** Why not; undefined when it is usable. */
  readonly reason: string | undefined;
}

/** Judges by what the kernel's FUSE offers, and whether it keeps open files. `fuse`: undefined when it was not asked. */
export function examineSeparateProcess(fuse: KernelFacts | undefined): SeparateProcessFindings {
  const reason = explain(fuse);
  return { usable: reason === undefined, reason };
}

function explain(fuse: KernelFacts | undefined): string | undefined {
  if (fuse === undefined) return "the kernel was not asked";
  if (!fuse.features.includes("has-resend")) {
    return "this kernel cannot send requests again (Linux 6.9 can): the first death of a server takes the mount away";
  }
  const kept = createKeptState();
  closeKeptState(kept);
  if (kept.descriptors !== undefined) return undefined;
  return "this kernel keeps no open files (io_uring of Linux 6.8, see kernel.io_uring_disabled): not for directories";
}
