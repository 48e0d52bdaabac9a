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
import type { EndReason, ServeSettings } from "../messages.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { ReplyBody } from "../protocol/reply.ts";
import { RequestView } from "../protocol/request.ts";
import { traceAnswers } from "../protocol/trace.ts";
import { DeviceReader, SPINS } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { InFlight } from "./in_flight.ts";
import type { Watcher } from "./watcher.ts";

/** After this many requests in a row the isolate's timers and other events get their turn. */
const REQUESTS_PER_TURN = 64;

/** Serves one mount from `serve` to its end. */
export class Handler {
  readonly #filesystem: FileSystem;
  readonly #settings: ServeSettings;
  readonly #dispatcher: Dispatcher;
  readonly #reader: DeviceReader;
  readonly #watcher: Watcher;
  readonly #reply: DeviceReply;
  readonly #inFlight = new InFlight();
  #ended = false;

  constructor(filesystem: FileSystem, settings: ServeSettings, watcher: Watcher, log: Log) {
    const libc = openLibc();
    const { device, maxWrite, defaults, features, debug } = settings;
    this.#watcher = watcher;
    this.#filesystem = filesystem;
    this.#settings = settings;
    this.#reader = new DeviceReader({ libc, device, maxWrite });
    this.#reply = new DeviceReply(libc, maxWrite);
    const answer: Answer = (request, length) => this.#answer(request, length);
    this.#dispatcher = new Dispatcher({
      filesystem,
      body: new ReplyBody(this.#reply.body, defaults),
      answer: debug ? traceAnswers(answer, (line) => log(line, undefined)) : answer,
      log,
      cacheNegative: defaults.negativeTimeout > 0,
      extendedSetxattr: features.has("setxattr-ext"),
      later: (request, milliseconds) => this.#later(request, milliseconds),
      mustAnswerAtOnce: false,
    });
  }

  /** Serves until the end and says why it ended. Then all signals fire, and late answers go nowhere. */
  async serve(): Promise<EndReason> {
    const { poll, minor, features, maxWrite } = this.#settings;
    this.#watcher.watch(poll);
    this.#filesystem.initialize?.({ minor, features, maxWrite });
    try {
      return await this.#serve();
    } finally {
      this.#ended = true;
      this.#inFlight.interruptAll();
      await this.#filesystem.destroy?.();
    }
  }

  async #serve(): Promise<EndReason> {
    for (let empty = 0, served = 0;;) {
      const found = this.#reader.read();
      if (found === "request") {
        empty = 0;
        this.#receive(this.#reader.request);
        if (++served % REQUESTS_PER_TURN === 0) await nextTurn();
      } else if (found !== "empty") {
        return found;
      } else if (++empty > SPINS) {
        empty = 0;
        if (await this.#watcher.wait()) return "stopped";
      }
      // Async methods that wait for nothing but promises of their own go on here, and are answered while we spin.
      if (this.#inFlight.size > 0) await undefined;
    }
  }

  #receive(read: RequestView): void {
    const { opcode } = read;
    if (opcode === OPCODE.INTERRUPT) return this.#interrupt(read);
    // The method may take its time, and the reader's buffer is needed for the next request.
    const request = RequestView.over(read.payload.slice(0, (read.length + 7) & ~7) as Uint8Array<ArrayBuffer>);
    request.device = read.device;
    if (opcode !== OPCODE.FORGET && opcode !== OPCODE.BATCH_FORGET) {
      this.#inFlight.begin(request.uniqueLower, request.uniqueUpper);
    }
    this.#dispatch(request);
  }

  #dispatch(request: RequestView): void {
    const context = new HeaderContext({
      allocate: (size) => new Uint8Array(size),
      signal: (lower, upper) => this.#inFlight.signal(lower, upper),
    });
    void this.#dispatcher.dispatch(request, context);
  }

  #later(request: RequestView, milliseconds: number): void {
    setTimeout(() => {
      if (this.#inFlight.isInterrupted(request.uniqueLower, request.uniqueUpper)) this.#answer(request, -ERRNO.EINTR);
      else this.#dispatch(request);
    }, milliseconds);
  }

  #answer(request: RequestView, length: number): boolean {
    this.#inFlight.end(request.uniqueLower, request.uniqueUpper);
    return !this.#ended && this.#reply.send(request, length);
  }

  /**
   * An interrupt for a request that is not in flight was overtaken by the answer: EAGAIN, which the protocol wants for
   * what is not known, then reaches nobody (fuse_dev_do_write).
   */
  #interrupt(request: RequestView): void {
    const { unique } = STRUCT.fuse_interrupt_in;
    if (this.#inFlight.interrupt(request.u32(unique), request.u32(unique + 4))) return;
    this.#reply.send(request, -ERRNO.EAGAIN);
  }
}

/** Resolves after the events that wait for this isolate have had their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
