/**
 * Placement "handler": serves requests in the isolate that made the filesystem, whose event loop goes on beside it.
 * Requests run beside each other as far as the filesystem's promises let them.
 */
import { setImmediate } from "node:timers";
import { openLibc } from "../../ffi/library.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { Notifier } from "../fs/notifier.ts";
import type { Journal } from "../kept/journal.ts";
import type { EndReason, ServeSettings } from "../messages.ts";
import type { MetricsRecorder } from "../metrics/metrics.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { wantsAnswer } from "../protocol/operations.ts";
import { ReplyBody } from "../protocol/reply.ts";
import { RequestView } from "../protocol/request.ts";
import { traceAnswers } from "../protocol/trace.ts";
import { BackingFiles } from "../transport/backing_files.ts";
import { DeviceReader } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { ForwardedReader, type ForwardedSource } from "../transport/forwarding.ts";
import { Spin } from "../transport/spin.ts";
import { isStopped } from "../transport/stop.ts";
import { EarlyInterrupts } from "./early_interrupts.ts";
import { Flight } from "./flight.ts";
import { Heartbeat } from "./heartbeat.ts";
import { InFlight } from "./in_flight.ts";
import type { Limits } from "./limits.ts";
import type { TakenRequests } from "./taken_requests.ts";
import type { Watcher } from "./watcher.ts";

/** After this many requests in a row the isolate's timers and other events get their turn. */
const REQUESTS_PER_TURN = 64;

/** How long what still runs may take when the mount is gone, or another server is to take over, before its signal fires. */
const GRACE_MILLISECONDS = 1_000;

/** What a handler serves, and how. */
export interface HandlerOptions {
  readonly filesystem: FileSystem;
  readonly settings: ServeSettings;
  readonly watcher: Watcher;
  readonly limits: Limits;
  readonly metrics: MetricsRecorder;
  /** For `initialize`; undefined for a filesystem without it. */
  readonly notifier: Notifier | undefined;
  /** Told what the kernel answers to the notifier's `retrieve`. The bytes are valid until it returns. */
  readonly retrieved: (unique: number, data: Uint8Array) => void;
  readonly log: Log;
  /** For a worker: what outlives it, see `taken_requests.ts`. */
  readonly taken?: TakenRequests;
  readonly buffer?: SharedArrayBuffer;
  /** Where a keeper finds what was answered, should this process end. */
  readonly journal?: Journal | undefined;
  /** For a handler beside loops: what it reads instead of the settings' device. */
  readonly forwarded?: ForwardedSource | undefined;
  /** Told of an interrupt whose request may be another handler's. Without it there is no other. */
  readonly interruptElsewhere?: ((uniqueLower: number, uniqueUpper: number) => void) | undefined;
}

/** Serves one mount from `serve` to its end. */
export class Handler {
  readonly #filesystem: FileSystem;
  readonly #settings: ServeSettings;
  readonly #dispatcher: Dispatcher;
  readonly #reader: DeviceReader | ForwardedReader;
  readonly #watcher: Watcher;
  readonly #notifier: Notifier | undefined;
  readonly #reply: DeviceReply;
  readonly #journal: Journal | undefined;
  readonly #inFlight: InFlight;
  readonly #interruptElsewhere: HandlerOptions["interruptElsewhere"];
  /** Of a handler beside loops: an interrupt may come from another loop than its request, and so before it. */
  readonly #earlyInterrupts: EarlyInterrupts | undefined;
  /** Answers go nowhere any more. */
  #ended = false;
  /** Called when nothing is in flight any more after the end. */
  #drained: (() => void) | undefined;

  constructor(options: HandlerOptions) {
    const { filesystem, settings, watcher, limits, metrics, notifier, retrieved, log, taken, buffer, forwarded } =
      options;
    const journal = this.#journal = options.journal;
    const libc = openLibc();
    const { device, maxWrite, defaults, features, debug } = settings;
    this.#watcher = watcher;
    this.#notifier = notifier;
    this.#filesystem = filesystem;
    this.#settings = settings;
    this.#reader = forwarded === undefined
      ? new DeviceReader({ libc, device, maxWrite, buffer, present: journal !== undefined })
      : new ForwardedReader(libc, forwarded, maxWrite, buffer);
    this.#earlyInterrupts = forwarded && new EarlyInterrupts();
    this.#reply = new DeviceReply(libc, maxWrite);
    const send: Answer = (request, length) => this.#answer(request, length);
    const answer = debug ? traceAnswers(send, (line) => log(line, undefined)) : send;
    this.#interruptElsewhere = options.interruptElsewhere;
    this.#inFlight = new InFlight({
      limits,
      metrics,
      taken,
      start: (flight) => this.#dispatch(flight),
      refuse: answer,
    });
    this.#dispatcher = new Dispatcher({
      filesystem,
      body: new ReplyBody(this.#reply.body, defaults),
      answer,
      log,
      cacheNegative: defaults.negativeTimeout > 0,
      extendedSetxattr: features.has("setxattr-ext"),
      later: (request, milliseconds) => this.#later(request, milliseconds),
      retrieved,
      mustAnswerAtOnce: false,
      openFiles: BackingFiles.of(libc, settings),
    });
  }

  /**
   * Serves until the end and says why it ended. After an unmount what still runs is given a grace time; then all signals
   * fire, and late answers go nowhere. What loops have handed on is answered in that time, for the mount may live on; so is
   * what runs where a keeper has another server take over, which gets the rest.
   */
  async serve(): Promise<EndReason> {
    const { poll, minor, features, maxWrite, heartbeat } = this.#settings;
    using _beats = this.#journal && new Heartbeat(this.#journal, heartbeat);
    this.#watcher.watch(poll);
    if (this.#notifier !== undefined) {
      const journal = this.#journal;
      const noteProgress = journal && (() => journal.advance());
      this.#filesystem.initialize?.({ minor, features, maxWrite, notifier: this.#notifier, noteProgress });
    }
    using _ = this.#inFlight;
    try {
      const reason = await this.#serve();
      // Of a connection that was cut all callers are gone, and one that is told to stop has had its grace time, but for a
      // keeper.
      if (reason === "unmounted" || (reason === "stopped" && this.#journal !== undefined)) await this.#drain(reason);
      return reason;
    } finally {
      this.#ended = true;
      this.#inFlight.interruptAll();
      await this.#filesystem.destroy?.();
    }
  }

  async #drain(reason: EndReason): Promise<void> {
    if (reason === "unmounted" && this.#reader instanceof DeviceReader) {
      this.#ended = true;
      this.#inFlight.refuseQueued();
    }
    if (this.#inFlight.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    const grace = setTimeout(resolve, GRACE_MILLISECONDS);
    await promise;
    clearTimeout(grace);
  }

  async #serve(): Promise<EndReason> {
    const spin = new Spin();
    // What loops have handed on is served whenever they stop: its end is that of the socket.
    const mayStop = this.#reader instanceof DeviceReader;
    for (let served = 0;;) {
      const found = this.#reader.read();
      if (found === "request") {
        spin.end();
        this.#receive(this.#reader.request);
        if (++served % REQUESTS_PER_TURN === 0) await nextTurn();
        if (mayStop && isStopped(this.#settings.stopped)) return "stopped";
      } else if (found !== "empty") {
        return found;
      } else if (!spin.goesOn()) {
        if (await this.#watcher.wait()) return "stopped";
      }
      // Async methods that wait for nothing but promises of their own go on here, and are answered while we spin.
      if (this.#inFlight.size > 0) await undefined;
    }
  }

  #receive(read: RequestView): void {
    const { opcode } = read;
    if (opcode === OPCODE.INTERRUPT) return this.#interrupt(read);
    // These have no answer and are done when this returns.
    if (!wantsAnswer(opcode)) return this.#dispatch(new Flight(read));
    this.#journal?.advance();
    // The method may take its time, and the reader's buffer is needed for the next request.
    const request = RequestView.over(read.payload.slice(0, (read.length + 7) & ~7) as Uint8Array<ArrayBuffer>);
    request.device = read.device;
    this.#inFlight.take(request);
    const { uniqueLower, uniqueUpper } = request;
    if (this.#earlyInterrupts?.take(uniqueLower)) this.#inFlight.interrupt(uniqueLower, uniqueUpper);
  }

  #dispatch(flight: Flight): void {
    const { request } = flight;
    this.#journal?.begin(request.uniqueLower, request.uniqueUpper);
    void this.#dispatcher.dispatch(request, new HeaderContext(flight));
    this.#journal?.end();
  }

  #later(request: RequestView, milliseconds: number): void {
    setTimeout(() => {
      const flight = this.#inFlight.get(request);
      if (flight?.aborted) this.#answer(request, -ERRNO.EINTR);
      else if (flight !== undefined) this.#dispatch(flight);
    }, milliseconds);
  }

  #answer(request: RequestView, length: number): boolean {
    const flight = this.#inFlight.end(request);
    if (flight === undefined) return false;
    try {
      if (this.#ended) return false;
      this.#journal?.answer(request.uniqueLower, request.uniqueUpper, length, this.#reply.body);
      return this.#reply.send(request, length);
    } finally {
      // Only now: what starts builds its answer in the same buffer.
      this.#inFlight.leave(flight, length);
      if (this.#inFlight.size === 0) this.#drained?.();
    }
  }

  /** Fires the signal of a request whose interrupt came to another handler, if it is in flight here. */
  interrupt(uniqueLower: number, uniqueUpper: number): void {
    this.#inFlight.interrupt(uniqueLower, uniqueUpper);
  }

  /**
   * An interrupt for a request that is not in flight was overtaken by the answer: EAGAIN, which the protocol wants for
   * what is not known, then reaches nobody (fuse_dev_do_write). Or the request is another handler's.
   */
  #interrupt(request: RequestView): void {
    const { unique } = STRUCT.fuse_interrupt_in;
    const lower = request.u32(unique);
    const upper = request.u32(unique + 4);
    if (this.#inFlight.interrupt(lower, upper)) return;
    if (this.#earlyInterrupts !== undefined) this.#earlyInterrupts.add(lower);
    else if (this.#interruptElsewhere === undefined) this.#reply.send(request, -ERRNO.EAGAIN);
    else this.#interruptElsewhere(lower, upper);
  }
}

/** Resolves after the events that wait for this isolate have had their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
