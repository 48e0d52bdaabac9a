/** Joins the parts: a filesystem, what serves it, a connection; and gives back the session that holds them. */
import { NotifyHandler } from "./channels/notify_handler.ts";
import { Connection } from "./connection/connection.ts";
import { type Feature, wantedFeatures } from "./connection/features.ts";
import { deviceDescriptor, prepareMountpoint } from "./connection/mountpoint.ts";
import { describeThrown } from "./fs/errors.ts";
import type { StatusReport } from "./control/messages.ts";
import type { FileSystem } from "./fs/filesystem.ts";
import type { FileSystemModule } from "./fs/module.ts";
import { Handler } from "./handler/handler.ts";
import { type Bounds, completeLimits, type Deadlines, type LimitOptions, type Limits } from "./handler/limits.ts";
import { Watcher } from "./handler/watcher.ts";
import type { LoopReady } from "./messages.ts";
import { type Metrics, MetricsRecorder, type OperationMetrics, readMetrics } from "./metrics/metrics.ts";
import type { Log } from "./protocol/dispatch.ts";
import type { ReplyDefaults } from "./protocol/reply.ts";
import { type Server, Session } from "./session.ts";
import { LoopWorker } from "./session/loop_worker.ts";
import { makeInterrupts } from "./session/waiting_requests.ts";
import { methodsOf } from "./session/methods.ts";
import { makeOpenNodes } from "./transport/open_nodes.ts";

/** A filesystem that every loop loads for itself (placement "loop"); see {@linkcode FileSystemModule}. */
export interface ModulePlacement {
  /** The module's URL. */
  readonly module: URL | string;
  /** For the module's functions; must survive a structured clone. */
  readonly options?: unknown;
  /** How many loops serve the mount, from 1 to 16. Default 1. */
  readonly loops?: number;
}

/**
 * How to mount. Timeouts are in seconds. `deadlines` and `bounds`, in milliseconds and requests, are for a filesystem that
 * is an object: methods inside a loop answer at once.
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
  readonly readOnly?: boolean;
  /** Let other users in. As an ordinary user this needs `user_allow_other` in /etc/fuse.conf. */
  readonly allowOther?: boolean;
  /** Let the kernel check permissions by mode and owner. */
  readonly defaultPermissions?: boolean;
  /** The largest read in bytes. */
  readonly maxRead?: number;
  /**
   * Answer `cli.ts status` of this user, on a control socket in the user's runtime directory. Default false. Where there
   * can be no such socket, the log says why and the mount does without.
   */
  readonly control?: boolean;
  /** Log every request and its answer. */
  readonly debug?: boolean;
  /** Told what goes wrong inside the filesystem. Default: standard error. */
  readonly log?: (message: string, detail: string) => void;
}

/** How many loops a mount may have: more cores than this were never seen to help. */
const MOST_LOOPS = 16;

/**
 * Mounts `filesystem` at `mountpoint` and returns when it is live.
 *
 * An object is served from the isolate that calls this (placement "handler"): its methods may be async, and this isolate
 * must not touch the mount with synchronous calls, which would wait for themselves. A module is served inside the loops.
 *
 * @throws {MountpointError} when the mountpoint cannot be used.
 * @throws {MountError} when the kernel or libfuse refuses.
 * @throws {LibraryError} when there is no libfuse3.
 * @throws {RangeError} for `loops`, `deadlines` or `bounds` that make no sense.
 * @throws {TypeError} for `deadlines` or `bounds` of a module.
 */
export async function mount(
  filesystem: FileSystem | ModulePlacement,
  mountpoint: string,
  options: MountOptions = {},
): Promise<Session> {
  const { debug = false, log = logToStandardError } = options;
  const { deadlines, bounds } = options;
  if ("module" in filesystem && (deadlines ?? bounds) !== undefined) {
    throw new TypeError(
      "deadlines and bounds are for a filesystem that is an object: a module's methods answer at once",
    );
  }
  const limits = completeLimits({ ...deadlines && { deadlines }, ...bounds && { bounds } });
  const path = deviceDescriptor(mountpoint) === undefined ? await prepareMountpoint(mountpoint) : mountpoint;
  await using resources = new AsyncDisposableStack();
  // Disposed of after the connection: what it waits for in the kernel ends with the servers' descriptors.
  const notifications = resources.use(new NotifyHandler(log));
  const { placement, servers, methods, features, readMetrics } = "module" in filesystem
    ? await startLoops(filesystem, notifications, log, resources)
    : makeHandler(filesystem, notifications, limits, log, resources);

  const connection = resources.use(Connection.mount(path, libfuseOptions(options)));
  resources.defer(() => connection.unmount());
  const { offer, agreement } = connection.handshake(wantedFeatures(new Set(methods), features));
  const spinning = new Int32Array(new SharedArrayBuffer(4));
  const openNodes = agreement.features.has("passthrough") ? makeOpenNodes() : undefined;
  const shared = { interrupts: makeInterrupts(), spinning, openNodes };
  const settings = { ...agreement, ...shared, defaults: replyDefaults(options), debug };
  notifications.open(() => connection.attach());
  if (options.control === true) {
    const facts = { placement, servers: servers.length, minor: agreement.minor, features: [...agreement.features] };
    await openControl(connection, () => ({ ...facts, operations: readMetrics() }), log, resources);
  }
  const { notifier } = notifications;
  const session = new Session({ connection, servers, settings, offer: offer.features, notifier, readMetrics });
  session.own(resources.move());
  return session;
}

/** What serves a mount, and what its filesystem has. */
interface Servers extends Pick<LoopReady, "methods" | "features"> {
  readonly placement: StatusReport["placement"];
  readonly servers: readonly Server[];
  readonly readMetrics: () => Metrics;
}

type Logger = (message: string, detail: string) => void;

/** Placement "handler": this isolate serves. */
function makeHandler(
  filesystem: FileSystem,
  notifications: NotifyHandler,
  limits: Limits,
  logger: Logger,
  resources: AsyncDisposableStack,
): Servers {
  const watcher = resources.use(new Watcher());
  const metrics = new MetricsRecorder();
  const log: Log = (message, error) => logger(message, describeThrown(error));
  const { notifier } = notifications;
  const retrieved = (unique: number, data: Uint8Array) => notifications.retrieved(unique, data.slice());
  const parts = { filesystem, watcher, limits, metrics, notifier, retrieved, log };
  return {
    placement: "handler",
    servers: [(settings) => new Handler({ ...parts, settings }).serve()],
    readMetrics: () => metrics.read(),
    methods: methodsOf(filesystem),
    features: filesystem.features ?? [],
  };
}

/** Placement "loop": starts the workers and waits until each has made its filesystem. */
async function startLoops(
  { module, options, loops: count = 1 }: ModulePlacement,
  notifications: NotifyHandler,
  log: Logger,
  resources: AsyncDisposableStack,
): Promise<Servers> {
  if (!Number.isInteger(count) || count < 1 || count > MOST_LOOPS) {
    throw new RangeError(`Cannot mount with ${count} loops: from 1 to ${MOST_LOOPS} can serve a mount`);
  }
  // Disposed of in the reverse order: what the loops share goes after the loops.
  const underLoops = resources.use(new AsyncDisposableStack());
  // Starting a thread takes longer than all else here, so that comes first.
  const loops = Array.from({ length: count }, (_, loop) => resources.use(new LoopWorker(loop)));
  loops.forEach((loop) => loop.onLog = ({ message, detail }) => log(message, detail));
  const href = String(module);
  const { prepare, release } = await import(href) as FileSystemModule;
  const shared = await prepare?.(options, count);
  underLoops.defer(() => release?.(shared));
  await Promise.all(loops.map((worker, loop) => worker.prepare({ module: href, options, shared, loop, loops: count })));
  const servers = loops.map((loop): Server => (settings) => loop.serve(settings, notifications.openSender()));
  const blocks = loops.map(({ metrics }) => metrics);
  return { placement: "loop", servers, readMetrics: () => readMetrics(blocks), ...loops[0]!.ready };
}

/** Serves the mount's control socket. The mount is worth having without, so what fails is a log line. */
async function openControl(
  connection: Connection,
  describe: () => Omit<StatusReport, "mountpoint" | "pid" | "uptimeSeconds">,
  log: Logger,
  resources: AsyncDisposableStack,
): Promise<void> {
  const { mountpoint, mountedDevice } = connection;
  const begun = performance.now();
  const uptimeSeconds = () => (performance.now() - begun) / 1000;
  const status = () => ({ mountpoint, pid: Deno.pid, uptimeSeconds: uptimeSeconds(), ...describe() });
  try {
    // Loaded only here: it brings in Node's sockets, which a mount without it need not wait for.
    const { listenForMount } = await import("./control/listen.ts");
    resources.use(await listenForMount(mountpoint, mountedDevice, { status }));
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

export type { Bounds, Deadlines, Feature, Metrics, OperationMetrics, Session };
