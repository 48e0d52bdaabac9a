/** Keeps a mount in this process, and has another one serve it. */
import { deviceDescriptor, prepareMountpoint } from "./connection/mountpoint.ts";
import { ControlError } from "./control/messages.ts";
import { openControl } from "./control/open_control.ts";
import { unwrapFailure } from "./keeper/failure.ts";
import { Keeper } from "./keeper/keeper.ts";
import { checkKept, HANG_TIMEOUT, keepable, type KeptMountOptions } from "./kept_mount_options.ts";
import { type ControlHooks, libfuseOptions, logToStandardError, replyDefaults } from "./mount_options.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { LoopPlacement } from "./placements/loops.ts";
import { checkCount } from "./placements/placement.ts";
import { MOST_RESTARTS } from "./threads/restart_budget.ts";

/** How long a server may take to say what it counted, in milliseconds: less than who asks waits (`ask` of `src/control`). */
const SERVER_DEADLINE = 1_000;

/**
 * Mounts, and returns when a server serves. This process must have nothing of the mount open, then or later: no file,
 * and no program started there (see `Keeper`). `mount` starts a process for this that has nothing else to do.
 *
 * `hooks`: what else can be asked on the control socket, if there is one.
 *
 * @throws as `mount` does.
 */
export async function keep(
  filesystem: LoopPlacement,
  mountpoint: string,
  options: Omit<KeptMountOptions, "process">,
  hooks?: ControlHooks,
): Promise<Keeper> {
  const { module, options: moduleOptions, loops = 1 } = keepable(filesystem);
  checkCount(loops, "loops");
  checkKept(options);
  if (deviceDescriptor(mountpoint) !== undefined) {
    throw new TypeError(`Cannot keep ${mountpoint}: a mount is kept by who mounts it`);
  }
  const { debug = false, log = logToStandardError, restarts = MOST_RESTARTS } = options;
  const { hangTimeout = HANG_TIMEOUT, spare = false, resend = true } = options;
  const keeper = await unwrapFailure(Keeper.start({
    mountpoint: await prepareMountpoint(mountpoint),
    mountOptions: libfuseOptions(options),
    module: String(module),
    options: moduleOptions,
    defaults: replyDefaults(options),
    ...{ loops, debug, log, restarts, hangTimeout, spare, resend },
  }));
  if (options.control === true) await controlKeeper(keeper, loops, log, hooks);
  return keeper;
}

/** What the server counted. @throws {ControlError} that tells who asks, while they still wait, that it says nothing. */
async function askServer(keeper: Keeper): Promise<Metrics> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const who = `The keeper (pid ${keeper.keeper}) answers; its server (pid ${keeper.server.pid})`;
    reject(new ControlError("silent", `${who} begins, or hangs and will be replaced; \`restart\` does that sooner`));
  }, SERVER_DEADLINE);
  try {
    return await Promise.race([keeper.metrics(), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function controlKeeper(
  keeper: Keeper,
  loops: number,
  log: NonNullable<KeptMountOptions["log"]>,
  hooks: ControlHooks | undefined,
): Promise<void> {
  const { mountpoint, mountedDevice } = keeper.connection;
  const facts = { placement: "loop", transport: "device", servers: loops, minor: keeper.minor } as const;
  const features = [...keeper.features];
  const describe = async () => ({ ...facts, features, server: keeper.server, operations: await askServer(keeper) });
  const resources = new AsyncDisposableStack();
  const restart = async () => {
    await keeper.restart();
    return keeper.server;
  };
  const mount = { mountpoint, mountedDevice, describe, restart, ...hooks };
  const control = await openControl(mount, log, resources);
  keeper.onMountedAnew = () => control.moveTo(keeper.connection.mountedDevice);
  void keeper.finished.catch(() => {}).finally(() => resources.disposeAsync());
}
