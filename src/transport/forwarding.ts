/**
 * Requests on their way from loops to a handler. Each is a packet of a socket (unix(7), SOCK_SEQPACKET): the request as the
 * kernel sent it, filled up to whole words, and the number of the loop that read it, on whose descriptor the answer goes.
 *
 * The kernel holds what was not read yet, whoever reads: when a worker dies its successor goes on where it stopped, so that
 * nothing is lost and nothing comes twice. Sending never waits; when the socket is full, since nobody reads it, the loop
 * keeps the request and tries again.
 */
import { AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";
import type { EndReason } from "../messages.ts";
import { RequestView } from "../protocol/request.ts";
import { readBufferSize } from "./device_reader.ts";

/**
 * The longest write of a mount whose requests are handed on. A packet has to fit into the socket's buffer, whose size is
 * 208 KiB unless an administrator says otherwise (net.core.wmem_default in socket(7)), and into pages that lie together.
 */
export const MAX_FORWARDED_WRITE = 1 << 17;

const { EINTR, EAGAIN, ENOMEM, ENOBUFS } = ERRNO;

/** The two ends of the way to one handler. When the sending end is closed, and all was read, the receiver's end has come. */
export interface ForwardingSocket {
  readonly sender: number;
  readonly receiver: number;
}

/** @throws when the process has no descriptors left. */
export function openForwardingSocket({ symbols, errno }: Libc): ForwardingSocket {
  const pair = new Int32Array(2);
  if (symbols.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, new Uint8Array(pair.buffer)) < 0) {
    throw new Error(`Cannot make a socket for the requests of a handler: ${errnoName(errno[0]!)}`);
  }
  return { sender: pair[0]!, receiver: pair[1]! };
}

/** Where the number of the loop is, in words. */
function loopAt(words: Uint32Array): number {
  return (words[STRUCT.fuse_in_header.len >> 2]! + 3) >> 2;
}

/** Which loop handed on the request in `buffer`. */
export function forwardingLoop(buffer: SharedArrayBuffer): number {
  const words = new Uint32Array(buffer);
  return words[loopAt(words)]!;
}

/** How to hand on at first: each handler's sending end, and which loop this is. */
export interface ForwardingWays {
  readonly senders: readonly number[];
  readonly loop: number;
}

/** A loop's side. */
export class RequestForwarder {
  readonly #libc: Libc;
  readonly #loop: number;
  /** The sending ends by the handlers' numbers. */
  readonly #senders: Map<number, number>;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(libc: Libc, { senders, loop }: ForwardingWays, maxWrite: number) {
    this.#libc = libc;
    this.#loop = loop;
    this.#senders = new Map(senders.entries());
    this.#bytes = new Uint8Array((readBufferSize(maxWrite) + 7) & ~7);
    this.#words = new Uint32Array(this.#bytes.buffer);
  }

  /** The numbers of the handlers. */
  get handlers(): Iterable<number> {
    return this.#senders.keys();
  }

  /** A handler has come. */
  open(handler: number, sender: number): void {
    this.#senders.set(handler, sender);
  }

  /** Nothing is handed on to `handler` any more: from here on its sending end may be closed. */
  close(handler: number): void {
    this.#senders.delete(handler);
  }

  /** Hands `request` on. False when there is no room. @throws for a handler that there is not. */
  send(request: RequestView, handler: number): boolean {
    const sender = this.#senders.get(handler);
    if (sender === undefined) {
      throw new RangeError(`Cannot hand on to handler ${handler}: there is none of that number`);
    }
    this.#bytes.set(request.payload.subarray(0, request.length));
    const at = loopAt(this.#words);
    this.#words[at] = this.#loop;
    const { symbols, errno } = this.#libc;
    if (symbols.send(sender, this.#bytes, 4 * (at + 1), MSG_NOSIGNAL) >= 0) return true;
    const error = errno[0]!;
    if (error === EAGAIN || error === EINTR || error === ENOBUFS || error === ENOMEM) return false;
    throw new Error(`Cannot hand a request on to handler ${handler}: ${errnoName(error)}`);
  }
}

/** What a handler reads, and where its answers go: the loops' descriptors, by their numbers. */
export interface ForwardedSource {
  readonly receiver: number;
  readonly devices: readonly number[];
}

/** The handler's side; reads as a `DeviceReader` does. */
export class ForwardedReader {
  /** The request that `read` found; the next `read` overwrites it. */
  readonly request: RequestView;
  readonly #libc: Libc;
  readonly #source: ForwardedSource;
  readonly #buffer: Uint8Array<ArrayBuffer>;

  constructor(libc: Libc, source: ForwardedSource, maxWrite: number, buffer?: SharedArrayBuffer) {
    this.#libc = libc;
    this.#source = source;
    this.#buffer = new Uint8Array((buffer ?? new ArrayBuffer((readBufferSize(maxWrite) + 7) & ~7)) as ArrayBuffer);
    this.request = RequestView.over(this.#buffer);
  }

  /** Reads one request if there is one. */
  read(): "request" | "empty" | EndReason {
    const { symbols, errno } = this.#libc;
    const { receiver, devices } = this.#source;
    const length = symbols.read(receiver, this.#buffer, this.#buffer.length);
    if (length > 0) {
      this.request.device = devices[this.request.words[loopAt(this.request.words)]!]!;
      return "request";
    }
    if (length === 0) return "unmounted";
    const error = errno[0]!;
    if (error === EAGAIN || error === EINTR) return "empty";
    throw new Error(`Cannot read what loops hand on: ${errnoName(error)}`);
  }
}
