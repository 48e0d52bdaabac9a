/** `mount`: a filesystem in memory, served until it is unmounted or a signal comes. */
import { LibraryError } from "../../ffi/library.ts";
import { MountError } from "../connection/connection.ts";
import { deviceDescriptor, MountpointError } from "../connection/mountpoint.ts";
import { Command } from "../deps.ts";
import { mount, type Session } from "../mount.ts";
import type { FailureKind } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import { findProblems } from "./findings.ts";
import { describeMountOptions, type ParsedOptions, parseMountOptions } from "./mount_options.ts";
import { Mountpoint } from "./mountpoint.ts";
import { awaitSignal } from "./signals.ts";

const MEMORY = new URL("../layers/memory/module.ts", import.meta.url);

/** The command. */
export function mountCommand(): Command {
  return new Command("mount")
    .summary("mount a filesystem in memory")
    .description(
      "Mount an empty, writable filesystem in memory at MOUNTPOINT and serve it until Ctrl-C, SIGTERM or an unmount. " +
        "A mountpoint that does not exist is made, and removed again at the end.",
    )
    .argument("<mountpoint>", "the folder to mount on; its parent must exist")
    .option("-o, --options <list>", "mount options, see below", (list, lists: string[]) => [...lists, list], [])
    .option("-f, --foreground", "stay in the foreground (always so)")
    .addHelpText("after", describeMountOptions())
    .action((path: string, _options: unknown, command: Command) => mountMemory(path, command.optsWithGlobals()));
}

async function mountMemory(path: string, options: { options: string[]; debug?: boolean }): Promise<void> {
  const parsed = parseMountOptions(options.options);
  if (options.debug === true) parsed.mount.debug = true;
  if (path === "") throw new Failure("USAGE", "Cannot mount on an empty path: name a folder");
  using ended = awaitSignal("SIGINT", "SIGTERM", "SIGHUP");
  await checkMachine(path);
  await using mountpoint = await Mountpoint.prepare(path);
  if (mountpoint.hidesFiles) {
    console.error(`Note: ${path} is not empty; what is in it is out of sight until the unmount`);
  }
  await using session = await startSession(parsed, mountpoint.path);
  console.log(`Mounted memory at ${mountpoint.path} (pid ${Deno.pid})`);
  await Promise.race([session.finished, ended.signal]);
}

async function checkMachine(path: string): Promise<void> {
  // A descriptor has been opened and mounted by somebody else, so libfuse is all that matters.
  const problems = await findProblems(deviceDescriptor(path) !== undefined ? ["libfuse"] : undefined);
  if (problems.length > 0) throw new Failure("ENVIRONMENT", `Cannot mount on ${path}: ${problems.join("\n")}`);
}

async function startSession({ mount: options, memory }: ParsedOptions, mountpoint: string): Promise<Session> {
  const defaults = { filesystemName: "memory", subtype: "trellis", defaultPermissions: true };
  // As tmpfs: a full filesystem is an error that programs know, a machine without memory is not.
  const limits = { size: Math.floor(Deno.systemMemoryInfo().total / 2) };
  try {
    return await mount({ module: MEMORY, options: { ...limits, ...memory }, loops: 1 }, mountpoint, {
      ...defaults,
      ...options,
    });
  } catch (error) {
    const kind = FAILURES.find(([type]) => error instanceof type)?.[1];
    throw kind === undefined ? error : new Failure(kind, (error as Error).message, { cause: error });
  }
}

const FAILURES: readonly [new () => Error, FailureKind][] = [
  [LibraryError, "ENVIRONMENT"],
  [MountpointError, "MOUNTPOINT"],
  [MountError, "MOUNT"],
];
