/** A live mount: what `mount` returns, and what ends it. */
import { openLibc } from "../ffi/library.ts";
import type { Connection } from "./connection/connection.ts";
import type { Feature } from "./connection/features.ts";
import type { Agreement } from "./connection/handshake.ts";
import type { Handler } from "./handler/handler.ts";
import type { ReplyDefaults } from "./protocol/reply.ts";
import type { LoopWorker } from "./session/loop_worker.ts";

/** How long files that are still open after an unmount keep the session alive. */
const GRACE_MILLISECONDS = 1_000;

// sys/eventfd.h
const EFD_CLOEXEC = 0o2000000;

/** The parts of a session. */
export interface SessionParts {
  readonly connection: Connection;
  readonly loops: readonly LoopWorker[];
  /** The descriptor of each loop. */
  readonly devices: readonly number[];
  readonly agreement: Agreement;
  readonly defaults: ReplyDefaults;
  readonly debug: boolean;
  /** All that the kernel offers. */
  readonly offer: ReadonlySet<Feature>;
  readonly handler: Handler | null;
}

/**
 * A live mount. Hold it with `await using`: at the end of the scope it is unmounted. It also ends by itself when
 * somebody unmounts it (`umount`, `fusermount3 -u`).
 */
export class Session implements AsyncDisposable {
  /** Where it is mounted: an absolute path. */
  readonly mountpoint: string;
  /** The features in force, by name. */
  readonly features: ReadonlySet<Feature>;
  /** All features that this kernel offers. */
  readonly kernelFeatures: ReadonlySet<Feature>;
  /** The kernel's FUSE protocol is 7.`minor`. */
  readonly minor: number;
  /** Resolves when the mount is gone and everything is closed; rejects when a loop failed. */
  readonly finished: Promise<void>;

  readonly #connection: Connection;
  readonly #loops: readonly LoopWorker[];
  readonly #stop: number;
  readonly #resources = new AsyncDisposableStack();

  constructor(parts: SessionParts) {
    const { connection, loops, agreement } = parts;
    this.mountpoint = connection.mountpoint;
    this.features = agreement.features;
    this.kernelFeatures = parts.offer;
    this.minor = agreement.minor;
    this.#connection = connection;
    this.#loops = loops;
    this.#stop = openLibc().symbols.eventfd(0, EFD_CLOEXEC);
    if (this.#stop < 0) throw new Error("Cannot make an eventfd for the session: too many open files");
    this.#resources.defer(() => void openLibc().symbols.close(this.#stop));
    loops.forEach((loop, index) =>
      loop.serve({
        kind: "serve",
        device: parts.devices[index]!,
        stop: this.#stop,
        minor: agreement.minor,
        features: agreement.features,
        maxWrite: agreement.maxWrite,
        defaults: parts.defaults,
        debug: parts.debug,
      })
    );
    this.finished = this.#finish(parts);
    // Awaiting `finished` is the caller's choice; a failed loop is logged by then.
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
    const grace = setTimeout(() => this.#stopLoops(), GRACE_MILLISECONDS);
    try {
      await this.finished;
    } finally {
      clearTimeout(grace);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unmount();
  }

  #stopLoops(): void {
    openLibc().symbols.write(this.#stop, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  }

  async #finish({ loops }: SessionParts): Promise<void> {
    const outcomes = await Promise.allSettled(loops.map(async (loop) => {
      try {
        await loop.ended;
      } finally {
        // One loop's end is the end of all: without it some requests would wait for ever.
        this.#stopLoops();
      }
    }));
    await this.#resources.disposeAsync();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}
