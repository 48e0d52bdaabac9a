/** Joins the parts: a filesystem, what serves it, a connection; and gives back the session that holds them. */
import { NotifyHandler } from "./channels/notify_handler.ts";
import { Connection, MountError } from "./connection/connection.ts";
import { type Feature, wantedFeatures } from "./connection/features.ts";
import { prepareMountpoint } from "./connection/mountpoint.ts";
import { readReloadRequest, type ReloadReport, type ReloadRequest, type StatusReport } from "./control/messages.ts";
import type { FileSystem } from "./fs/filesystem.ts";
import { type Bounds, completeLimits, type Deadlines, type LimitOptions, type Limits } from "./handler/limits.ts";
import type { Metrics, OperationMetrics } from "./metrics/metrics.ts";
import { type LoopPlacement, startLoops } from "./placements/loops.ts";
import { serveObject } from "./placements/object.ts";
import type { Logger, Servers } from "./placements/placement.ts";
import { type HandlerPlacement, startWorkers } from "./placements/workers.ts";
import type { ReplyDefaults } from "./protocol/reply.ts";
import { Session } from "./session.ts";
import { makeInterrupts } from "./session/waiting_requests.ts";
import { chooseTransport, type Transport, type TransportWish, URING_FEATURE } from "./transport/choice.ts";
import { makeOpenNodes } from "./transport/open_nodes.ts";

/** A filesystem that is a module, and where it is served. */
export type ModulePlacement = LoopPlacement | HandlerPlacement;

/** What a mount does when it is asked to on its control socket, beside `cli.ts status`. */
export interface ControlHooks {
  /** `cli.ts reload`: makes the tree as a configuration says. */
  reload(request: ReloadRequest): Promise<ReloadReport>;
}

/**
 * How to mount. Timeouts are in seconds. `deadlines` and `bounds`, in milliseconds and requests, are for placement
 * "handler": methods inside a loop answer at once.
 */
export interface MountOptions extends LimitOptions {
  /** Further options of mount.fuse3(8), each as `name` or `name=value`; commas in a value are escaped with `\`. */
  readonly options?: readonly string[];
  /** What the mount table shows as its source. Default `trellis`. */
  readonly filesystemName?: string;
  /** The mount's type is `fuse.` and this. Default `trellis`; stale mounts are recognised by it. */
  readonly subtype?: string;
  /** How long the kernel may believe a name. Default 1. */
  readonly entryTimeout?: number;
  /** How long the kernel may believe attributes. Default 1. */
  readonly attributesTimeout?: number;
  /** How long the kernel may believe that a name is not there. Default 0: not at all. */
  readonly negativeTimeout?: number;
  /** Refuse every change (`EROFS`). Default false. */
  readonly readOnly?: boolean;
  /** Let other users in. As an ordinary user this needs `user_allow_other` in /etc/fuse.conf. */
  readonly allowOther?: boolean;
  /** Let the kernel check permissions by mode and owner. */
  readonly defaultPermissions?: boolean;
  /** The largest read in bytes. */
  readonly maxRead?: number;
  /**
   * Answer `cli.ts status` of this user, on a control socket in the user's runtime directory. Default false. Where there
   * can be no such socket, the log says why and the mount does without. Hooks are what else it can be asked to do.
   */
  readonly control?: boolean | ControlHooks;
  /**
   * How requests come and answers go: over `/dev/fuse` ("device") or over io_uring ("uring": placement "loop", Linux 6.14
   * or newer with the fuse module's parameter `enable_uring` on). Default "auto": io_uring where it can
   * be had and every core gets a loop, otherwise the device.
   */
  readonly transport?: Transport | "auto";
  /** Log every request and its answer. */
  readonly debug?: boolean;
  /** Told what goes wrong inside the filesystem. Default: standard error. */
  readonly log?: (message: string, detail: string) => void;
}

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
 * @throws {RangeError} for `loops`, `workers`, `deadlines` or `bounds` that make no sense.
 * @throws {TypeError} for `deadlines` or `bounds` of loops, and for several servers of a filesystem that has `forget`.
 */
export async function mount(
  filesystem: FileSystem | ModulePlacement,
  mountpoint: string,
  options: MountOptions = {},
): Promise<Session> {
  const { debug = false, log = logToStandardError } = options;
  const limits = limitsFor(filesystem, options);
  const path = await prepareMountpoint(mountpoint);
  await using resources = new AsyncDisposableStack();
  // Disposed of after the connection: what it waits for in the kernel ends with the servers' descriptors.
  const notifications = resources.use(new NotifyHandler(log));
  const placed = await place(filesystem, limits, notifications, log, resources);
  const { placement, servers, methods, features, readMetrics } = placed;
  const wanted = wantedFeatures(new Set(methods), features);
  const handsOn = placed.open !== undefined;
  askForTransport(wanted, path, { asked: options.transport ?? "auto", placement, servers: servers.length, handsOn });

  const connection = resources.use(Connection.mount(path, libfuseOptions(options)));
  resources.defer(() => connection.unmount());
  const { offer, agreement } = connection.handshake(wanted, placed.maxWrite);
  const transport: Transport = agreement.features.has(URING_FEATURE) ? "uring" : "device";
  if (options.transport === "uring" && transport !== "uring") throw noUring(path, "the kernel does not offer it");
  const openNodes = agreement.features.has("passthrough") ? makeOpenNodes() : undefined;
  const shared = { interrupts: makeInterrupts(), openNodes };
  const settings = { ...agreement, ...shared, defaults: replyDefaults(options), debug };
  notifications.open(() => connection.attach());
  placed.open?.(() => connection.attach());
  if (options.control !== undefined && options.control !== false) {
    const facts = {
      placement,
      transport,
      servers: servers.length,
      minor: agreement.minor,
      features: [...agreement.features],
    };
    const describe = () => ({ ...facts, operations: readMetrics() });
    const hooks = options.control === true ? {} : options.control;
    await openControl({ connection, describe, hooks, log, resources });
  }
  const { notifier } = notifications;
  const session = new Session({
    connection,
    transport,
    servers,
    settings,
    offer: offer.features,
    notifier,
    readMetrics,
    branches: placed.branches,
  });
  session.own(resources.move());
  return session;
}

/** Starts what serves, where the filesystem is to be placed. @throws what its module throws. */
function place(
  filesystem: FileSystem | ModulePlacement,
  limits: Limits,
  notifications: NotifyHandler,
  log: Logger,
  resources: AsyncDisposableStack,
): Servers | Promise<Servers> {
  if (!("module" in filesystem)) return serveObject(filesystem, notifications, limits, log, resources);
  if (filesystem.placement === "handler") return startWorkers(filesystem, notifications, limits, log, resources);
  return startLoops(filesystem, notifications, log, resources);
}

/** Puts io_uring's flag among the wanted features, or takes it away: no filesystem can ask for it by itself. */
function askForTransport(wanted: Set<Feature>, mountpoint: string, wish: TransportWish): void {
  const { transport, reason } = chooseTransport(wish);
  if (reason !== undefined) throw noUring(mountpoint, reason);
  if (transport === "uring") wanted.add(URING_FEATURE);
  else wanted.delete(URING_FEATURE);
}

function noUring(mountpoint: string, reason: string): MountError {
  return new MountError(`Cannot serve "${mountpoint}" over io_uring: ${reason}`);
}

/** @throws as `mount` does for limits. */
function limitsFor(filesystem: FileSystem | ModulePlacement, { deadlines, bounds }: LimitOptions): Limits {
  if ("module" in filesystem && filesystem.placement !== "handler" && (deadlines ?? bounds) !== undefined) {
    throw new TypeError(
      'deadlines and bounds are for an object and for placement "handler": in a loop methods answer at once',
    );
  }
  return completeLimits({ ...deadlines && { deadlines }, ...bounds && { bounds } });
}

/** Serves the mount's control socket. The mount is worth having without, so what fails is a log line. */
async function openControl({ connection, describe, hooks, log, resources }: {
  connection: Connection;
  describe: () => Omit<StatusReport, "mountpoint" | "pid" | "uptimeSeconds">;
  hooks: Partial<ControlHooks>;
  log: Logger;
  resources: AsyncDisposableStack;
}): Promise<void> {
  const { mountpoint, mountedDevice } = connection;
  const begun = performance.now();
  const uptimeSeconds = () => (performance.now() - begun) / 1000;
  const status = () => ({ mountpoint, pid: Deno.pid, uptimeSeconds: uptimeSeconds(), ...describe() });
  try {
    // Loaded only here: it brings in Node's sockets, which a mount without it need not wait for.
    const { listenForMount } = await import("./control/listen.ts");
    const { reload } = hooks;
    const commands = { status, ...reload && { reload: (given: unknown) => reload(readReloadRequest(given)) } };
    resources.use(await listenForMount(mountpoint, mountedDevice, commands));
  } catch (error) {
    log(`There is no control socket for ${mountpoint}, so "status" will not know it`, String(error));
  }
}

function replyDefaults(options: MountOptions): ReplyDefaults {
  return {
    entryTimeout: options.entryTimeout ?? 1,
    attributesTimeout: options.attributesTimeout ?? 1,
    negativeTimeout: options.negativeTimeout ?? 0,
    uid: Deno.uid() ?? 0,
    gid: Deno.gid() ?? 0,
  };
}

/** mount.fuse3(8)'s words for the options. */
function libfuseOptions(options: MountOptions): string[] {
  const escape = (value: string) => value.replace(/[\\,]/g, "\\$&");
  return [
    `fsname=${escape(options.filesystemName ?? "trellis")}`,
    `subtype=${escape(options.subtype ?? "trellis")}`,
    ...options.readOnly ? ["ro"] : [],
    ...options.allowOther ? ["allow_other"] : [],
    ...options.defaultPermissions ? ["default_permissions"] : [],
    ...options.maxRead === undefined ? [] : [`max_read=${options.maxRead}`],
    ...options.options ?? [],
  ];
}

function logToStandardError(message: string, detail: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`trellis: ${message}\n${detail === "" ? "" : `${detail}\n`}`));
}

export type {
  Bounds,
  Deadlines,
  Feature,
  HandlerPlacement,
  LimitOptions,
  LoopPlacement,
  Metrics,
  OperationMetrics,
  Session,
  Transport,
};
