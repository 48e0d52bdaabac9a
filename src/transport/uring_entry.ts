/**
 * An entry of a queue of FUSE over io_uring: memory of ours into which the kernel writes a request and from which it
 * takes the answer (Documentation/filesystems/fuse/fuse-io-uring.rst). It holds one request at a time, from its arrival
 * until its answer is committed.
 */
import { FUSE_IO_URING_CMD_COMMIT_AND_FETCH, FUSE_IO_URING_CMD_REGISTER } from "../../ffi/kernel.ts";
import { IORING_OP_URING_CMD, URING_STRUCT } from "../../ffi/io_uring.ts";
import { addressOf } from "../../ffi/memory.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { wordsOf } from "../protocol/reply.ts";
import { RequestView } from "../protocol/request.ts";
import type { Uring } from "./uring.ts";

const SQE = URING_STRUCT.io_uring_sqe;
const COMMAND = STRUCT.fuse_uring_cmd_req;
const HEADER = STRUCT.fuse_uring_req_header;
const OUT = STRUCT.fuse_out_header;
const COMMIT_ID = (HEADER.ring_ent_in_out + STRUCT.fuse_uring_ent_in_out.commit_id) >> 2;
const PAYLOAD_SIZE = (HEADER.ring_ent_in_out + STRUCT.fuse_uring_ent_in_out.payload_sz) >> 2;

/** Where an entry's memory is registered, and how large its payload must be. */
export interface UringEntryOptions {
  /** What completions carry. */
  readonly index: number;
  /** The queue: the number of the core whose requests it takes. */
  readonly queue: number;
  readonly device: number;
  readonly payloadSize: number;
}

/** A request in place, as `RequestView` says; its answer's body goes where its payload was. */
export class UringEntry extends RequestView {
  readonly queue: number;
  /** The room for the body of the answer. Names and data of the request lie there until then. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly bodyWords: Uint32Array;
  /** Whether a request lies here that was not answered. */
  pending = false;
  /** Whether it keeps its request, to be served again: see `UringQueues.hold`. */
  held = false;
  readonly #index: number;
  /** Two `struct iovec`: header and payload. The kernel reads them when the entry is registered. */
  readonly #vectors: BigUint64Array<ArrayBuffer>;

  constructor({ index, queue, device, payloadSize }: UringEntryOptions) {
    const header = new Uint8Array(HEADER.SIZE);
    const body = new Uint8Array(payloadSize);
    super(new Uint32Array(header.buffer), body, HEADER.op_in);
    this.body = body;
    this.bodyWords = wordsOf(body);
    this.queue = queue;
    this.device = device;
    this.#index = index;
    this.#vectors = new BigUint64Array([addressOf(header), BigInt(HEADER.SIZE), addressOf(body), BigInt(payloadSize)]);
  }

  /** Itself: the kernel leaves it alone until it is committed. */
  override keep(): RequestView {
    return this;
  }

  /** Says that a request lies here, or is read from its beginning again. */
  rewind(): void {
    this.pending = true;
    this.payloadAt = 0;
    this.payloadEnd = this.words[PAYLOAD_SIZE]!;
  }

  /** Gives the entry to the kernel for the first time. */
  register(ring: Uring): void {
    const at = this.#submit(ring, FUSE_IO_URING_CMD_REGISTER);
    const address = addressOf(this.#vectors);
    ring.submissions[at + (SQE.addr >> 2)] = Number(address & 0xffff_ffffn);
    ring.submissions[at + (SQE.addr >> 2) + 1] = Number(address >> 32n);
    ring.submissions[at + (SQE.len >> 2)] = 2;
  }

  /**
   * Gives the answer to the kernel with the next submission, `length` bytes of the body or a negative errno, and with it
   * the entry for the next request.
   */
  commit(ring: Uring, length: number): void {
    const words = this.words;
    // `fuse_out_header` replaces `fuse_in_header`, whose `unique` has the same place.
    words[OUT.len >> 2] = OUT.SIZE + Math.max(length, 0);
    words[OUT.error >> 2] = Math.min(length, 0);
    words[PAYLOAD_SIZE] = Math.max(length, 0);
    this.pending = false;
    this.held = false;
    const at = this.#submit(ring, FUSE_IO_URING_CMD_COMMIT_AND_FETCH);
    ring.submissions[at + ((SQE.cmd + COMMAND.commit_id) >> 2)] = words[COMMIT_ID]!;
    ring.submissions[at + ((SQE.cmd + COMMAND.commit_id) >> 2) + 1] = words[COMMIT_ID + 1]!;
  }

  #submit(ring: Uring, command: number): number {
    const at = ring.next(this.#index);
    ring.submissions[at] = IORING_OP_URING_CMD;
    ring.submissions[at + (SQE.fd >> 2)] = this.device;
    ring.submissions[at + (SQE.cmd_op >> 2)] = command;
    ring.submissions[at + ((SQE.cmd + COMMAND.qid) >> 2)] = this.queue;
    return at;
  }
}
