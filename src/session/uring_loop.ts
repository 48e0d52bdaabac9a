/**
 * The loop over io_uring: takes requests from the queues of its cores until the mount ends, serves each in its own
 * thread, and gives the answers back with the system call that waits for the next requests. FORGET, INTERRUPT and the
 * end of the mount come from the device, which the ring watches.
 */
import { openLibcUring } from "../../ffi/library.ts";
import { IORING_OP_POLL_ADD, IORING_OP_TIMEOUT, URING_STRUCT } from "../../ffi/io_uring.ts";
import { addressOf } from "../../ffi/memory.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";
import type { EndReason, LoopStart } from "../messages.ts";
import { wantsAnswer } from "../protocol/operations.ts";
import type { RequestView } from "../protocol/request.ts";
import { allowedCores, possibleCores, runOn } from "../transport/cores.ts";
import { DevicePoll } from "../transport/device_poll.ts";
import { DeviceReader } from "../transport/device_reader.ts";
import { DeviceReply } from "../transport/device_reply.ts";
import { Uring } from "../transport/uring.ts";
import { UringEntries } from "../transport/uring_entries.ts";
import { UringEntry } from "../transport/uring_entry.ts";
import { UringReply } from "../transport/uring_reply.ts";
import { shareOf } from "../transport/uring_share.ts";
import { type Call, takeCall } from "./doorbell.ts";
import { LocalServer } from "./local_server.ts";
import type { Loop, LoopOptions } from "./loop.ts";

const SQE = URING_STRUCT.io_uring_sqe;

/** What the completions of the watch over the device, and of the pause before it, carry; entries count from 0. */
const WATCH = -1;
const PAUSE = -2;

// poll.h
const POLLIN = 1;

// What an entry is told at the end of a connection (fuse_uring_cmd, fuse_uring_entry_teardown).
const { ENOTCONN, ECONNABORTED, ECANCELED } = ERRNO;
const ENDED = new Set([-ENOTCONN, -ECONNABORTED, -ECANCELED]);

/**
 * Milliseconds in which the device is left alone after it was read: forgets come in swarms, and are fewer and larger
 * when they are let gather.
 */
const DEVICE_PAUSE = 2;

/** `struct __kernel_timespec` of it. */
const PAUSE_TIME = new BigUint64Array([0n, BigInt(DEVICE_PAUSE * 1_000_000)]);

/** A loop's submissions: more at a time are handed over in several calls. */
const RING_ENTRIES = 64;

/**
 * Loop number `loop` of `loops`. Only the thread that makes it may run it.
 *
 * @throws when the kernel refuses a ring, or what the ring must take.
 */
export function makeUringLoop(options: LoopOptions, { loop, loops }: Pick<LoopStart, "loop" | "loops">): Loop {
  const { libc, settings, call } = options;
  const { device, poll: pollDescriptor, maxWrite: payloadSize } = settings;
  const uring = openLibcUring();
  const share = shareOf(loop, { loops, possible: possibleCores(), allowed: allowedCores(uring), payloadSize });
  if (share.cores.length > 0) runOn(uring, share.cores);
  using undo = new DisposableStack();
  const ring = undo.use(new Uring(libc, uring, RING_ENTRIES));
  const entries = new UringEntries({ libc, uring, ring, share, device, payloadSize });
  const reply = new UringReply(entries, new DeviceReply(libc, payloadSize));
  const reader = new DeviceReader({ libc, ...settings });
  const poll = new DevicePoll(libc, pollDescriptor);
  const server = new LocalServer({ ...options, reply });
  undo.move();
  return new UringLoop({ call, ring, entries, reply, reader, poll, pollDescriptor, server });
}

interface UringLoopParts {
  readonly call: Call;
  readonly ring: Uring;
  readonly entries: UringEntries;
  readonly reply: UringReply;
  readonly reader: DeviceReader;
  readonly poll: DevicePoll;
  readonly pollDescriptor: number;
  readonly server: LocalServer;
}

class UringLoop implements Loop {
  readonly #parts: UringLoopParts;
  /** Whether the device is watched, or will be after a pause. */
  #watching = false;
  readonly #serveAgain = (request: RequestView) => {
    if (request instanceof UringEntry) return this.#serveEntry(request, true);
    this.#buildOnDevice();
    this.#parts.server.serveAgain(request);
  };

  constructor(parts: UringLoopParts) {
    this.#parts = parts;
  }

  run(): EndReason | "called" {
    const { call, ring, entries, server: { waiting } } = this.#parts;
    if (!this.#watching) this.#watch();
    for (;;) {
      waiting.serveDue(this.#serveAgain);
      if (takeCall(call)) {
        // Answers do not wait for what it is called for.
        ring.submit();
        return "called";
      }
      ring.submitAndWait(waiting.rest());
      waiting.attend();
      while (ring.takeCompletion()) {
        if (ring.userData === WATCH) {
          const reason = this.#readDevice();
          if (reason !== undefined) return reason;
        } else if (ring.userData === PAUSE) {
          this.#watch();
        } else if (ring.result < 0) {
          return this.#end(ring.result);
        } else {
          this.#serveEntry(entries.at(ring.userData), false);
        }
      }
    }
  }

  [Symbol.dispose](): void {
    this.#parts.ring[Symbol.dispose]();
  }

  #watch(): void {
    const { ring, pollDescriptor } = this.#parts;
    const at = ring.next(WATCH);
    ring.submissions[at] = IORING_OP_POLL_ADD;
    ring.submissions[at + (SQE.fd >> 2)] = pollDescriptor;
    ring.submissions[at + (SQE.poll32_events >> 2)] = POLLIN;
    this.#watching = true;
  }

  /** Leaves the device alone for a while. A timer of the ring's: a limit of each wait would be set for each request. */
  #pause(): void {
    const { ring } = this.#parts;
    const at = ring.next(PAUSE);
    const address = addressOf(PAUSE_TIME);
    ring.submissions[at] = IORING_OP_TIMEOUT;
    ring.submissions[at + (SQE.addr >> 2)] = Number(address & 0xffff_ffffn);
    ring.submissions[at + (SQE.addr >> 2) + 1] = Number(address >> 32n);
    ring.submissions[at + (SQE.len >> 2)] = 1;
  }

  /** Serves what the device has, and says when that is the end. */
  #readDevice(): EndReason | undefined {
    const { reader, poll, server } = this.#parts;
    this.#pause();
    if (poll.wait(0)) return "stopped";
    for (;;) {
      const found = reader.read();
      if (found === "empty") return undefined;
      if (found !== "request") return found;
      this.#buildOnDevice();
      server.serve(reader.request);
    }
  }

  #serveEntry(entry: UringEntry, again: boolean): void {
    const { server, entries } = this.#parts;
    entry.rewind();
    server.body.moveTo(entry.body, entry.bodyWords);
    if (again) server.serveAgain(entry);
    else server.serve(entry);
    if (!entry.pending) return;
    if (wantsAnswer(entry.opcode)) entries.hold(entry);
    else entries.commit(entry, 0);
  }

  /** The next answer goes to the device. */
  #buildOnDevice(): void {
    const { server, reply } = this.#parts;
    server.body.moveTo(reply.body, reply.bodyWords);
  }

  /** An entry has failed: why the connection has ended, which only the device says. */
  #end(result: number): EndReason {
    const found = this.#parts.reader.read();
    if (found === "unmounted" || found === "aborted") return found;
    if (ENDED.has(result)) return "unmounted";
    throw new Error(`Cannot serve over io_uring: the kernel says ${errnoName(-result) ?? result} of an entry`);
  }
}
