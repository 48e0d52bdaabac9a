/** Which branches outlive the process that serves them (the mount option process). Pure. */
import type { MemoryBranch, PassthroughBranch, UnionBranch } from "./config.ts";

/** Of a branch what says where its content is. */
export type ContentBranch =
  | Pick<MemoryBranch, "type" | "options">
  | Pick<PassthroughBranch, "type" | "options">
  | Pick<UnionBranch, "type">;

/** Why a branch cannot come to a mount that outlives its server; undefined when it can. */
export function whyNotKeptLater({ placement }: Pick<MemoryBranch, "placement">): string | undefined {
  if (placement !== "handler") return undefined;
  return 'a branch with placement = "handler" cannot come to it, nor change';
}

/** Whether what a branch has is gone when its server is, so that the next one would begin with an empty branch. */
export function endsWithServer(branch: ContentBranch): boolean {
  return branch.type === "memory" && branch.options.keepContent !== true;
}

/** Why a branch wants a keeper; undefined when it does not. */
export function whyKeeperWanted(branch: ContentBranch): string | undefined {
  if (branch.type !== "memory" || !branch.options.keepContent) return undefined;
  return "keep_content is for files that outlive a server";
}
