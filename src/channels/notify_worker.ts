/** A notify worker as the mounting side sees it: it takes what its port gives it to the kernel, until it ends or crashes. */
import { openLibc } from "../../ffi/library.ts";
import type { ToNotifier } from "../messages.ts";

/** How long the end waits for a notification that the kernel is working on. */
const GRACE_MILLISECONDS = 1_000;

export interface NotifyWorkerOptions {
  /** The thread's name. */
  readonly name: string;
  /** A descriptor of the connection, the worker's own from now on. */
  readonly device: number;
  /** A receiver's port of a channel of `Envelope`s. */
  readonly port: MessagePort;
  /** Told when it crashed and everything of it is closed. */
  crashed(reason: string): void;
}

export class NotifyWorker {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();

  constructor({ name, device, port, crashed }: NotifyWorkerOptions) {
    this.#worker = new Worker(new URL("../workers/notifier.ts", import.meta.url), { type: "module", name });
    this.#worker.onmessage = () => this.#ended.resolve();
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#worker.terminate();
      this.#ended.resolve();
      // It failed in its own code, not in the kernel, and so uses the descriptor no more.
      openLibc().symbols.close(device);
      crashed(event.message);
    };
    this.#worker.postMessage({ kind: "start", device, port } satisfies ToNotifier, [port]);
  }

  /** Ends it and returns when its descriptor is closed, or when the kernel has had its time. */
  async end(): Promise<void> {
    this.#worker.postMessage({ kind: "end" } satisfies ToNotifier);
    const grace = setTimeout(() => this.#ended.resolve(), GRACE_MILLISECONDS);
    await this.#ended.promise;
    clearTimeout(grace);
    this.#worker.terminate();
  }
}
