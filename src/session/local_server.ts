/** Placement "loop": the filesystem answers in the loop's own thread, at once. */
import type { Libc } from "../../ffi/library.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { FileSystem } from "../fs/filesystem.ts";
import type { ServeSettings } from "../messages.ts";
import { HeaderContext } from "../protocol/context.ts";
import { type Answer, Dispatcher, type Log } from "../protocol/dispatch.ts";
import { ReplyBody } from "../protocol/reply.ts";
import type { RequestView } from "../protocol/request.ts";
import { traceAnswers } from "../protocol/trace.ts";
import { BackingFiles } from "../transport/backing_files.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { WaitingRequests } from "./waiting_requests.ts";

/** Serves requests by calling a filesystem whose methods must not return promises. */
export class LocalServer {
  /** Requests that are to be served again. */
  readonly waiting: WaitingRequests;
  readonly #dispatcher: Dispatcher;
  readonly #context: HeaderContext;

  constructor(filesystem: FileSystem, settings: ServeSettings, libc: Libc, log: Log) {
    const { maxWrite, defaults, features, debug, interrupts } = settings;
    const reply = new DeviceReply(libc, maxWrite);
    const never = new AbortController().signal;
    this.#context = new HeaderContext({ allocate: (size) => reply.body.subarray(0, size), signal: () => never });
    const send: Answer = (request, length) => reply.send(request, length);
    const answer = debug ? traceAnswers(send, (line) => log(line, undefined)) : send;
    this.waiting = new WaitingRequests(interrupts, answer);
    this.#dispatcher = new Dispatcher({
      filesystem,
      body: new ReplyBody(reply.body, defaults),
      answer,
      log,
      cacheNegative: defaults.negativeTimeout > 0,
      extendedSetxattr: features.has("setxattr-ext"),
      later: (request, milliseconds) => this.waiting.add(request, milliseconds),
      mustAnswerAtOnce: true,
      openFiles: BackingFiles.of(libc, settings),
    });
  }

  serve(request: RequestView): void {
    // What is being served is answered in a moment; only what waits, here or in another loop, can be interrupted.
    if (request.opcode === OPCODE.INTERRUPT) this.waiting.interrupt(request.u32(STRUCT.fuse_interrupt_in.unique));
    else void this.#dispatcher.dispatch(request, this.#context);
  }
}
