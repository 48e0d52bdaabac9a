/**
 * A pool of handler workers that serve one module: the kernel gives each request to whichever reads first. A worker that
 * dies has its requests answered, and another takes its place; after too many deaths everything is answered `EIO`.
 */
import { type Libc, openLibc } from "../../ffi/library.ts";
import type { HeldBranch } from "../fs/branches.ts";
import { describeThrown, ERRNO, type ErrnoName, FsError } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { Agreed, LoopHost } from "../fs/module.ts";
import type { EndReason, LoopCommandName, LoopCommands, LoopReady, ServeSettings } from "../messages.ts";
import { makeMetricsBlock, type Metrics, type MetricsBlock, MetricsRecorder, readMetrics } from "../metrics/metrics.ts";
import { openDevicePoll } from "../transport/device_poll.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import type { ForwardedSource } from "../transport/forwarding.ts";
import { Handler } from "./handler.ts";
import { HandlerWorker, type WorkerEvent } from "./handler_worker.ts";
import { openRally } from "./rally.ts";
import { divideLimits, type Limits } from "./limits.ts";
import { processTime } from "../threads/process_clock.ts";
import { deliverFor, type Notifications } from "./remote_notifications.ts";
import { RestartBudget } from "../threads/restart_budget.ts";
import { Watcher } from "./watcher.ts";
import { Watchdog } from "./watchdog.ts";
import type { HandlerStart } from "./worker_messages.ts";

/** What a pool serves, and how. */
export interface HandlerPoolOptions {
  /** The module as its workers are told of it. */
  readonly start: Pick<HandlerStart, "module" | "options">;
  readonly workers: number;
  /** For a handler beside loops, which has one worker: its numbers, among the handlers and among all that serve. */
  readonly place?: Pick<LoopHost, "loop" | "loops"> & { readonly handler: number };
  readonly limits: Limits;
  /** Where a keeper holds the mount: by place among all that serve, how many workers were there, in servers before too. */
  readonly earlier?: Int32Array<SharedArrayBuffer> | undefined;
  /** Where each place's workers count. Default: memory of the pool's own. */
  readonly metrics?: readonly MetricsBlock[];
  readonly notifications: Notifications;
  readonly log: (message: string, detail: string) => void;
}

/** How long a handler that retires may take for what it has, before it is ended and that answered for it. */
const RETIRING_MILLISECONDS = 2_500;

/** A worker whose tree is as it was at first. */
export interface CatchUp {
  /** How many died in its place. */
  readonly restarts: number;
  /** @throws {FsError} or Error, as the worker did; also when it ends before it answers. */
  command<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<LoopCommands[Name]["answer"]>;
  /** From now on the worker takes part in all changes. */
  join(): void;
}

export class HandlerPool implements Disposable {
  readonly #options: HandlerPoolOptions;
  readonly #libc: Libc = openLibc();
  readonly #reply = new DeviceReply(this.#libc, 0);
  readonly #budget = new RestartBudget();
  /** Undefined for a worker that is alone. */
  readonly #rally: number | undefined;
  /** What each place's workers count. */
  readonly metrics: readonly MetricsBlock[];
  readonly #workers: HandlerWorker[];
  /** The worker of a handler beside loops, while its tree is as the loops' are. */
  #joined: HandlerWorker | undefined;
  #start: Pick<HandlerStart, "module" | "options" | "shared" | "agreed"> | undefined;
  #attach: (worker: number) => number = () => -1;
  #forwarded: ForwardedSource | undefined;
  #methods: readonly string[] = [];
  /** No worker is started any more. */
  #ending = false;
  #exhausted = false;
  #retired = false;
  #retirement: ReturnType<typeof setTimeout> | undefined;
  /** What the kernel held at its end of the branches of its tree; undefined when that is not known, as one worker died. */
  held: readonly HeldBranch[] | undefined;

  /** Told of a worker that takes a dead one's place, before it serves: brings its tree to where the loops' are. */
  onReplaced: (catchUp: CatchUp) => Promise<void> = () => Promise.resolve();
  /** Told when the last open file of a branch that goes lazily was closed; perhaps more than once. */
  onUnused: (branch: number) => void = () => {};
  /** Told when too many have died: nobody takes the last one's place. */
  onExhausted: () => void = () => {};

  /** Starts the threads. */
  constructor(options: HandlerPoolOptions) {
    this.#options = options;
    this.#rally = options.workers > 1 ? openRally(this.#libc) : undefined;
    this.metrics = options.metrics ?? Array.from({ length: options.workers }, makeMetricsBlock);
    this.#workers = this.metrics.map((_, number) => this.#makeWorker(number));
  }

  /**
   * Resolves when every worker has made its filesystem; `inTime`, or it fails. `agreed`: what the kernel was told of servers
   * before. @throws what the module threw.
   */
  async prepare(shared: unknown, inTime = false, agreed?: Agreed): Promise<LoopReady> {
    this.#start = { ...this.#options.start, shared, agreed };
    const all = await Promise.all(this.#workers.map((worker, number) => {
      const start = this.#startOf(number, 0);
      return inTime ? worker.prepareInTime(start) : worker.prepare(start);
    }));
    this.#methods = all[0]!.methods;
    this.#joined = this.#workers[0];
    return all[0]!;
  }

  /**
   * Has the worker of a handler beside loops do something. Undefined when it died, or dies: the worker in its place asks
   * `onReplaced`. @throws {FsError} or Error, as the worker did.
   */
  async command<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<{ readonly answer: LoopCommands[Name]["answer"] } | undefined> {
    return await this.#joined?.command(name, given);
  }

  /** Says where the workers' descriptors of the connection come from; each worker closes its own. */
  open(attach: (worker: number) => number): void {
    this.#attach = attach;
  }

  /** What all workers have counted, those that died too. */
  readMetrics(): Metrics {
    return readMetrics(this.metrics);
  }

  /** As `serve`, what loops hand on: until the sending end is closed. */
  serveForwarded(settings: ServeSettings, source: ForwardedSource): Promise<EndReason> {
    this.#forwarded = source;
    return this.serve(settings);
  }

  /** Serves until the end and says why it ended. The settings' own device is read only when no worker is left. */
  async serve(settings: ServeSettings): Promise<EndReason> {
    try {
      const reasons = await this.#serveWithWorkers(settings);
      if (this.#exhausted) return await this.#refuseEverything(settings, "EIO");
      // Ended before it came to the end of what loops had handed on.
      if (this.#retired && reasons[0] === "stopped") return await this.#refuseEverything(settings, "ESTALE");
      return reasons[0]!;
    } finally {
      clearTimeout(this.#retirement);
    }
  }

  /**
   * Of a handler beside loops that serves, when its branches are gone and its sending end is closed: what it has is served
   * if that does not take too long, else answered `ESTALE`. Then `serveForwarded` ends.
   */
  retire(): void {
    this.#retired = true;
    const tooLate = "Nothing is to be served any more, and the worker has not ended";
    this.#retirement = setTimeout(() => this.#killAll(tooLate), RETIRING_MILLISECONDS);
  }

  [Symbol.dispose](): void {
    this.#ending = true;
    clearTimeout(this.#retirement);
    for (const worker of this.#workers) {
      // Who waits for it to get ready waits no more.
      worker.kill(new Error("The mount has ended"));
      worker.dispose();
    }
    if (this.#rally !== undefined) this.#libc.symbols.close(this.#rally);
  }

  async #serveWithWorkers(settings: ServeSettings): Promise<EndReason[]> {
    using watchdog = new Watchdog(settings, {
      check: (now) => Math.min(...this.#workers.map((worker) => worker.checkDeadlines(now, this.#reply))),
      over: () => this.#killAll("The mount is gone, and the worker has not ended"),
      deadlines: this.#options.limits.deadlines,
    });
    watchdog.start();
    return await Promise.all(this.#workers.map((_, number) => this.#keepServing(number, settings)));
  }

  /** Serves with one worker after another in the place `number`. */
  async #keepServing(number: number, settings: ServeSettings): Promise<EndReason> {
    for (let restarts = 0;;) {
      const worker = this.#workers[number]!;
      try {
        if (restarts > 0) await this.#replace(worker, this.#startOf(number, restarts));
        const reason = this.#forwarded === undefined
          ? await worker.serve(settings, () => this.#attach(number), this.#rally)
          : await worker.serveForwarded(settings, this.#forwarded);
        // Methods that have not come to their end.
        if (this.#retired) worker.answerAll(this.#reply, ERRNO.ESTALE);
        if (restarts === 0) this.held = worker.held;
        worker.dispose();
        return reason;
      } catch (error) {
        if (this.#joined === worker) this.#joined = undefined;
        const code = this.#retired ? "ESTALE" : "EIO";
        // A server that a keeper has told to stop leaves them to the next one.
        const passesOn = settings.journal !== undefined && this.#ending && !this.#exhausted && !this.#retired;
        await worker.bury(this.#reply, passesOn ? undefined : ERRNO[code]);
        if (!this.#exhausted && !passesOn) {
          const who = this.#options.place?.handler ?? number;
          this.#log(`Handler worker ${who} died; its requests were answered ${code}`, error);
        }
        if (this.#ending || this.#retired || !this.#mayRestart()) return "stopped";
        this.#workers[number] = this.#makeWorker(number);
        restarts++;
      }
    }
  }

  async #replace(worker: HandlerWorker, start: Omit<HandlerStart, "kind">): Promise<void> {
    await worker.prepareInTime(start);
    if (this.#options.place === undefined) return;
    await this.onReplaced({
      restarts: start.restarts,
      command: async (name, given) => {
        const done = await worker.command(name, given);
        if (done === undefined) throw new Error("The worker that took a dead one's place died too");
        return done.answer;
      },
      join: () => void (this.#joined = worker),
    });
  }

  #mayRestart(): boolean {
    if (this.#budget.spend(processTime())) return true;
    this.#exhausted = true;
    const { place } = this.#options;
    const what = place === undefined ? "the filesystem" : `what handler ${place.handler} serves`;
    this.#log(`Handler workers died four times in a minute: from now on ${what} answers EIO to everything`, "");
    this.#killAll("Too many handler workers died");
    this.onExhausted();
    return false;
  }

  #killAll(reason: string): void {
    this.#ending = true;
    for (const worker of this.#workers) worker.kill(new Error(reason));
  }

  /** No thread waits for this: the mounting isolate answers at once, between whatever else it does. */
  async #refuseEverything(settings: ServeSettings, code: ErrnoName): Promise<EndReason> {
    using watcher = new Watcher();
    const forwarded = this.#forwarded;
    // The settings' own waits for the device.
    using poll = forwarded && ownPoll(this.#libc, forwarded.receiver);
    const handler = new Handler({
      filesystem: refusingFileSystem(this.#methods, code),
      settings: poll === undefined ? settings : { ...settings, poll: poll.descriptor },
      forwarded,
      watcher,
      limits: this.#options.limits,
      metrics: new MetricsRecorder(this.metrics[0], forwarded !== undefined),
      notifier: undefined,
      retrieved: (unique, data) => this.#options.notifications.retrieved(unique, data.slice()),
      log: (message, error) => this.#log(message, error),
    });
    return await handler.serve();
  }

  #makeWorker(number: number): HandlerWorker {
    const worker = new HandlerWorker(number, this.#placeOf(number), this.metrics[number]!);
    worker.onEvent = (event) => this.#receive(worker, event);
    return worker;
  }

  #placeOf(number: number): number {
    return this.#options.place?.loop ?? number;
  }

  /** To be called for each worker once. */
  #startOf(worker: number, restartsHere: number): Omit<HandlerStart, "kind"> {
    const { workers, limits, place, earlier } = this.#options;
    const restarts = earlier === undefined ? restartsHere : Atomics.add(earlier, this.#placeOf(worker), 1);
    const start = { ...this.#start!, restarts, limits: divideLimits(limits, workers) };
    if (place === undefined) return { ...start, worker, workers };
    return { ...start, worker: place.loop, workers: place.loops, handler: place.handler };
  }

  #receive(from: HandlerWorker, event: WorkerEvent): void {
    const { notifications, log } = this.#options;
    switch (event.kind) {
      case "log":
        return log(event.message, event.detail);
      case "unused":
        return this.onUnused(event.branch);
      case "interrupt":
        // Whoever has the request wrote it down in the same turn in which it was read, before it sees this message.
        for (const worker of this.#workers) if (worker !== from) worker.post(event);
        return;
      case "notify":
        return void deliverFor(notifications, event, (message) => from.post(message));
      case "retrieved":
        return notifications.retrieved(event.unique, event.data);
    }
  }

  #log(message: string, error: unknown): void {
    this.#options.log(message, error === "" ? "" : describeThrown(error));
  }
}

/** Has these methods, so that the kernel sees the same filesystem, and refuses each. */
function refusingFileSystem(methods: readonly string[], code: ErrnoName): FileSystem {
  const refuse = () => {
    throw new FsError(code, "The filesystem's workers died too often, or it was removed");
  };
  return Object.fromEntries(methods.map((method) => [method, refuse]));
}

function ownPoll(libc: Libc, receiver: number): Disposable & { readonly descriptor: number } {
  const descriptor = openDevicePoll(libc, receiver);
  return { descriptor, [Symbol.dispose]: () => void libc.symbols.close(descriptor) };
}
