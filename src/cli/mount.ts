/** `mount`: a filesystem in memory or a directory, served until it is unmounted or a signal comes. */
import { LibraryError } from "../../ffi/library.ts";
import { MountError } from "../connection/connection.ts";
import { deviceDescriptor, MountpointError } from "../connection/mountpoint.ts";
import type { MountSettings } from "../config/mount_options.ts";
import { Command } from "../deps.ts";
import { FsError } from "../fs/errors.ts";
import { mount, type Session } from "../mount.ts";
import type { FailureKind } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import { findProblems } from "./findings.ts";
import { describeMountOptions, parseMountOptions } from "./mount_options.ts";
import { Mountpoint } from "./mountpoint.ts";
import { type MountPlan, planMemory, planPassthrough } from "./mount_plan.ts";
import { awaitSignal } from "./signals.ts";
import { prepareSource } from "./source.ts";

/** The command. */
export function mountCommand(): Command {
  return new Command("mount")
    .summary("mount a directory, or a filesystem in memory")
    .usage("[options] [source] <mountpoint>")
    .description(
      "Show the directory SOURCE at MOUNTPOINT, or without one an empty, writable filesystem in memory, until Ctrl-C, " +
        "SIGTERM or an unmount. A mountpoint that does not exist is made, and removed again at the end.",
    )
    .argument("[source]", "the directory to show")
    .argument("[mountpoint]", "the folder to mount on; its parent must exist")
    .option("-o, --options <list>", "mount options, see below", (list, lists: string[]) => [...lists, list], [])
    .option("-f, --foreground", "stay in the foreground (always so)")
    .addHelpText("after", describeMountOptions())
    .action((first: string | undefined, second: string | undefined, _options: unknown, command: Command) => {
      // Commander fills arguments from the left; here it is the last one that must be there.
      if (first === undefined) command.error("error: missing required argument 'mountpoint'");
      const [source, mountpoint] = second === undefined ? [undefined, first] : [first, second];
      return serve(source, mountpoint, command.optsWithGlobals());
    });
}

interface MountCommandOptions {
  options: string[];
  debug?: boolean;
}

async function serve(source: string | undefined, path: string, options: MountCommandOptions): Promise<void> {
  const parsed = parseMountOptions(options.options, source === undefined ? "memory" : "passthrough");
  if (options.debug === true) parsed.mount.debug = true;
  if (path === "") throw new Failure("USAGE", "Cannot mount on an empty path: name a folder");
  const plan = source === undefined ? planMemory(parsed) : planPassthrough(await prepareSource(source, path), parsed);
  using ended = awaitSignal("SIGINT", "SIGTERM", "SIGHUP");
  await checkMachine(path);
  await using mountpoint = await Mountpoint.prepare(path);
  if (mountpoint.hidesFiles) {
    console.error(`Note: ${path} is not empty; what is in it is out of sight until the unmount`);
  }
  await using session = await startSession(plan, mountpoint.path, parsed.mount);
  console.log(`Mounted ${plan.name} at ${mountpoint.path} (pid ${Deno.pid})`);
  await Promise.race([session.finished, ended.signal]);
}

async function checkMachine(path: string): Promise<void> {
  // A descriptor has been opened and mounted by somebody else, so libfuse is all that matters.
  const problems = await findProblems(deviceDescriptor(path) !== undefined ? ["libfuse"] : undefined);
  if (problems.length > 0) throw new Failure("ENVIRONMENT", `Cannot mount on ${path}: ${problems.join("\n")}`);
}

async function startSession(plan: MountPlan, mountpoint: string, given: MountSettings): Promise<Session> {
  try {
    return await mount(plan.placement, mountpoint, {
      filesystemName: plan.name,
      subtype: "trellis",
      control: true,
      ...plan.settings,
      ...given,
    });
  } catch (error) {
    const kind = FAILURES.find(([type]) => error instanceof type)?.[1];
    throw kind === undefined ? error : new Failure(kind, (error as Error).message, { cause: error });
  }
}

const FAILURES: readonly [new (...args: never[]) => Error, FailureKind][] = [
  [LibraryError, "ENVIRONMENT"],
  [MountpointError, "MOUNTPOINT"],
  [MountError, "MOUNT"],
  // Of the filesystems only passthrough can fail before it serves: when it opens its source.
  [FsError, "SOURCE"],
];
