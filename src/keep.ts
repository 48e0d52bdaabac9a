/** Keeps a mount in this process, and has another one serve it. */
import { deviceDescriptor, prepareMountpoint } from "./connection/mountpoint.ts";
import type { LimitOptions } from "./fs/limits.ts";
import { completeLimits } from "./handler/limits.ts";
import { ControlError } from "./control/messages.ts";
import { openControl, preloadControl } from "./control/open_control.ts";
import { unwrapFailure } from "./keeper/failure.ts";
import { Keeper } from "./keeper/keeper.ts";
import type { ServedModule } from "./keeper/messages.ts";
import { checkKept, HANG_TIMEOUT, keepable, type KeptMountOptions } from "./kept_mount_options.ts";
import { type ControlHooks, libfuseOptions, limitsFor, logToStandardError, replyDefaults } from "./mount_options.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { LoopPlacement } from "./placements/loops.ts";
import { checkCount } from "./placements/placement.ts";
import type { HandlerPlacement } from "./placements/workers.ts";
import { MOST_RESTARTS } from "./threads/restart_budget.ts";

/** How long a server may take to say what it counted, in milliseconds: less than who asks waits (`ask` of `src/control`). */
const SERVER_DEADLINE = 1_000;

/** What was in its rings would be lost with a server (docs/decisions.md). */
const NO_URING = "a keeper has no io_uring";

/**
 * Mounts, and returns when a server serves. This process must have nothing of the mount open, then or later: no file,
 * and no program started there (see `Keeper`). `mount` starts a process for this that has nothing else to do.
 *
 * `hooks`: what else can be asked on the control socket, if there is one.
 *
 * @throws as `mount` does.
 */
export async function keep(
  filesystem: LoopPlacement | HandlerPlacement,
  mountpoint: string,
  options: Omit<KeptMountOptions, "process">,
  hooks?: ControlHooks,
): Promise<Keeper> {
  const served = describeServed(keepable(filesystem, options), options);
  checkKept(options);
  if (deviceDescriptor(mountpoint) !== undefined) {
    throw new TypeError(`Cannot keep ${mountpoint}: a mount is kept by who mounts it`);
  }
  const { debug = false, log = logToStandardError, restarts = MOST_RESTARTS } = options;
  const { hangTimeout = HANG_TIMEOUT, spare = false, resend = true } = options;
  const starting = Keeper.start({
    mountpoint: await prepareMountpoint(mountpoint),
    mountOptions: libfuseOptions(options),
    defaults: replyDefaults(options),
    ...{ served, debug, log, restarts, hangTimeout, spare, resend },
  });
  // It is mounted: what listens is loaded while the server gets ready.
  if (options.control === true) preloadControl();
  const keeper = await unwrapFailure(starting);
  if (options.control === true) await controlKeeper(keeper, served, log, hooks);
  return keeper;
}

/** @throws as `mount` does for numbers of threads and limits. */
function describeServed(
  filesystem: LoopPlacement | HandlerPlacement,
  { deadlines, bounds }: LimitOptions,
): ServedModule {
  const limits = { ...deadlines && { deadlines }, ...bounds && { bounds } };
  limitsFor(filesystem.placement ?? "loop", limits);
  const { options } = filesystem;
  const module = String(filesystem.module);
  if (filesystem.placement === "handler") {
    const { placement, workers: readers = 1 } = filesystem;
    checkCount(readers, "workers");
    return { placement, module, options, readers, handlers: [], limits };
  }
  const { loops: readers = 1, handlers = [] } = filesystem;
  checkCount(readers, "loops");
  if (handlers.length > 0) checkCount(handlers.length, "handlers");
  for (const limits of handlers) completeLimits(limits);
  return { placement: "loop", module, options, readers, handlers, limits };
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
  served: ServedModule,
  log: NonNullable<KeptMountOptions["log"]>,
  hooks: ControlHooks | undefined,
): Promise<void> {
  const { mountpoint, mountedDevice } = keeper.connection;
  const { placement, readers: servers } = served;
  const transport = { transport: "device", transportReason: NO_URING } as const;
  const facts = { placement, ...transport, servers, minor: keeper.minor, features: [...keeper.features] };
  const describe = async () => ({ ...facts, server: keeper.server, operations: await askServer(keeper) });
  const resources = new AsyncDisposableStack();
  const restart = async () => {
    await keeper.restart();
    return keeper.server;
  };
  const mount = { mountpoint, mountedDevice, describe, restart, ...hooks };
  const control = await openControl(mount, log, resources);
  keeper.onMountedAnew = () => control.moveTo(keeper.connection.mountedDevice);
  await keeper.own(resources);
}
