/** `run`: starts a program whose root is the tree of a configuration. */
import { SharedMemoryFolder } from "../container/shared_memory.ts";
import { ProgramError, runInside, SandboxError } from "../container/container.ts";
import { SYSTEM_DIRECTORIES } from "../container/sandbox.ts";
import { isWithin } from "../fs/branches.ts";
import { sourcesOf } from "../config/config.ts";
import type { Config } from "../config/mod.ts";
import { CONFIG_NAME } from "../config/template.ts";
import { keepApart, SourceError } from "../config/source.ts";
import { deviceDescriptor } from "../connection/mountpoint.ts";
import { UnmountGuard } from "../guards/unmount_guard.ts";
import type { Command } from "../command_line/command.ts";
import { loadConfiguration } from "./configurations.ts";
import { Failure } from "./failure.ts";
import { asSetting, planTreeOf, withReload } from "./mount_configuration.ts";
import type { MountPlan } from "./mount_plan.ts";
import { Mountpoint } from "./mountpoint.ts";
import { environmentInside, findMountTargets } from "./sandbox_plan.ts";
import { CONFIG_OPTION, SET_OPTION } from "./shared_options.ts";
import { checkMachine, startSession } from "./start_session.ts";

/** Nobody uses the tree when this process has ended: it ends the program. */
const KEEPER = { separate: false, reason: "run serves its tree by itself" };

type ProgramAndArguments = readonly [string, ...string[]];

/** The command. Its exit code is the program's. */
export const COMMAND: Command = {
  name: "run",
  summary: "run a program whose root is the tree of a configuration",
  usage: "[options] [--] [command...]",
  description:
    "Mount the tree of a configuration and run COMMAND, or the configuration's run.command, in a sandbox of its own " +
    "with the tree as its root. Ends with the command's exit status, 128 + n when signal n ended it, 127 when there " +
    "is no such command, 126 when it cannot be executed. Then, and also when this is killed, the tree is unmounted " +
    "and no process of the sandbox is left.",
  arguments: [["[command...]", "a program of the tree and its arguments, after --"]],
  options: [CONFIG_OPTION, SET_OPTION],
  run: ({ words, value, values, has }) =>
    runProgram(value("config") ?? CONFIG_NAME, values("set"), words, has("debug")),
};

async function runProgram(
  file: string,
  set: readonly string[],
  words: readonly string[],
  debug: boolean,
): Promise<number> {
  const config = await loadConfiguration(file, set);
  const [program, ...rest] = words.length > 0 ? words : config.run.command ?? [];
  if (program === undefined) {
    throw new Failure("USAGE", `Cannot run in ${config.file}: it has no run.command; name one: run -- COMMAND`);
  }
  refuseHiddenBranches(config);
  await checkMachine(config.mount.point ?? "a private mountpoint");
  await using mountpoint = await prepareMountpoint(config);
  await using memory = await SharedMemoryFolder.make(config.run.sharedMemory);
  await using _guard = UnmountGuard.start(mountpoint.path, {
    empty: mountpoint.made ? [mountpoint.path] : [],
    full: memory.path === undefined ? [] : [memory.path],
  });
  const plan = await planRun(config, set, mountpoint.path);
  await using session = await startSession(plan, mountpoint, debug);
  for (const { name, path } of memory.areas) console.error(`Shared memory ${name}: ${path}`);
  return await runSandboxed(config, session.mountpoint, [program, ...rest], memory);
}

/** The tree, which can be reloaded while the program runs. What it shows then is to be apart from where it is mounted, too. */
async function planRun(config: Config, set: readonly string[], mountpoint: string): Promise<MountPlan> {
  const tree = await planTreeOf(config, await findMountTargets(config.run));
  const { loops, handlersLater } = tree.placement;
  const live = { loops, handlersLater, separate: KEEPER.separate, sandbox: SYSTEM_DIRECTORIES };
  const plan = { ...tree, keeper: KEEPER };
  if (config.mount.point !== undefined) return await withReload(plan, config, set, live);
  const flags = [...set, `mount.point=${asSetting(mountpoint)}`];
  return await withReload(plan, await loadConfiguration(config.file, flags), flags, live);
}

/** The sandbox has directories of its own over the tree. */
function refuseHiddenBranches({ file, branches }: Config): void {
  for (const directory of SYSTEM_DIRECTORIES) {
    const hidden = branches.find(({ path }) => isWithin(path, directory));
    if (hidden === undefined) continue;
    const reason = `the sandbox's own ${directory} would hide the branch "${hidden.path}"; graft it elsewhere`;
    throw new Failure("CONFIG", `Cannot run in ${file}: ${reason}`);
  }
}

/** The configuration's mountpoint, where others can look in; without one a private one. */
async function prepareMountpoint(config: Config): Promise<Mountpoint> {
  const { point } = config.mount;
  if (point === undefined) return await makePrivateMountpoint(config);
  if (deviceDescriptor(point) === undefined) return await Mountpoint.prepare(point);
  throw new Failure(
    "USAGE",
    `Cannot run in a tree at ${point}: only who mounted that knows where it is; name a folder`,
  );
}

async function makePrivateMountpoint({ branches }: Config): Promise<Mountpoint> {
  await using undo = new AsyncDisposableStack();
  const mountpoint = undo.use(await Mountpoint.makePrivate());
  for (const { path } of branches.flatMap(sourcesOf)) {
    try {
      await keepApart(await Deno.realPath(path), mountpoint.path);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const advice = "name smaller directories, or a TMPDIR or mount.point outside of it";
      throw new Failure("SOURCE", `Cannot show ${path} in a tree that is mounted below it: ${advice}`, {
        cause: error,
      });
    }
  }
  undo.move();
  return mountpoint;
}

async function runSandboxed(
  { run }: Config,
  root: string,
  command: ProgramAndArguments,
  memory: SharedMemoryFolder,
): Promise<number> {
  try {
    return await runInside({
      root,
      command: [...command],
      directory: run.workdir,
      environment: environmentInside(run.env, Deno.env.toObject()),
      network: run.network,
      binds: run.binds,
      sharedMemory: memory.areas,
    });
  } catch (error) {
    if (error instanceof SandboxError) throw new Failure("ENVIRONMENT", error.message, { cause: error });
    if (!(error instanceof ProgramError)) throw error;
    throw new Failure(error.isThere ? "NOT_EXECUTABLE" : "NOT_FOUND", error.message, { cause: error });
  }
}
