/** How two configurations of one mount differ: what can change while it is mounted, and what cannot. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { BranchDifference, FixedDifference, KeyDifference } from "../control/messages.ts";
import { canBeInAllLoops } from "./branch_module.ts";
import { isWithin } from "../fs/branches.ts";
import { type BranchConfig, type Config, isSameBranch } from "./config.ts";
import { formatValue } from "./format_value.ts";
import { whyKeeperWanted, whyNotKeptLater } from "./kept_branches.ts";
import { isTable, type Settings } from "./settings.ts";
import { attributesTimeout } from "./tree_plan.ts";

/** What a comparison needs of a configuration. */
export type ComparedConfig = Pick<Config, "mount" | "branches" | "settings">;

/** How the first of them was mounted. */
export interface LiveMount {
  readonly loops: number;
  /** Whether a process of its own serves it. */
  readonly separate: boolean;
  /** Whether branches may come in handlers of their own. */
  readonly handlersLater: boolean;
  /** Of one that is a program's root: the directories that its sandbox has over it. */
  readonly sandbox?: readonly string[];
}

/** What is different. */
export interface Differences {
  readonly branches: readonly BranchDifference[];
  readonly fixed: readonly FixedDifference[];
}

const MOUNT_AGAIN = "it cannot change while mounted; unmount and mount again";

/** What `after` has otherwise than `before`, with which a mount was made. `[run]` has no part in it. */
export function compareConfigs(before: ComparedConfig, after: ComparedConfig, live: LiveMount): Differences {
  const branches = compareBranches(before, after);
  return {
    branches,
    fixed: [
      ...compareMounts(before, after),
      ...live.sandbox === undefined ? [] : compareRuns(before, after),
      ...branches.flatMap(({ path }) => whyFixed(after, path, live)),
      ...compareTimeouts(before, after),
      ...compareWriteback(before, after),
    ],
  };
}

function compareMounts(before: ComparedConfig, after: ComparedConfig): FixedDifference[] {
  if (isDeepStrictEqual(before.mount, after.mount)) return [];
  const keys = compareTables(tableAt(before.settings, "mount"), tableAt(after.settings, "mount"));
  return keys.map(({ key, ...values }) => ({ key: `mount.${key}`, ...values, advice: MOUNT_AGAIN }));
}

function compareRuns(before: ComparedConfig, after: ComparedConfig): FixedDifference[] {
  const keys = compareTables(tableAt(before.settings, "run"), tableAt(after.settings, "run"));
  const advice = "it cannot change while the program runs; end that and run it again";
  return keys.map(({ key, ...values }) => ({ key: `run.${key}`, ...values, advice }));
}

function compareBranches(before: ComparedConfig, after: ComparedConfig): BranchDifference[] {
  const old = byPath(before.branches);
  const now = byPath(after.branches);
  const removed = before.branches.filter(({ path }) => !now.has(path)).map((branch): BranchDifference => ({
    change: "removed",
    path: branch.path,
    type: branch.type,
    ...lossOf(branch),
    keys: [],
  }));
  const others = after.branches.flatMap((branch): BranchDifference[] => {
    const { path, type } = branch;
    const earlier = old.get(path);
    if (earlier === undefined) return [{ change: "added", path, type, keys: [] }];
    if (isSameBranch(earlier, branch)) return [];
    const keys = compareTables(tableOf(before, earlier), tableOf(after, branch)).filter(({ key }) => key !== "id");
    return [{ change: "replaced", path, type, ...lossOf(earlier), keys }];
  });
  return [...removed, ...others];
}

function lossOf({ type }: BranchConfig): { loss?: string } {
  return type === "memory" ? { loss: "what it holds is lost" } : {};
}

/** Why the branch at `path` cannot change as it is to. */
function whyFixed(
  after: ComparedConfig,
  path: string,
  { loops, separate, handlersLater, sandbox }: LiveMount,
): FixedDifference[] {
  const key = `branch ${JSON.stringify(path)}`;
  if (path === "/") return [{ key, advice: "the root stays while it is mounted; unmount and mount again" }];
  const branch = byPath(after.branches).get(path);
  const hiding = branch && sandbox?.find((directory) => isWithin(path, directory));
  if (hiding !== undefined) return [{ key, advice: `the sandbox's own ${hiding} would hide it; graft it elsewhere` }];
  const reason = separate && branch !== undefined ? whyNotKeptLater(branch) : undefined;
  if (reason !== undefined) {
    return [{ key, advice: `the mount has process=separate, and ${reason}; unmount and mount again` }];
  }
  if (branch?.placement === "handler" && !handlersLater) {
    const advice =
      'a branch of placement "handler" can come where there was one from the start, or with mount.growing = ' +
      "true; unmount and mount again";
    return [{ key, advice }];
  }
  // A program's tree is served by itself, whatever is wanted.
  const wanted = separate || sandbox !== undefined || branch === undefined ? undefined : whyKeeperWanted(branch);
  if (wanted !== undefined) {
    return [{ key, advice: `${wanted}, and the mount has no process=separate; unmount and mount again` }];
  }
  if (branch === undefined || loops === 1 || canBeInAllLoops(branch)) return [];
  const advice = `one loop has to serve type "${branch.type}", and the mount has ${loops}; unmount and mount again`;
  return [{ key, advice }];
}

/** The kernel is told of one timeout with every answer about attributes: the shortest that a branch asks for. */
function compareTimeouts(before: ComparedConfig, after: ComparedConfig): FixedDifference[] {
  const [was, is] = [attributesTimeout(before.branches), attributesTimeout(after.branches)];
  if (before.mount.options.attributesTimeout !== undefined || is >= was) return [];
  const advice =
    `with cache = "never" attributes are not kept, and the mount keeps them for ${was} s; unmount and mount ` +
    "again, or set mount.attr_timeout";
  return [{ key: "cache", advice }];
}

/** The kernel's writeback cache is the whole mount's. */
function compareWriteback(before: ComparedConfig, after: ComparedConfig): FixedDifference[] {
  const has = ({ branches }: ComparedConfig) =>
    branches.some((one) => one.type === "passthrough" && one.options.writeback);
  if (has(before) === has(after)) return [];
  return [{ key: "writeback", before: `${has(before)}`, after: `${has(after)}`, advice: MOUNT_AGAIN }];
}

function byPath(branches: readonly BranchConfig[]): ReadonlyMap<string, BranchConfig> {
  return new Map(branches.map((branch) => [branch.path, branch]));
}

function tableOf({ settings }: ComparedConfig, { index }: BranchConfig): Record<string, unknown> {
  const table = (settings.value["branch"] as unknown[])[index];
  return isTable(table) ? table : {};
}

function tableAt({ value }: Settings, name: string): Record<string, unknown> {
  const table = value[name];
  return isTable(table) ? table : {};
}

/** The keys whose values are written differently. */
function compareTables(before: Record<string, unknown>, after: Record<string, unknown>): KeyDifference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.filter((key) => !isDeepStrictEqual(before[key], after[key])).map((key) => ({
    key,
    ...key in before && { before: formatValue(before[key]) },
    ...key in after && { after: formatValue(after[key]) },
  }));
}
