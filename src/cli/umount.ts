/** `umount`: ends a mount from the outside. */
import { pathProblem } from "../config/path_problems.ts";
import { findMount, type MountEntry } from "../connection/mount_table.ts";
import { unmount, UnmountError, unmountLazily } from "../connection/unmount.ts";
import { ServerEnd } from "../control/server_end.ts";
import { basename, dirname, join, resolve } from "../deps.ts";
import type { Command } from "../command_line/command.ts";
import { Failure } from "./failure.ts";
import { isFuse, whyNoFuse } from "./findings.ts";
import { refuseEmptyPath } from "./mountpoint.ts";

/** How long a server that is not used any more may take to let go of its mount, in milliseconds. */
const SERVER_LIMIT = 2_000;

/** The command. */
export const COMMAND: Command = {
  name: "umount",
  summary: "end a mount",
  description:
    "Unmount what is mounted at MOUNTPOINT; the process that serves it ends. Returns when that has removed a folder that " +
    "it made to mount on; with --lazy, and where it does not get done with it in two seconds, that may come later.",
  arguments: [["<mountpoint>", "a folder with a FUSE filesystem on it"]],
  options: [{
    ...{ name: "lazy", letter: "l" },
    description: "take it out of the tree at once, and end it when nobody uses it any more",
  }],
  run: ({ words: [path], has }) => endMount(path!, has("lazy")),
};

async function endMount(path: string, lazy: boolean): Promise<void> {
  refuseEmptyPath(path, "unmount");
  const mount = await locate(path);
  if (mount === undefined || !isFuse(mount)) {
    throw new Failure("NOT_MOUNTED", `Cannot unmount ${path}: ${whyNoFuse(mount)}`);
  }
  using server = lazy ? undefined : await ServerEnd.watch(mount);
  try {
    await (lazy ? unmountLazily : unmount)(mount.mountpoint);
  } catch (error) {
    if (!(error instanceof UnmountError)) throw error;
    if (error.code !== "EBUSY") throw new Failure("MOUNT", error.message, { cause: error });
    const advice = `End what uses it (fuser -vm ${mount.mountpoint} lists that), or use --lazy`;
    throw new Failure("BUSY", `Cannot unmount ${path}: it is in use. ${advice}`, { cause: error });
  }
  await server?.come(SERVER_LIMIT);
}

/** The mount at `path`. The folder itself is looked at last: its server may be gone or hang. */
async function locate(path: string): Promise<MountEntry | undefined> {
  const absolute = resolve(Deno.cwd(), path);
  try {
    const unresolved = join(await Deno.realPath(dirname(absolute)), basename(absolute));
    return await findMount(unresolved) ?? await findMount(await Deno.realPath(absolute));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw explain(error, path);
  }
}

function explain(error: unknown, path: string): unknown {
  const reason = pathProblem(error, {
    EACCES: `user ${Deno.uid()} has no permission for a folder on the way there`,
  });
  return reason === undefined
    ? error
    : new Failure("MOUNTPOINT", `Cannot unmount ${path}: ${reason}`, { cause: error });
}
