/** What a configuration's program finds inside: its environment, and what has to be in the tree for the sandbox to mount on. */
import { posix } from "node:path";
import { isWithin } from "../fs/branches.ts";
import type { RunConfig } from "../config/mod.ts";
import { SYSTEM_DIRECTORIES } from "../container/sandbox.ts";
import type { MountTargets } from "../layers/branch/mod.ts";

/** The caller's variables that say how to talk to a person; all others may hold what is not for the program to know. */
const PASSED = /^(?:TERM|COLORTERM|NO_COLOR|LANG|LANGUAGE|LC_\w+|TZ|USER|LOGNAME)$/;

/** The host's PATH and HOME name places that the tree need not have. /tmp is the sandbox's own. */
const DEFAULTS = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/tmp" };

/** All variables that the program gets: some defaults, some of the caller's, and what the configuration sets. */
export function environmentInside(
  configured: Readonly<Record<string, string>>,
  caller: Readonly<Record<string, string>>,
): Record<string, string> {
  const passed = Object.entries(caller).filter(([name]) => PASSED.test(name));
  return { ...DEFAULTS, ...Object.fromEntries(passed), ...configured };
}

/** What `isFile` says of each bind's source decides what its target has to be. */
export function planMountTargets(
  { binds, workdir }: Pick<RunConfig, "binds" | "workdir">,
  isFile: (source: string) => boolean,
): MountTargets {
  const mounted = [...SYSTEM_DIRECTORIES, ...binds.map(({ target }) => target)];
  // What lies below something that is mounted is not looked for in the tree.
  const inTree = (path: string) => path !== "/" && !mounted.some((other) => other !== path && isWithin(path, other));
  const targets = binds.filter(({ target }) => inTree(target));
  const files = targets.filter(({ source }) => isFile(source)).map(({ target }) => target);
  const directories = [...SYSTEM_DIRECTORIES, posix.resolve(workdir), ...targets.map(({ target }) => target)];
  return { directories: directories.filter((path) => inTree(path) && !files.includes(path)), files };
}

/** As {@linkcode planMountTargets}, for the host as it is. */
export async function findMountTargets(run: RunConfig): Promise<MountTargets> {
  const sources = new Set<string>();
  for (const { source } of run.binds) {
    if (!(await Deno.stat(source)).isDirectory) sources.add(source);
  }
  return planMountTargets(run, (source) => sources.has(source));
}
