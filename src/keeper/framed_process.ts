/**
 * A process of ours that is asked and answers in frames (`src/control/frames.ts`), on its standard input and output, and
 * that may die: a server as its keeper sees it, or a keeper as the library does.
 */
import { encodeFrame, FrameDecoder } from "../control/frames.ts";
import { killProcess } from "./deno_process.ts";
import { type Failed, ProcessFailure } from "./failure.ts";
import { LONGEST, readMessage } from "./messages.ts";

/** The process is gone, which another may make good. */
export class ProcessLost extends Error {
  override readonly name = "ProcessLost";
}

/** What it is, and who hears of it. */
export interface FramedProcessOptions<From> {
  /** What it is, for people, as in "The server". */
  readonly title: string;
  /** The kinds of message that it may send. */
  readonly kinds: readonly string[];
  /** Hears what answers no question. */
  readonly onMessage: (message: From) => void;
}

/** `To` is what it is told, `From` what it says. */
export class FramedProcess<To, From extends { readonly kind: string }> {
  readonly #options: FramedProcessOptions<From>;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  /** Who waits for an answer of a kind, in the order of the questions. */
  readonly #waiting = new Map<string, PromiseWithResolvers<From>[]>();
  /** Set when what it said could not be understood. */
  #garbled: unknown;
  /** Resolves to how it ended, in words, when the process is gone and all that it said was heard. */
  readonly ended: Promise<string>;

  /** `child` was started by `startProcess`. */
  constructor(child: Deno.ChildProcess, options: FramedProcessOptions<From>) {
    this.#options = options;
    this.#child = child;
    this.#input = this.#child.stdin.getWriter();
    this.#input.closed.catch(() => {});
    this.ended = this.#end(this.#hear());
  }

  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Asks, and waits for the answer of this kind.
   *
   * @throws {ProcessFailure} what it says failed. @throws {ProcessLost} @throws {FrameError} when it is too long to say.
   */
  async ask<Kind extends From["kind"]>(message: To, kind: Kind): Promise<Extract<From, { kind: Kind }>> {
    const frame = encodeFrame(message, LONGEST);
    const pending = Promise.withResolvers<From>();
    pending.promise.catch(() => {});
    this.#waiting.getOrInsertComputed(kind, () => []).push(pending);
    await this.#send(frame);
    return await pending.promise as Extract<From, { kind: Kind }>;
  }

  /** Says something that has no answer. @throws {ProcessLost} */
  async tell(message: To): Promise<void> {
    await this.#send(encodeFrame(message, LONGEST));
  }

  async #send(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#input.write(frame);
    } catch (error) {
      throw new ProcessLost(`${this.#options.title} (pid ${this.pid}) is gone`, { cause: error });
    }
  }

  kill(signal: Deno.Signal = "SIGKILL"): void {
    killProcess(this.#child, signal);
  }

  /** Lets the process that started it end first. */
  unref(): void {
    this.#child.unref();
  }

  async #hear(): Promise<void> {
    const decoder = new FrameDecoder(LONGEST);
    try {
      for await (const piece of this.#child.stdout) {
        for (const value of decoder.push(piece)) this.#take(value);
      }
    } catch (error) {
      // What it says cannot be understood any more, so it is as good as dead.
      this.#garbled = error;
      this.kill();
    }
  }

  #take(value: unknown): void {
    const message = readMessage(value, this.#options.kinds) as From | Failed;
    if (message.kind === "failed") return this.#failOne(message as Failed);
    const pending = this.#waiting.get(message.kind)?.shift();
    if (pending === undefined) this.#options.onMessage(message as From);
    else pending.resolve(message as From);
  }

  async #end(heard: Promise<void>): Promise<string> {
    const { code, signal } = await this.#child.status;
    await heard;
    const how = this.#garbled === undefined
      ? signal ?? `exit code ${code}`
      : `ended for what it said: ${this.#garbled}`;
    this.#fail(new ProcessLost(`${this.#options.title} (pid ${this.pid}) ended: ${how}`));
    await this.#input.abort().catch(() => {});
    return how;
  }

  #failOne(failed: Failed): void {
    if (failed.of === undefined) this.#fail(new ProcessFailure(failed));
    else this.#waiting.get(failed.of)?.shift()?.reject(new ProcessFailure(failed));
  }

  #fail(error: Error): void {
    for (const { reject } of [...this.#waiting.values()].flat()) reject(error);
    this.#waiting.clear();
  }
}
