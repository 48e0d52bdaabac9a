/** A live mount: what `mount` returns, and what ends it. */
import { openLibc } from "../ffi/library.ts";
import type { Feature } from "./connection/features.ts";
import type { BranchModule, BranchStep, ChangedBranches, LiveBranches, RemovalOptions } from "./fs/branches.ts";
import type { Notifier } from "./fs/notifier.ts";
import type { EndReason, ServeSettings } from "./messages.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Transport } from "./transport/choice.ts";
import { Attendance } from "./session/attendance.ts";
import { openDevicePoll } from "./transport/device_poll.ts";
import { Stop } from "./transport/stop.ts";

export type { EndReason };

/** How long files that are still open after an unmount keep the session alive. */
const GRACE_MILLISECONDS = 1_000;

/** Serves one descriptor of a connection until the end, and says why it ended. */
export type Server = (settings: ServeSettings) => Promise<EndReason>;

/** What a session needs of a connection. */
export interface SessionConnection {
  readonly mountpoint: string;
  /** A descriptor of it. */
  readonly device: number;
  /** Another descriptor, which is not the session's to close. */
  clone(): number;
  unmount(): Promise<void>;
}

/** The parts of a session. */
export interface SessionParts {
  readonly connection: SessionConnection;
  readonly transport: Transport;
  /** Each gets a descriptor of its own. */
  readonly servers: readonly Server[];
  readonly settings: Omit<ServeSettings, "device" | "poll" | "stop" | "stopped">;
  /** All that the kernel offers. */
  readonly offer: ReadonlySet<Feature>;
  readonly notifier: Notifier;
  /** Reads what the servers have counted. */
  readonly readMetrics: () => Metrics;
  /** How the branches are changed, or why they are not. */
  readonly branches: LiveBranches | { readonly why: string };
}

/**
 * A live mount. Hold it with `await using`: at the end of the scope it is unmounted. It also ends by itself when
 * somebody unmounts it (`umount`, `fusermount3 -u`).
 */
export class Session implements AsyncDisposable {
  /** Where it is mounted: an absolute path. */
  readonly mountpoint: string;
  /** How requests come and answers go. */
  readonly transport: Transport;
  /** The features in force, by name. */
  readonly features: ReadonlySet<Feature>;
  /** All features that this kernel offers. */
  readonly kernelFeatures: ReadonlySet<Feature>;
  /** The kernel's FUSE protocol is 7.`minor`. */
  readonly minor: number;
  /**
   * Tells the kernel what changed and wakes who waits in poll, as the filesystem's own notifier does; also for a filesystem
   * that is served inside the loops, whose promises resolve here.
   */
  readonly notifier: Notifier;
  /** Resolves when the mount is gone and everything is closed; rejects when a server failed. */
  readonly finished: Promise<void>;

  /** Why the first server ended; undefined while all serve, or when it failed. */
  endReason: EndReason | undefined;

  /** What was asked of the filesystem so far, by operation; also after the mount is gone. */
  readonly metrics: () => Metrics;

  readonly #connection: SessionConnection;
  readonly #branches: SessionParts["branches"];
  readonly #stop: Stop;
  readonly #resources = new AsyncDisposableStack();

  /** For `mount`, which has what it is made of. */
  constructor({ connection, transport, servers, settings, offer, notifier, readMetrics, branches }: SessionParts) {
    this.mountpoint = connection.mountpoint;
    this.transport = transport;
    this.features = settings.features;
    this.kernelFeatures = offer;
    this.metrics = readMetrics;
    this.notifier = notifier;
    this.minor = settings.minor;
    this.#connection = connection;
    this.#branches = branches;
    const stop = this.#stop = this.#resources.use(new Stop(openLibc()));
    const devices = servers.map((_, index) => index === 0 ? connection.device : connection.clone());
    const polls = devices.map((device) => openDevicePoll(openLibc(), device, stop.eventfd));
    this.#resources.defer(() => polls.forEach((poll) => openLibc().symbols.close(poll)));
    const attendance = servers.length > 1 && transport === "device"
      ? this.#resources.use(new Attendance(openLibc()))
      : undefined;
    const ends = servers.map((serve, index) =>
      serve({
        ...settings,
        device: devices[index]!,
        poll: polls[index]!,
        stop: stop.eventfd,
        stopped: stop.stopped,
        attendance: attendance?.add(stop.eventfd),
      })
    );
    this.finished = this.#finish(ends);
    // Awaiting `finished` is the caller's choice.
    this.finished.catch(() => {});
  }

  /** Takes what has to be closed when the session ends. */
  own(resources: AsyncDisposable): void {
    this.#resources.use(resources);
  }

  /**
   * Grafts a branch into the tree that loops serve (placement "loop" of a module that makes a `BranchFileSystem`). Every
   * loop makes the branch's filesystem from `branch.module`, and has it when this resolves; a client sees it in all loops
   * or in none. When one loop refuses, all take it back. With `branch.placement` "handler" a handler of its own serves it.
   *
   * @throws {FsError} `EINVAL` for a path that is none, `EEXIST` when a branch is there, `EOPNOTSUPP` when the mount uses a
   * feature that the filesystem does not ask for, or has no handlers (`LoopPlacement.handlersLater`); `ETIMEDOUT` that
   * names the loop or handler that is busy, which has changed nothing; `EINPROGRESS` when the branches have changed, and
   * somebody who is named comes round to it later; and what the module throws.
   * @throws {TypeError} when the mount is no tree in loops.
   */
  async graft(path: string, branch: BranchModule): Promise<void> {
    await this.changeBranches([{ action: "graft", path, branch }]);
  }

  /**
   * Removes a branch, as `BranchFileSystem.prune` does, in all loops: resolves when none has it and the kernel was told. A
   * handler ends with the last of its branches, also one that hangs.
   *
   * @throws {FsError} `ENOENT` when no branch is there, `EBUSY` for the root.
   * @throws {TypeError} when the mount is no tree in loops.
   */
  prune(path: string, options?: RemovalOptions): Promise<ChangedBranches> {
    return this.changeBranches([{ action: "prune", path }], options);
  }

  /** Grafts a branch in another's place: nobody finds neither. @throws as {@linkcode graft} and {@linkcode prune}. */
  replace(path: string, branch: BranchModule, options?: RemovalOptions): Promise<ChangedBranches> {
    return this.changeBranches([{ action: "replace", path, branch }], options);
  }

  /** Makes several changes of branches as one: all of them or none. @throws as {@linkcode graft} and {@linkcode prune}. */
  async changeBranches(steps: readonly BranchStep[], options?: RemovalOptions): Promise<ChangedBranches> {
    const branches = this.#branches;
    if (!("why" in branches)) return await branches.change(steps, options);
    throw new TypeError(`Cannot change the branches of "${this.mountpoint}": ${branches.why}`);
  }

  /**
   * Unmounts and returns when everything is closed. Files that are still open get a second's grace; then their
   * connection is cut and they see `ENOTCONN`.
   */
  async unmount(): Promise<void> {
    await this.#connection.unmount();
    const grace = setTimeout(() => this.#stopServers(), GRACE_MILLISECONDS);
    try {
      await this.finished;
    } finally {
      clearTimeout(grace);
    }
  }

  /** Stops serving, and leaves the mount to whoever holds its device. Returns when everything is closed. */
  stop(): Promise<void> {
    this.#stopServers();
    return this.finished;
  }

  /** The same as `unmount`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unmount();
  }

  #stopServers(): void {
    this.#stop.signal();
  }

  async #finish(ends: readonly Promise<EndReason>[]): Promise<void> {
    // One server's end is the end of all: without it some requests would wait for ever.
    const noted = ends.map((end) => end.then((reason) => this.endReason ??= reason));
    const outcomes = await Promise.allSettled(noted.map((end) => end.finally(() => this.#stopServers())));
    await this.#resources.disposeAsync();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
