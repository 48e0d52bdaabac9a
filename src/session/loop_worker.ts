/** A loop as the mounting side sees it: a worker that gets ready, serves, and ends. */
import { openLibc } from "../../ffi/library.ts";
import type {
  EndReason,
  FromLoop,
  LogRecord,
  LoopCommandName,
  LoopCommands,
  LoopReady,
  LoopServe,
  LoopStart,
  ServeSettings,
  ToLoop,
} from "../messages.ts";
import { makeMetricsBlock, type MetricsBlock } from "../metrics/metrics.ts";
import { Commands } from "../threads/commands.ts";
import { Doorbell } from "./doorbell.ts";
import { takeLoopThread } from "../threads/loop_thread.ts";

export class LoopWorker implements Disposable {
  readonly #loop: number;
  readonly #module: string;
  #worker: Worker | undefined;
  readonly #ready = Promise.withResolvers<LoopReady>();
  readonly #serving = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<EndReason>();
  #facts: LoopReady | undefined;
  readonly #bell = new Doorbell(openLibc());
  readonly #commands = new Commands((command) => {
    this.#thread.postMessage(command);
    this.#bell.ring();
  });

  /** What the loop counts; readable also after its end. */
  readonly metrics: MetricsBlock = makeMetricsBlock();
  /** Where the loop's log lines go. */
  onLog: (record: LogRecord) => void = () => {};
  /** Told when the last open file of a branch that goes lazily was closed; perhaps more than once. */
  onUnused: (branch: number) => void = () => {};

  /** Loop number `loop`, whose thread is yet to be started. */
  constructor(loop: number, module: string) {
    this.#loop = loop;
    this.#module = module;
    // Who waits for one of these may have given up on the others.
    for (const { promise } of [this.#ready, this.#serving, this.#ended]) promise.catch(() => {});
  }

  /** Starts the thread, unless it is there: that stops this one for 20 ms. It loads the module, and waits for `prepare`. */
  begin(): void {
    if (this.#worker !== undefined) return;
    const worker = this.#worker = takeLoopThread(this.#loop);
    worker.onmessage = ({ data }: MessageEvent<FromLoop>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`A loop worker failed: ${event.message}`));
    };
    worker.postMessage({ kind: "load", module: this.#module } satisfies ToLoop);
  }

  /** Resolves when the loop has made its filesystem. Starts the thread if nobody has. @throws what the module threw. */
  async prepare(start: Omit<LoopStart, "kind" | "module" | "loop">): Promise<void> {
    this.begin();
    this.#thread.postMessage({ kind: "start", module: this.#module, loop: this.#loop, ...start } satisfies ToLoop);
    this.#facts = await this.#ready.promise;
  }

  /** What the filesystem has. Only after `prepare`. */
  get ready(): LoopReady {
    if (this.#facts === undefined) throw new Error("The loop is not ready yet");
    return this.#facts;
  }

  /** Serves until the end and says why it ended; its notifications go to the port. @throws when the loop fails. */
  serve(
    settings: ServeSettings,
    notifications: MessagePort,
    forwarding?: LoopServe["forwarding"],
  ): Promise<EndReason> {
    const { metrics } = this;
    this.#bell.hang(settings.poll);
    if (settings.attendance !== undefined) this.#bell.hang(settings.attendance.rest);
    const { call } = this.#bell;
    const message = { kind: "serve", settings, notifications, metrics, call, ...forwarding && { forwarding } } as const;
    this.#thread.postMessage(message satisfies ToLoop, [notifications]);
    this.#serving.resolve();
    return this.#ended.promise;
  }

  /**
   * Has the loop do something between two requests, one thing after the other; once it serves.
   *
   * @throws {FsError} or Error, as the loop did; also when the loop ends before it answers.
   */
  async command<Name extends LoopCommandName>(
    name: Name,
    given: LoopCommands[Name]["given"],
  ): Promise<LoopCommands[Name]["answer"]> {
    await this.#serving.promise;
    return await this.#commands.give(name, given);
  }

  [Symbol.dispose](): void {
    const error = new Error("The loop has ended");
    this.#commands.end(error);
    this.#serving.reject(error);
    this.#worker?.terminate();
    this.#bell[Symbol.dispose]();
  }

  #receive(message: FromLoop): void {
    switch (message.kind) {
      case "ready":
        return this.#ready.resolve(message);
      case "answer":
        return this.#commands.settle(message);
      case "unused":
        return this.onUnused(message.branch);
      case "ended":
        this.#commands.end(new Error(`The loop has ended: ${message.reason}`));
        return this.#ended.resolve(message.reason);
      case "log":
        return this.onLog(message);
      case "failed": {
        const error = new Error(message.message);
        if (message.stack !== undefined) error.stack = message.stack;
        return this.#fail(error);
      }
    }
  }

  get #thread(): Worker {
    if (this.#worker === undefined) throw new Error("The loop has not begun yet");
    return this.#worker;
  }

  #fail(error: Error): void {
    this.#commands.end(error);
    this.#ready.reject(error);
    this.#serving.reject(error);
    this.#ended.reject(error);
  }
}
