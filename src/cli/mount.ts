/** `mount`: a filesystem in memory, a directory or a configuration, served until it is unmounted or a signal comes. */
import { CONFIG_NAME } from "../config/template.ts";
import { type Command, CommandLineError, type Given } from "../command_line/command.ts";
import { dropServer } from "../keeper/begun_server.ts";
import { preload } from "../mount.ts";
import { dropLoopThread } from "../threads/loop_thread.ts";
import { Background, isInBackground, startInBackground } from "./background.ts";
import { Failure } from "./failure.ts";
import { planConfiguration } from "./mount_configuration.ts";
import { describeMountOptions, parseMountOptions } from "./mount_options.ts";
import { Mountpoint, refuseEmptyPath } from "./mountpoint.ts";
import { planMemory, planPassthrough } from "./mount_plan.ts";
import { MountService } from "./mount_service.ts";
import { NotifySocket } from "./notify_socket.ts";
import { type DecidedPlan, type MountAt, withOptions } from "./serving_process.ts";
import { CONFIG_OPTION, SET_OPTION } from "./shared_options.ts";
import { awaitSignal } from "./signals.ts";
import { prepareSource } from "./source.ts";
import { awaitEnd, checkMachine, startSession } from "./start_session.ts";

/** The command. Its exit code is that of the mount in the background, where there is one. */
export const COMMAND: Command = {
  name: "mount",
  summary: "mount a configuration, a directory, or a filesystem in memory",
  usage: "[options] [[source] <mountpoint>]",
  description:
    "Show the directory SOURCE at MOUNTPOINT, or without one an empty, writable filesystem in memory, until Ctrl-C, " +
    "SIGTERM or an unmount. With --config, or without any argument, show the tree that a configuration describes: " +
    "at its mount.point, or at MOUNTPOINT. A mountpoint that does not exist is made, and removed again at the end.",
  arguments: [
    ["[source]", "the directory to show"],
    ["[mountpoint]", "the folder to mount on; its parent must exist"],
  ],
  options: [
    { ...CONFIG_OPTION, description: `a configuration; ${CONFIG_NAME} of the current folder when nothing is named` },
    { name: "options", letter: "o", value: "<list>", description: "mount options, see below" },
    { name: "foreground", letter: "f", description: "stay in the foreground (the default)" },
    { name: "background", letter: "b", description: "return when the mount is ready, and go on serving it" },
    {
      ...{ name: "log-file", value: "<file>" },
      description: "with --background: where to append what is to be said later",
    },
    SET_OPTION,
  ],
  get after() {
    return describeMountOptions();
  },
  run: async (given) => {
    const inBackground = given.has("background");
    const logFile = given.value("log-file");
    if (inBackground && given.has("foreground")) {
      throw new CommandLineError("option '-b, --background' cannot be used with option '-f, --foreground'");
    }
    if (logFile !== undefined && !inBackground) throw new Failure("USAGE", "Cannot use --log-file in the foreground");
    if (inBackground && !isInBackground()) return await startInBackground();
    const background = inBackground ? new Background(logFile) : undefined;
    await serve(await plan(given), given.has("debug"), background);
  },
};

async function plan({ words: [first, second], value, values }: Given): Promise<MountAt<DecidedPlan>> {
  const [config, set, options] = [value("config"), values("set"), values("options")];
  if (config !== undefined || first === undefined) {
    if (second !== undefined) {
      throw new Failure("USAGE", `Cannot show ${first} and a configuration in one mount: leave out one of the two`);
    }
    const parsed = parseMountOptions(options, "configuration");
    return await planConfiguration(config, { mountpoint: first, set, options: parsed });
  }
  if (set.length > 0) throw new Failure("USAGE", "Cannot use --set without a configuration: it changes one");
  // Arguments go from the left; here it is the last one that must be there.
  const [source, mountpoint] = second === undefined ? [undefined, first] : [first, second];
  refuseEmptyPath(mountpoint, "mount on");
  const parsed = parseMountOptions(options, source === undefined ? "memory" : "passthrough");
  const plan = source === undefined
    ? planMemory(parsed)
    : planPassthrough(await prepareSource(source, mountpoint), parsed);
  return await withOptions({ plan, mountpoint }, parsed);
}

/** Mounts, and serves until an unmount or a signal; in the `background` once the caller knows that it is mounted. */
export async function serve(
  { plan, mountpoint: path }: MountAt<DecidedPlan>,
  debug: boolean,
  background: Background | undefined,
): Promise<void> {
  const { separate, reason } = plan.keeper;
  // What was begun to serve it, if it is not to.
  if (separate) {
    dropLoopThread();
  } else {
    dropServer();
    preload(plan.placement);
  }
  if (debug || plan.settings.debug === true) {
    console.error(`keeper: ${separate ? `pid ${Deno.pid}` : "none"} (${reason})`);
  }
  const notifySocket = NotifySocket.take();
  using ended = awaitSignal("SIGINT", "SIGTERM", "SIGHUP");
  await checkMachine(path);
  await using mountpoint = await Mountpoint.prepare(path);
  if (mountpoint.hidesFiles) {
    console.error(`Note: ${path} is not empty; what is in it is out of sight until the unmount`);
  }
  const service = new MountService(notifySocket, plan.name, mountpoint.path);
  await using session = await startSession(service.watchReloads(plan), mountpoint, debug);
  dropLoopThread();
  console.log(`Mounted ${plan.name} at ${mountpoint.path} (pid ${Deno.pid})`);
  if (background !== undefined && !await background.leave()) return; // who called it was killed meanwhile
  service.tellReady();
  try {
    await Promise.race([awaitEnd(session), ended.signal]);
  } catch (error) {
    service.tellStopping(error);
    throw error;
  }
  service.tellStopping();
}
