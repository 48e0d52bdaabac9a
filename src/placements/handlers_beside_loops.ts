/** Handlers beside loops: each serves what the loops' methods say is `Elsewhere`, in a worker of its own. */
import { type Libc, openLibc } from "../../ffi/library.ts";
import type { NotifyHandler } from "../channels/notify_handler.ts";
import { completeLimits, type LimitOptions } from "../handler/limits.ts";
import { HandlerPool } from "../handler/pool.ts";
import type { EndReason, LoopServe, ServeSettings } from "../messages.ts";
import type { MetricsBlock } from "../metrics/metrics.ts";
import { type ForwardingSocket, openForwardingSocket } from "../transport/forwarding.ts";
import type { Logger } from "./placement.ts";

/** What they are made of. */
export interface HandlersOptions {
  readonly module: string;
  readonly options: unknown;
  /** The limits of each. */
  readonly handlers: readonly LimitOptions[];
  /** How many loops there are. */
  readonly loops: number;
  readonly notifications: NotifyHandler;
  readonly log: Logger;
}

export class HandlersBesideLoops implements Disposable {
  readonly #libc: Libc = openLibc();
  readonly #pools: HandlerPool[] = [];
  readonly #sockets: ForwardingSocket[] = [];
  readonly #loops: number;
  /** The loops' descriptors, by their numbers. */
  readonly #devices: number[] = [];
  #ended: Promise<unknown> | undefined;
  #left: number;

  /** Starts the threads. @throws {RangeError} for limits that make no sense. */
  constructor({ module, options, handlers, loops, notifications, log }: HandlersOptions) {
    this.#loops = this.#left = loops;
    const limits = handlers.map(completeLimits);
    const count = loops + handlers.length;
    for (const [handler, its] of limits.entries()) {
      const place = { handler, loop: loops + handler, loops: count };
      this.#sockets.push(openForwardingSocket(this.#libc));
      const start = { module, options };
      this.#pools.push(new HandlerPool({ start, workers: 1, place, limits: its, notifications, log }));
    }
  }

  /** Resolves when each has made its filesystem. @throws what the module threw. */
  async prepare(shared: unknown): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.prepare(shared)));
  }

  /** The handlers, by their numbers. */
  get pools(): readonly HandlerPool[] {
    return this.#pools;
  }

  /** What each of them counts. */
  get metrics(): MetricsBlock[] {
    return this.#pools.flatMap(({ metrics }) => metrics);
  }

  /** How a loop hands requests on. */
  waysOf(loop: number): NonNullable<LoopServe["forwarding"]> {
    return { loop, senders: this.#sockets.map(({ sender }) => sender) };
  }

  /**
   * Serves for as long as all loops: to be called for each, all in one turn. The end of the last loop waits for what it
   * handed on; handlers that do not come to their end then are given up, as the workers of a pool are.
   */
  async serveBeside(loop: number, settings: ServeSettings, end: Promise<EndReason>): Promise<EndReason> {
    this.#devices[loop] = settings.device;
    if (loop === this.#loops - 1) this.#serve(settings);
    try {
      return await end;
    } finally {
      if (--this.#left === 0) await this.#end();
    }
  }

  #serve(settings: ServeSettings): void {
    const ends = this.#pools.map((pool, handler) => {
      return pool.serveForwarded(settings, { receiver: this.#sockets[handler]!.receiver, devices: this.#devices });
    });
    this.#ended = Promise.allSettled(ends);
  }

  /** Nobody hands anything on any more. */
  async #end(): Promise<void> {
    for (const { sender } of this.#sockets) this.#libc.symbols.close(sender);
    await this.#ended;
    for (const { receiver } of this.#sockets.splice(0)) this.#libc.symbols.close(receiver);
  }

  [Symbol.dispose](): void {
    for (const pool of this.#pools) pool[Symbol.dispose]();
    // What never served.
    for (const { sender, receiver } of this.#sockets.splice(0)) {
      this.#libc.symbols.close(sender);
      this.#libc.symbols.close(receiver);
    }
  }
}
