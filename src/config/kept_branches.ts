/** Which branches outlive the process that serves them (the mount option process=separate). Pure. */
import type { BranchConfig } from "./config.ts";

/** Of a branch what decides; anything unknown is no reason. */
export interface KeptBranch {
  readonly placement?: unknown;
}

/** Why a branch cannot, and which of its keys says so; undefined when it can. */
export function whyNotKept({ placement }: KeptBranch): { key: string; reason: string } | undefined {
  if (placement !== "handler") return undefined;
  return { key: "placement", reason: 'what has placement = "handler" ends with its server' };
}

/** Why a branch wants a keeper (process=separate); undefined when it does not. */
export function whyKeeperWanted(branch: BranchConfig): string | undefined {
  if (branch.type !== "memory" || !branch.options.keepContent) return undefined;
  return "keep_content is for files that outlive a server";
}
