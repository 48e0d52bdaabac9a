/** Joins the parts: a filesystem, what serves it, a connection; and gives back the session that holds them. */
import { NotifyHandler } from "./channels/notify_handler.ts";
import { Connection, MountError } from "./connection/connection.ts";
import { type Feature, wantedFeatures } from "./connection/features.ts";
import type { Agreement } from "./connection/handshake.ts";
import { prepareMountpoint } from "./connection/mountpoint.ts";
import { openControl, preloadControl, prepareControl } from "./control/open_control.ts";
import type { FileSystem } from "./fs/filesystem.ts";
import type { Bounds, Deadlines, LimitOptions, Limits } from "./handler/limits.ts";
import {
  checkNumbers,
  type ControlHooks,
  libfuseOptions,
  limitsFor,
  logToStandardError,
  type MountOptions,
  type ReloadReport,
  type ReloadRequest,
  replyDefaults,
} from "./mount_options.ts";
import type { Metrics, OperationMetrics } from "./metrics/metrics.ts";
import type { LoopPlacement } from "./placements/loops.ts";
import type { Logger, Servers } from "./placements/placement.ts";
import type { HandlerPlacement } from "./placements/workers.ts";
import { Session } from "./session.ts";
import { makeInterrupts } from "./session/interrupts.ts";
import type { KeptMount } from "./keeper/kept_mount.ts";
import { checkKept, keepable, type KeptMountOptions } from "./kept_mount_options.ts";
import { loadInLoopThread } from "./threads/loop_thread.ts";
import {
  chooseTransport,
  type Transport,
  type TransportChoice,
  type TransportWish,
  URING_FEATURE,
} from "./transport/choice.ts";
import { makeOpenNodes } from "./transport/open_nodes.ts";

/** A filesystem that is a module, and where it is served. */
export type ModulePlacement = LoopPlacement | HandlerPlacement;

/**
 * Mounts what a process of its own serves, and another when that one has died: a third process, the keeper, holds the
 * mount. See docs/keeper.md.
 *
 * @throws {KeeperError} when no server would live.
 * @throws {RangeError} for `restarts` or `hangTimeout` that make no sense, limits that are `Infinity`, and as the other
 * `mount` does.
 * @throws {TypeError} for an object, which only the process that made it can serve.
 */
export function mount(filesystem: ModulePlacement, mountpoint: string, options: KeptMountOptions): Promise<KeptMount>;
/**
 * Mounts `filesystem` at `mountpoint` and returns when it is live.
 *
 * An object is served from the isolate that calls this (placement "handler"): its methods may be async, and this isolate
 * must not touch the mount with synchronous calls, which would wait for themselves. A module is served by threads
 * of its own: inside the loops, or by async handler workers.
 *
 * @throws {MountpointError} when the mountpoint cannot be used.
 * @throws {MountError} when the kernel or libfuse refuses, or `transport` is "uring" and cannot be had.
 * @throws {LibraryError} when there is no libfuse3.
 * @throws {RangeError} for `loops`, `workers`, `deadlines`, `bounds`, timeouts or `maxRead` that make no sense.
 * @throws {TypeError} for `deadlines` or `bounds` of loops, and for several servers of a filesystem that has `forget`.
 */
export function mount(
  filesystem: FileSystem | ModulePlacement,
  mountpoint: string,
  options?: MountOptions,
): Promise<Session>;
export async function mount(
  filesystem: FileSystem | ModulePlacement,
  mountpoint: string,
  options: MountOptions | KeptMountOptions = {},
): Promise<Session | KeptMount> {
  checkNumbers(options);
  if (!("process" in options) || options.process === undefined) return await serve(filesystem, mountpoint, options);
  checkKept(options);
  const { startKeeper } = await import("./keeper_process.ts");
  return await startKeeper(keepable(filesystem, options), mountpoint, options);
}

/** Begins to load what `mount` of it needs, for who has to look at something before. What fails is `mount`'s to say. */
export function preload({ module, placement }: ModulePlacement): void {
  if (placement === "handler") return;
  loadInLoopThread(String(module));
  preloadControl();
  import("./placements/loops.ts").catch(() => {});
  import(String(module)).catch(() => {});
}

/** This process serves the mount. */
async function serve(
  filesystem: FileSystem | ModulePlacement,
  mountpoint: string,
  options: MountOptions,
): Promise<Session> {
  const { debug = false, log = logToStandardError, control = false } = options;
  const limits = limitsFor("module" in filesystem ? filesystem.placement ?? "loop" : "handler", options);
  const path = await prepareMountpoint(mountpoint);
  await using resources = new AsyncDisposableStack();
  // While threads start.
  const prepared = control === false ? undefined : prepareControl();
  resources.defer(() => prepared?.then(() => {}, () => {}));
  prepared?.catch(() => {}); // who opens it hears what fails
  // Disposed of after the connection: what it waits for in the kernel ends with the servers' descriptors.
  const notifications = resources.use(new NotifyHandler(log));
  const placed = await place(filesystem, limits, notifications, log, resources);
  const { servers, readMetrics, branches } = placed;
  const { connection, offer, agreement, choice } = connect(path, placed, options, resources);
  const { transport, reason: transportReason } = choice;
  const openNodes = agreement.features.has("passthrough") ? makeOpenNodes() : undefined;
  const shared = { interrupts: makeInterrupts(servers.length), openNodes };
  const settings = { ...agreement, ...shared, defaults: replyDefaults(options), debug };
  notifications.open(() => connection.attach());
  placed.open?.(() => connection.attach());
  if (control !== false) {
    const facts = { ...describeServers(placed, agreement), transport, transportReason };
    const { mountpoint, mountedDevice } = connection;
    const describe = () => ({ ...facts, operations: readMetrics() });
    const mount = { mountpoint, mountedDevice, describe, ...control !== true && control };
    await openControl(mount, log, resources, prepared);
  }
  const { notifier } = notifications;
  const session = new Session({ connection, transport, servers, settings, offer, notifier, readMetrics, branches });
  session.own(resources.move());
  return session;
}

/** Mounts for what is to serve, and answers the kernel's INIT. @throws as `mount` does. */
function connect(path: string, placed: Servers, options: MountOptions, resources: AsyncDisposableStack) {
  const { placement, servers, methods, features, maxWrite, handsOn = false } = placed;
  const wanted = wantedFeatures(new Set(methods), features);
  const { transport: asked = "auto" } = options;
  const chosen = askForTransport(wanted, path, { asked, placement, servers: servers.length, handsOn });
  const connection = resources.use(Connection.mount(path, libfuseOptions(options)));
  resources.defer(() => connection.unmount());
  const { offer, agreement } = connection.handshake(wanted, maxWrite);
  const isOffered = chosen.transport === "device" || agreement.features.has(URING_FEATURE);
  const choice: TransportChoice = isOffered ? chosen : { transport: "device", reason: "the kernel offers no io_uring" };
  if (asked === "uring") checkUring(choice, path);
  return { connection, offer: offer.features, agreement, choice };
}

/** What `cli.ts status` shows of them. */
function describeServers({ placement, servers }: Servers, { minor, features }: Agreement) {
  return { placement, servers: servers.length, minor, features: [...features] };
}

/** Loads and starts what serves, where the filesystem is to be placed. @throws what its module throws. */
async function place(
  filesystem: FileSystem | ModulePlacement,
  limits: Limits,
  notifications: NotifyHandler,
  log: Logger,
  resources: AsyncDisposableStack,
): Promise<Servers> {
  if (!("module" in filesystem)) {
    const { serveObject } = await import("./placements/object.ts");
    return serveObject(filesystem, notifications, limits, log, resources);
  }
  if (filesystem.placement === "handler") {
    const { startWorkers } = await import("./placements/workers.ts");
    return await startWorkers(filesystem, notifications, limits, log, resources);
  }
  const { startLoops } = await import("./placements/loops.ts");
  return await startLoops(filesystem, notifications, log, resources);
}

/** Puts io_uring's flag among the wanted features, or takes it away: no filesystem can ask for it by itself. */
function askForTransport(wanted: Set<Feature>, mountpoint: string, wish: TransportWish): TransportChoice {
  const choice = chooseTransport(wish);
  if (wish.asked === "uring") checkUring(choice, mountpoint);
  if (choice.transport === "uring") wanted.add(URING_FEATURE);
  else wanted.delete(URING_FEATURE);
  return choice;
}

function checkUring({ transport, reason }: TransportChoice, mountpoint: string): void {
  if (transport !== "uring") throw new MountError(`Cannot serve "${mountpoint}" over io_uring: ${reason}`);
}

export type {
  Bounds,
  ControlHooks,
  Deadlines,
  Feature,
  HandlerPlacement,
  KeptMount,
  KeptMountOptions,
  LimitOptions,
  LoopPlacement,
  Metrics,
  MountOptions,
  OperationMetrics,
  ReloadReport,
  ReloadRequest,
  Session,
  Transport,
};
