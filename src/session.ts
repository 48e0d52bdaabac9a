/** A live mount: what `mount` returns, and what ends it. */
import { openLibc } from "../ffi/library.ts";
import type { Connection } from "./connection/connection.ts";
import type { Feature } from "./connection/features.ts";
import type { Notifier } from "./fs/notifier.ts";
import type { EndReason, ServeSettings } from "./messages.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Transport } from "./transport/choice.ts";
import { openDevicePoll } from "./transport/device_poll.ts";

/** How long files that are still open after an unmount keep the session alive. */
const GRACE_MILLISECONDS = 1_000;

// sys/eventfd.h
const EFD_CLOEXEC = 0o2000000;

/** Serves one descriptor of a connection until the end, and says why it ended. */
export type Server = (settings: ServeSettings) => Promise<EndReason>;

/** The parts of a session. */
export interface SessionParts {
  readonly connection: Connection;
  readonly transport: Transport;
  /** Each gets a descriptor of its own. */
  readonly servers: readonly Server[];
  readonly settings: Omit<ServeSettings, "device" | "poll" | "stop">;
  /** All that the kernel offers. */
  readonly offer: ReadonlySet<Feature>;
  readonly notifier: Notifier;
  /** Reads what the servers have counted. */
  readonly readMetrics: () => Metrics;
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

  /** What was asked of the filesystem so far, by operation; also after the mount is gone. */
  readonly metrics: () => Metrics;

  readonly #connection: Connection;
  readonly #stop: number;
  readonly #resources = new AsyncDisposableStack();

  constructor({ connection, transport, servers, settings, offer, notifier, readMetrics }: SessionParts) {
    this.mountpoint = connection.mountpoint;
    this.transport = transport;
    this.features = settings.features;
    this.kernelFeatures = offer;
    this.metrics = readMetrics;
    this.notifier = notifier;
    this.minor = settings.minor;
    this.#connection = connection;
    this.#stop = openLibc().symbols.eventfd(0, EFD_CLOEXEC);
    if (this.#stop < 0) throw new Error("Cannot make an eventfd for the session: too many open files");
    this.#resources.defer(() => void openLibc().symbols.close(this.#stop));
    const devices = servers.map((_, index) => index === 0 ? connection.device : connection.clone());
    const polls = devices.map((device) => openDevicePoll(openLibc(), device, this.#stop));
    this.#resources.defer(() => polls.forEach((poll) => openLibc().symbols.close(poll)));
    const ends = servers.map((serve, index) =>
      serve({ ...settings, device: devices[index]!, poll: polls[index]!, stop: this.#stop })
    );
    this.finished = this.#finish(ends);
    // Awaiting `finished` is the caller's choice.
    this.finished.catch(() => {});
  }

  /** Takes what has to be closed when the session ends. */
  own(resources: AsyncDisposableStack): void {
    this.#resources.use(resources);
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

  /** The same as `unmount`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.unmount();
  }

  #stopServers(): void {
    openLibc().symbols.write(this.#stop, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  }

  async #finish(ends: readonly Promise<EndReason>[]): Promise<void> {
    // One server's end is the end of all: without it some requests would wait for ever.
    const outcomes = await Promise.allSettled(ends.map((end) => end.finally(() => this.#stopServers())));
    await this.#resources.disposeAsync();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
