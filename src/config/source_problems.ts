/** Looks at the host for what a configuration shows of it. */
import { deviceDescriptor } from "../connection/mountpoint.ts";
import { isWithin } from "../fs/branches.ts";
import {
  type Bind,
  type BranchConfig,
  isSameBranch,
  type PartialConfig,
  sourcesOf,
  type UnionBranch,
} from "./config.ts";
import { type Problem, problemAt } from "./problems.ts";
import type { Settings } from "./settings.ts";
import { answerInTime, areNested, keepApart, locateSource, SourceError } from "./source.ts";
import type { KeyPath } from "./toml.ts";

/**
 * What cannot be shown because it is not there, or not apart from the mountpoint. What a live mount has open of it is not
 * looked at: the branches that are `mounted`, and then all binds.
 */
export async function findSourceProblems(
  { settings, mount, branches, run }: PartialConfig,
  mounted?: readonly BranchConfig[],
): Promise<Problem[]> {
  const checks: Promise<Problem | undefined>[] = [];
  for (const branch of branches) {
    if (mounted?.some((one) => isSameBranch(one, branch))) continue;
    for (const { path, key } of sourcesOf(branch)) {
      checks.push(findSourceProblem(settings, path, ["branch", branch.index, ...key], mount?.point));
    }
    if (branch.type === "union") checks.push(...findNestedSources(settings, branch));
  }
  for (const bind of run?.binds ?? []) checks.push(findBindProblem(settings, bind, branches, mounted !== undefined));
  return (await Promise.all(checks)).filter((problem) => problem !== undefined);
}

async function findSourceProblem(
  settings: Settings,
  path: string,
  key: KeyPath,
  mountpoint: string | undefined,
): Promise<Problem | undefined> {
  try {
    const source = await locateSource(path);
    if (mountpoint !== undefined && deviceDescriptor(mountpoint) === undefined) {
      await answerInTime(keepApart(source, mountpoint), path);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const mode = /:\w{1,2}$/.exec(path)?.[0];
    // A union's source whose `:rw` or `:ro` was not written so.
    const hint = key.includes("sources") && mode !== undefined ? ` (only :rw and :ro are known, not ${mode})` : "";
    return problemAt(settings, key, `${path}: ${error.reason}${hint}`);
  }
}

/**
 * A change on one directory of a union must not be seen on another: the whiteout that hides a deleted file would take the
 * file's place. overlayfs refuses that too (ELOOP).
 */
function findNestedSources(settings: Settings, branch: UnionBranch): Promise<Problem | undefined>[] {
  const located = branch.sources.map(({ path }) => locateSource(path).catch(() => undefined));
  const areNestedThere = async (one: number, other: number) => {
    const [path, otherPath] = await Promise.all([located[one], located[other]]);
    if (path === undefined || otherPath === undefined) return false;
    // What began to hang meanwhile is a problem of its own.
    return await answerInTime(areNested(path, otherPath), path).catch(() => false);
  };
  return branch.sources.map(async ({ path, writable }, index) => {
    for (const [before, source] of branch.sources.slice(0, index).entries()) {
      if (!(writable || source.writable) || !await areNestedThere(before, index)) continue;
      const text =
        `${path}: the same directory as ${source.path}, or one of them is in the other; name others, or both :ro`;
      return problemAt(settings, ["branch", branch.index, "sources", index], text);
    }
    return undefined;
  });
}

async function findBindProblem(
  settings: Settings,
  { source: path, target, key: ownKey }: Bind,
  branches: readonly BranchConfig[],
  isMounted: boolean,
): Promise<Problem | undefined> {
  const key = ["run", ...ownKey];
  const hidden = branches.find((branch) => isWithin(branch.path, target));
  if (hidden !== undefined) {
    return problemAt(settings, key, `at ${target} it would hide the branch ${JSON.stringify(hidden.path)}`);
  }
  if (isMounted) return undefined;
  try {
    await answerInTime(Deno.stat(path), path);
    return undefined;
  } catch (error) {
    const reason = error instanceof SourceError ? error.reason : error;
    return problemAt(settings, key, `${path}: ${error instanceof Deno.errors.NotFound ? "it does not exist" : reason}`);
  }
}
