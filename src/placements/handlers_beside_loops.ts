/** Handlers beside loops: each serves what the loops' methods say is `Elsewhere`, in a worker of its own. */
import type { NotifyHandler } from "../channels/notify_handler.ts";
import type { HeldBranch } from "../fs/branches.ts";
import { completeLimits, type LimitOptions } from "../handler/limits.ts";
import type { Agreed } from "../fs/module.ts";
import type { HandlerPoolOptions } from "../handler/pool.ts";
import type { EndReason, LoopServe, ServeSettings } from "../messages.ts";
import { makeMetricsBlock, type MetricsBlock } from "../metrics/metrics.ts";
import { HandlerBesideLoops } from "./handler_beside_loops.ts";
import type { Logger } from "./placement.ts";

/** What they are made of. */
export interface HandlersOptions {
  readonly module: string;
  readonly options: unknown;
  /** The limits of each that is there from the start. */
  readonly handlers: readonly LimitOptions[];
  /** How many loops there are. */
  readonly loops: number;
  readonly notifications: NotifyHandler;
  readonly log: Logger;
  /** As {@linkcode HandlerPoolOptions} has it. */
  readonly earlier?: HandlerPoolOptions["earlier"];
}

export class HandlersBesideLoops implements Disposable {
  readonly #options: HandlersOptions;
  /** By their numbers. That of one which came later may be another's when it has gone; the first keep theirs. */
  readonly #handlers = new Map<number, HandlerBesideLoops>();
  /** What all that ever had a number have counted. */
  readonly #metrics: MetricsBlock[] = [];
  /** The loops' descriptors, by their numbers. */
  readonly #devices: number[] = [];
  #shared: unknown;
  #settings: ServeSettings | undefined;
  #left: number;
  #hasEnded = false;

  /** Starts the threads. @throws {RangeError} for limits that make no sense. */
  constructor(options: HandlersOptions) {
    this.#options = options;
    this.#left = options.loops;
    // Nothing is started when one of them makes no sense.
    for (const limits of options.handlers) completeLimits(limits);
    for (const [number, limits] of options.handlers.entries()) this.#start(number, limits);
  }

  /** Resolves when each has made its filesystem; `agreed` as `LoopHost` has it. @throws what the module threw. */
  async prepare(shared: unknown, agreed?: Agreed): Promise<void> {
    this.#shared = shared;
    await Promise.all([...this.#handlers.values()].map(({ pool }) => pool.prepare(shared, false, agreed)));
  }

  /** Those that there are, by their numbers. */
  get handlers(): ReadonlyMap<number, HandlerBesideLoops> {
    return this.#handlers;
  }

  /** What each of them counts, and those before it counted. */
  get metrics(): readonly MetricsBlock[] {
    return this.#metrics;
  }

  /**
   * Starts another while the mount is live, and resolves with its number when it has made the filesystem as all have it at
   * first. It does not serve yet. @throws what the module threw, and when the mount has ended.
   */
  async add(limits: LimitOptions): Promise<number> {
    let number = this.#options.handlers.length;
    while (this.#handlers.has(number)) number++;
    const handler = this.#start(number, limits);
    try {
      if (this.#hasEnded) throw new Error("The mount has ended");
      await handler.pool.prepare(this.#shared, true);
      return number;
    } catch (error) {
      this.#handlers.delete(number);
      handler[Symbol.dispose]();
      throw error;
    }
  }

  /** Has one that was added serve. */
  serve(number: number): void {
    if (!this.#hasEnded) this.#handlers.get(number)!.serve(this.#settings!, this.#devices);
  }

  /**
   * Ends one that no loop hands anything on to any more. Returns what the kernel holds of its branches, undefined when that
   * is not known.
   */
  async retire(number: number): Promise<readonly HeldBranch[] | undefined> {
    const handler = this.#handlers.get(number)!;
    const held = await handler.retire();
    this.#handlers.delete(number);
    return held;
  }

  /** How a loop hands requests on. */
  waysOf(loop: number): NonNullable<LoopServe["forwarding"]> {
    return { loop, senders: [...this.#handlers.values()].map(({ sender }) => sender) };
  }

  /**
   * Serves for as long as all loops: to be called for each, all in one turn. The end of the last loop waits for what it
   * handed on; handlers that do not come to their end then are given up, as the workers of a pool are.
   */
  async serveBeside(loop: number, settings: ServeSettings, end: Promise<EndReason>): Promise<EndReason> {
    this.#devices[loop] = settings.device;
    if (loop === this.#options.loops - 1) {
      this.#settings = settings;
      for (const handler of this.#handlers.values()) handler.serve(settings, this.#devices);
    }
    try {
      return await end;
    } finally {
      if (--this.#left === 0) await this.#end();
    }
  }

  /** Nobody hands anything on any more. */
  async #end(): Promise<void> {
    this.#hasEnded = true;
    await Promise.all([...this.#handlers.values()].map((handler) => handler.end()));
  }

  [Symbol.dispose](): void {
    this.#hasEnded = true;
    for (const handler of this.#handlers.values()) handler[Symbol.dispose]();
  }

  #start(number: number, limits: LimitOptions): HandlerBesideLoops {
    const { module, options, loops, handlers, notifications, log, earlier } = this.#options;
    // Of the tree's own branches those that come later serve none, so that any number of a loop's will do.
    const loop = number < handlers.length ? loops + number : 0;
    const handler = new HandlerBesideLoops({
      start: { module, options },
      workers: 1,
      place: { handler: number, loop, loops: loops + handlers.length },
      limits: completeLimits(limits),
      metrics: [this.#metrics[number] ??= makeMetricsBlock()],
      ...{ notifications, log, earlier },
    });
    this.#handlers.set(number, handler);
    return handler;
  }
}
