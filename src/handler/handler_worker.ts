/**
 * One handler worker as the mounting side sees it, from its birth to its burial: a thread with descriptors of its own,
 * and the memory from which its requests are answered when it dies.
 */
import { OPCODE } from "../../ffi/kernel.ts";
import { F_DUPFD_CLOEXEC } from "../../ffi/libc.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { ERRNO } from "../fs/errors.ts";
import { O_CLOEXEC, O_RDWR } from "../fs/flags.ts";
import type { HeldBranch } from "../fs/branches.ts";
import { Journal } from "../kept/journal.ts";
import type { EndReason, LoopCommandName, LoopCommands, ServeSettings } from "../messages.ts";
import { type MetricsBlock, MetricsRecorder } from "../metrics/metrics.ts";
import { wantsAnswer } from "../protocol/operations.ts";
import { addCall, openDevicePoll } from "../transport/device_poll.ts";
import { readBufferSize } from "../transport/device_reader.ts";
import { openEventfd, signalEventfd } from "../transport/eventfd.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { Commands } from "../threads/commands.ts";
import { type ForwardedSource, forwardingLoop } from "../transport/forwarding.ts";
import { processTime } from "../threads/process_clock.ts";
import { lastRead, makeTakenMemory, markAnswered, readTaken } from "./taken_requests.ts";
import { endWatch, makeWatchFlag } from "./watcher.ts";
import type {
  FromHandler,
  HandlerReady,
  HandlerServe,
  HandlerStart,
  ToHandler,
  WorkerMemory,
} from "./worker_messages.ts";

/** How long after a deadline the worker itself has time to answer. Then the mounting isolate does. */
const LATE_MILLISECONDS = 100;

/** How long after a deadline a worker whose event loop does not get to it is given up as hanging. */
const HANGING_MILLISECONDS = 1_000;

/** How long the burial waits for the thread to end. One in an endless loop never does. */
const DYING_MILLISECONDS = 250;

/** How long a worker that comes while the mount is live may take to get ready. */
const STARTING_MILLISECONDS = 30_000;

/** What came from the worker that the pool has to see to. */
export type WorkerEvent = Exclude<FromHandler, { kind: "ready" | "ended" | "failed" | "answer" }>;

export class HandlerWorker {
  readonly #worker: Worker;
  readonly #place: number;
  readonly #libc: Libc = openLibc();
  readonly #ready = Promise.withResolvers<HandlerReady>();
  readonly #ended = Promise.withResolvers<EndReason>();
  readonly #commands = new Commands((command) => this.post(command));
  readonly #metrics: MetricsBlock;
  #memory: WorkerMemory | undefined;
  /** Only where a keeper holds the mount. */
  #journal: Journal | undefined;
  /** What it reads, and where its answers go: one descriptor, or for a handler beside loops those of the loops. */
  #read = -1;
  #devices: readonly number[] = [];
  #forwarded = false;
  /** Ends the worker's watcher. */
  #stop = -1;
  #descriptors: number[] = [];
  #thread: string | undefined;

  /** What the kernel held of the branches of its tree when it ended by itself. */
  held: readonly HeldBranch[] | undefined;
  /** What the worker sends while it serves. */
  onEvent: (event: WorkerEvent) => void = () => {};

  /** Starts the thread, which counts in `metrics`; it waits for `prepare`. `place`: its number among all that serve. */
  constructor(number: number, place: number, metrics: MetricsBlock) {
    this.#place = place;
    this.#metrics = metrics;
    this.#worker = new Worker(new URL("../workers/handler.ts", import.meta.url), {
      type: "module",
      name: `trellis-handler-${number}`,
    });
    // Who waits for one of these may have given up on the other.
    this.#ready.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
    this.#worker.onmessage = ({ data }: MessageEvent<FromHandler>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.kill(new Error(event.message));
    };
  }

  /** Resolves when the worker has made its filesystem. @throws what the module threw. */
  prepare(start: Omit<HandlerStart, "kind">): Promise<HandlerReady> {
    this.post({ kind: "start", ...start });
    return this.#ready.promise;
  }

  /** As `prepare`, while the mount is live: one that does not get ready in time has failed. */
  async prepareInTime(start: Omit<HandlerStart, "kind">): Promise<HandlerReady> {
    const tooLate = () => this.kill(new Error(`It was not ready after ${STARTING_MILLISECONDS / 1000} s`));
    const timer = setTimeout(tooLate, STARTING_MILLISECONDS);
    try {
      return await this.prepare(start);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Serves with a descriptor of the connection from `attach`, and says why it ended. `rally` calls all workers, where there
   * are several. @throws when the worker dies.
   */
  serve(settings: ServeSettings, attach: () => number, rally?: number): Promise<EndReason> {
    this.#read = this.#keep(attach());
    this.#devices = [this.#read];
    return this.#serve(settings, [settings.stop], { rally });
  }

  /**
   * As `serve`, for a handler beside loops. It has duplicates of all descriptors, so that what may yet come of a thread that
   * hangs can be taken from it. It ends when the sending end is closed: what the loops handed on is to be served.
   */
  serveForwarded(settings: ServeSettings, { receiver, devices }: ForwardedSource): Promise<EndReason> {
    this.#forwarded = true;
    this.#read = this.#duplicate(receiver);
    this.#devices = devices.map((device) => this.#duplicate(device));
    return this.#serve(settings, [], { forwarded: { receiver: this.#read, devices: this.#devices } });
  }

  #duplicate(descriptor: number): number {
    return this.#keep(this.#libc.symbols.fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  }

  #serve(
    settings: ServeSettings,
    stops: readonly number[],
    { forwarded, rally }: Pick<HandlerServe, "forwarded" | "rally">,
  ): Promise<EndReason> {
    const stop = this.#keep(openEventfd(this.#libc));
    const poll = this.#keep(openDevicePoll(this.#libc, this.#read, stop, ...stops));
    if (rally !== undefined) addCall(this.#libc, poll, rally);
    const device = this.#devices[0]!;
    const buffer = new SharedArrayBuffer((readBufferSize(settings.maxWrite) + 7) & ~7);
    this.#journal = settings.journal && new Journal(settings.journal, this.#place);
    this.#journal?.expectBeats();
    this.#stop = stop;
    this.#memory = { taken: makeTakenMemory(), buffer, metrics: this.#metrics, watch: makeWatchFlag() };
    const message = { kind: "serve", settings: { ...settings, device, poll }, memory: this.#memory, rally } as const;
    this.post({ ...message, ...forwarded && { forwarded } });
    return this.#ended.promise;
  }

  post(message: ToHandler): void {
    this.#worker.postMessage(message);
  }

  /**
   * Has a handler beside loops do something, after `prepare`; one thing after the other. Undefined when it has ended, or
   * ends before it answers.
   *
   * @throws {FsError} or Error, as the worker did.
   */
  async command<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<{ readonly answer: LoopCommands[Name]["answer"] } | undefined> {
    try {
      return { answer: await this.#commands.give(name, given) };
    } catch (error) {
      if (this.#commands.ended) return undefined;
      throw error;
    }
  }

  /** Ends the worker, whatever it is doing: `serve` rejects with `error`. */
  kill(error: Error): void {
    this.#commands.end(error);
    this.#ready.reject(error);
    this.#ended.reject(error);
    this.#worker.terminate();
  }

  /**
   * Answers for a worker that does not get to it, and gives up on one that hangs. `now` is the process's time in
   * milliseconds; so is what is returned: when to look again.
   */
  checkDeadlines(now: number, reply: DeviceReply): number {
    if (this.#memory === undefined) return Infinity;
    let next = Infinity;
    for (const taken of readTaken(this.#memory.taken)) {
      const { due, answered, device, uniqueLower, uniqueUpper } = taken;
      if (due + HANGING_MILLISECONDS <= now) {
        this.kill(new Error("It hangs: a deadline passed a second ago, and its event loop has not come round"));
        return Infinity;
      }
      if (!answered && due + LATE_MILLISECONDS <= now) {
        reply.sendFor(device, uniqueLower, uniqueUpper, -ERRNO.ETIMEDOUT);
        markAnswered(this.#memory.taken, taken);
      }
      next = Math.min(next, due + (due + LATE_MILLISECONDS <= now ? HANGING_MILLISECONDS : LATE_MILLISECONDS));
    }
    return next;
  }

  /**
   * Answers `errno` to all that the dead worker had taken, and closes its descriptors. Without `errno` the next server of the
   * mount answers.
   */
  async bury(reply: DeviceReply, errno: number | undefined): Promise<void> {
    this.#worker.terminate();
    const gone = await this.#waitForThread();
    this.#journal?.leave();
    if (errno !== undefined) this.answerAll(reply, errno);
    signalEventfd(this.#libc, this.#stop);
    if (this.#memory !== undefined) endWatch(this.#memory.watch);
    if (gone) this.#close();
    else this.#disarm();
  }

  /** At the end of a worker that ended by itself. */
  dispose(): void {
    this.#commands.end(new Error("The handler has ended"));
    this.#journal?.leave();
    if (this.#memory !== undefined) endWatch(this.#memory.watch);
    this.#worker.terminate();
    this.#close();
  }

  /** Answers `errno` to all that a worker which has ended had taken and not answered. */
  answerAll(reply: DeviceReply, errno: number): void {
    if (this.#memory === undefined) return;
    const { taken, buffer } = this.#memory;
    const metrics = new MetricsRecorder(this.#metrics, this.#forwarded);
    const now = processTime();
    const last = lastRead(buffer);
    for (const { opcode, device, uniqueLower, uniqueUpper, begin, answered } of readTaken(taken)) {
      reply.sendFor(device, uniqueLower, uniqueUpper, -errno);
      if (answered) metrics.timeOut(opcode);
      metrics.end(opcode, answered ? -ERRNO.ETIMEDOUT : -errno, now - begin);
    }
    // A NOTIFY_REPLY's `unique` is even another request's number.
    if (last.opcode !== 0 && last.opcode !== OPCODE.INTERRUPT && wantsAnswer(last.opcode)) {
      const device = this.#devices[this.#forwarded ? forwardingLoop(buffer) : 0]!;
      const waited = reply.sendFor(device, last.uniqueLower, last.uniqueUpper, -errno);
      if (waited && this.#forwarded) metrics.end(last.opcode, -errno, 0);
    }
    metrics.settle();
  }

  /**
   * Whether the thread ended in time. Only then can its descriptors' numbers be given to other files. Looked for with
   * synchronous calls, which procfs answers at once: async ones wait for threads that may all be waiting for this mount.
   */
  async #waitForThread(): Promise<boolean> {
    if (this.#thread === undefined) return true;
    for (const begin = performance.now(); performance.now() - begin < DYING_MILLISECONDS;) {
      if (!isThere(`/proc/self/task/${this.#thread}`)) return true;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return false;
  }

  /**
   * Deno cannot end a thread that never comes back to its event loop. Should it do so after all, it finds /dev/null where
   * the device was. What it had read is answered; what it reads until here is the kernel's to end.
   */
  #disarm(): void {
    const { symbols } = this.#libc;
    const nothing = symbols.open(cString("/dev/null"), O_RDWR | O_CLOEXEC, 0);
    if (nothing < 0) return;
    for (const descriptor of new Set([this.#read, ...this.#devices])) symbols.dup2(nothing, descriptor);
    symbols.close(nothing);
  }

  #close(): void {
    for (const descriptor of this.#descriptors) this.#libc.symbols.close(descriptor);
    this.#descriptors = [];
  }

  #keep(descriptor: number): number {
    if (descriptor < 0) throw new Error("Cannot serve with another handler worker: too many open files");
    this.#descriptors.push(descriptor);
    return descriptor;
  }

  #receive(message: FromHandler): void {
    switch (message.kind) {
      case "ready":
        this.#thread = message.thread;
        return this.#ready.resolve(message);
      case "ended":
        this.held = message.held;
        this.#commands.end(new Error(`The handler has ended: ${message.reason}`));
        return this.#ended.resolve(message.reason);
      case "answer":
        return this.#commands.settle(message);
      case "failed": {
        const error = new Error(message.message);
        if (message.stack !== undefined) error.stack = message.stack;
        return this.kill(error);
      }
      default:
        return this.onEvent(message);
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
