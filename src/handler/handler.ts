/**
 * Placement "handler": serves requests that loops post, in the isolate that made the filesystem, and answers the kernel
 * from here. Requests run beside each other as far as the filesystem's promises let them.
 */
import type { Libc } from "../../ffi/library.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../fs/errors.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { LoopServe } from "../messages.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { ReplyBody } from "../protocol/reply.ts";
import { traceAnswers } from "../protocol/trace.ts";
import { RequestView } from "../protocol/request.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { InFlight } from "./in_flight.ts";

/** What a handler needs of the session; the loops' devices come with `attach`. */
export interface HandlerOptions {
  readonly filesystem: FileSystem;
  readonly session: Pick<LoopServe, "maxWrite" | "defaults" | "features" | "debug">;
  readonly libc: Libc;
  readonly log: Log;
}

/** Holds the ports of all loops of a session. */
export class Handler implements Disposable {
  readonly #dispatcher: Dispatcher;
  readonly #reply: DeviceReply;
  readonly #inFlight = new InFlight();
  readonly #ports: MessagePort[] = [];
  readonly #devices: number[] = [];

  constructor({ filesystem, session, libc, log }: HandlerOptions) {
    this.#reply = new DeviceReply(libc, session.maxWrite);
    const answer: Answer = (request, length) => this.#answer(request, length);
    this.#dispatcher = new Dispatcher({
      filesystem,
      body: new ReplyBody(this.#reply.body, session.defaults),
      answer: session.debug ? traceAnswers(answer, (line) => log(line, undefined)) : answer,
      log,
      cacheNegative: session.defaults.negativeTimeout > 0,
      extendedSetxattr: session.features.has("setxattr-ext"),
      mustAnswerAtOnce: false,
    });
  }

  /** Serves what the loop that reads `device` posts to `port`. */
  attach(port: MessagePort, device: number): void {
    this.#ports.push(port);
    this.#devices.push(device);
    port.onmessage = ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>) => this.#receive(data, device);
  }

  /** Fires the signals of all requests in flight and takes no more. Late answers are dropped by the kernel. */
  [Symbol.dispose](): void {
    this.#inFlight.interruptAll();
    for (const port of this.#ports) port.close();
    this.#ports.length = 0;
  }

  #receive(bytes: Uint8Array<ArrayBuffer>, device: number): void {
    const request = RequestView.over(bytes);
    request.device = device;
    const { opcode } = request;
    if (opcode === OPCODE.INTERRUPT) return this.#interrupt(request);
    if (opcode !== OPCODE.FORGET && opcode !== OPCODE.BATCH_FORGET) {
      this.#inFlight.begin(request.uniqueLower, request.uniqueUpper);
    }
    const context = new HeaderContext({
      allocate: (size) => new Uint8Array(size),
      signal: (lower, upper) => this.#inFlight.signal(lower, upper),
    });
    void this.#dispatcher.dispatch(request, context);
  }

  #answer(request: RequestView, length: number): boolean {
    this.#inFlight.end(request.uniqueLower, request.uniqueUpper);
    if (this.#ports.length === 0) return false;
    return this.#reply.send(request, length);
  }

  /**
   * An interrupt for a request that is not here was overtaken by the answer, or overtook its request, which another
   * loop has read and not posted yet. EAGAIN makes the kernel send the interrupt again in the second case and means
   * nothing in the first (fuse_dev_do_write); only the descriptor that holds the request accepts it.
   */
  #interrupt(request: RequestView): void {
    const { unique } = STRUCT.fuse_interrupt_in;
    if (this.#inFlight.interrupt(request.u32(unique), request.u32(unique + 4))) return;
    for (const device of this.#devices) {
      if (this.#reply.sendFor(device, request.uniqueLower, request.uniqueUpper, -ERRNO.EAGAIN)) return;
    }
  }
}
