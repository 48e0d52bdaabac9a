/** Placement "loop": the filesystem answers in the loop's own thread, at once. */
import type { Libc } from "../../ffi/library.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { Journal } from "../kept/journal.ts";
import type { ServeSettings } from "../messages.ts";
import type { MetricsRecorder } from "../metrics/metrics.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { wantsAnswer } from "../protocol/operations.ts";
import { ReplyBody } from "../protocol/reply.ts";
import type { RequestView } from "../protocol/request.ts";
import { traceAnswers } from "../protocol/trace.ts";
import { BackingFiles } from "../transport/backing_files.ts";
import type { RequestForwarder } from "../transport/forwarding.ts";
import { processTime } from "../threads/process_clock.ts";
import { WaitingRequests } from "./waiting_requests.ts";

/** The way of a transport's answers to the kernel. */
export interface Reply {
  /** Where the body of the next answer is built; a transport may move it (`LocalServer.body`). */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Answers with `length` bytes of the body, or a negative errno. False when the kernel does not wait any more. */
  send(request: RequestView, length: number): boolean;
}

/** What a loop serves, and how. */
export interface LocalServerOptions {
  readonly filesystem: FileSystem;
  readonly settings: ServeSettings;
  readonly libc: Libc;
  readonly reply: Reply;
  readonly metrics: MetricsRecorder;
  readonly log: Log;
  /** The ways to the handlers beside the loops. */
  readonly forwarder?: RequestForwarder | undefined;
  /** Where a keeper finds what was done, should this process end. */
  readonly journal?: Journal | undefined;
  /** Which loop this is. */
  readonly loop: number;
}

/** Serves requests by calling a filesystem whose methods must not return promises. */
export class LocalServer {
  /** Requests that are to be served again. */
  readonly waiting: WaitingRequests;
  /** Where the body of the next answer is built. */
  readonly body: ReplyBody;
  readonly #dispatcher: Dispatcher;
  readonly #context: HeaderContext;
  readonly #reply: Reply;
  readonly #metrics: MetricsRecorder;
  readonly #forwarder: RequestForwarder | undefined;
  readonly #journal: Journal | undefined;
  readonly #log: Log;

  constructor({ filesystem, settings, libc, reply, metrics, log, forwarder, journal, loop }: LocalServerOptions) {
    const { defaults, features, debug, interrupts } = settings;
    const body = this.body = new ReplyBody(reply.body, defaults);
    this.#reply = reply;
    this.#metrics = metrics;
    this.#forwarder = forwarder;
    this.#journal = journal;
    this.#log = log;
    const never = new AbortController().signal;
    this.#context = new HeaderContext({ allocate: (size) => body.bytes.subarray(0, size), signal: () => never });
    const send: Answer = (request, length) => this.#send(request, length);
    const answer = debug ? traceAnswers(send, (line) => log(line, undefined)) : send;
    this.waiting = new WaitingRequests(interrupts, answer, loop);
    this.#dispatcher = new Dispatcher({
      filesystem,
      body,
      answer,
      log,
      cacheNegative: defaults.negativeTimeout > 0,
      extendedSetxattr: features.has("setxattr-ext"),
      later: (request, milliseconds) => this.waiting.add(request, milliseconds),
      ...forwarder && { elsewhere: (request, handler) => this.#handOn(request, handler) },
      mustAnswerAtOnce: true,
      openFiles: BackingFiles.of(libc, settings, loop),
    });
  }

  serve(request: RequestView): void {
    const { opcode } = request;
    // What is being served is answered in a moment; only what waits, here or elsewhere, can be interrupted.
    if (opcode === OPCODE.INTERRUPT) this.waiting.interrupt(request.u32(STRUCT.fuse_interrupt_in.unique));
    if (wantsAnswer(opcode) && opcode !== OPCODE.INTERRUPT) {
      request.begun = processTime();
      this.#metrics.begin(opcode);
    }
    this.serveAgain(request);
  }

  /** Serves a request of `waiting`, which was counted when it came. */
  serveAgain(request: RequestView): void {
    const { opcode } = request;
    if (opcode === OPCODE.INTERRUPT) return this.#interruptElsewhere(request);
    // What the page cache had is for the mounting isolate, which only handlers can reach.
    if (opcode === OPCODE.NOTIFY_REPLY) {
      for (const handler of this.#forwarder?.handlers ?? []) return this.#tryToHandOn(request, handler);
    }
    this.#journal?.begin(request.uniqueLower, request.uniqueUpper);
    void this.#dispatcher.dispatch(request, this.#context);
    this.#journal?.end();
  }

  /** Hands a request on; when the handler has no room for it, later. */
  #handOn(request: RequestView, handler: number): void {
    if (!this.#forwarder!.send(request, handler)) this.waiting.add(request, 1);
  }

  /** As `#handOn`, for what has no answer: what cannot be handed on is dropped. */
  #tryToHandOn(request: RequestView, handler: number): void {
    try {
      this.#handOn(request, handler);
    } catch (error) {
      this.#log(`Request ${request.opcode} cannot be handed on`, error);
    }
  }

  /** Whose request is interrupted only the handlers know. Who hears of it twice sees the second time that it was answered. */
  #interruptElsewhere(request: RequestView): void {
    if (this.#forwarder === undefined) return;
    let heard = true;
    for (const handler of this.#forwarder.handlers) {
      try {
        heard = this.#forwarder.send(request, handler) && heard;
      } catch (error) {
        this.#log(`An interrupt cannot be handed on to handler ${handler}`, error);
      }
    }
    if (!heard) this.waiting.add(request, 1);
  }

  #send(request: RequestView, length: number): boolean {
    this.#journal?.answer(request.uniqueLower, request.uniqueUpper, length, this.body.bytes);
    // The answer may overwrite the request.
    const { opcode, begun } = request;
    try {
      return this.#reply.send(request, length);
    } finally {
      // Counted only now: the caller goes on meanwhile.
      this.#metrics.end(opcode, length, processTime() - begun);
    }
  }
}
