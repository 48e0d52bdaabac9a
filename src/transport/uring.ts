/**
 * One io_uring: entries for submission are written into memory that the kernel reads, completions are read from memory
 * that it writes, and one system call hands over the ones and waits for the others (io_uring(7)). Only the thread that
 * made it may use it, and the kernel itself looks at that memory only while that thread is in the system call
 * (IORING_SETUP_DEFER_TASKRUN, and no IORING_SETUP_SQPOLL): so both are read and written without Atomics.
 */
import * as IO_URING from "../../ffi/io_uring.ts";
import type { Libc, LibcUring } from "../../ffi/library.ts";
import { addressOf, isMapFailed, memoryAt, pointerTo } from "../../ffi/memory.ts";
import { ERRNO, errnoName } from "../fs/errors.ts";

const {
  io_uring_params: PARAMS,
  io_sqring_offsets: SQ,
  io_cqring_offsets: CQ,
  io_uring_sqe: SQE,
  io_uring_cqe: CQE,
  io_uring_getevents_arg: ARGUMENT,
} = IO_URING.URING_STRUCT;

const ARGUMENT_SIZE = BigInt(ARGUMENT.SIZE);

/** Words of a submission entry: two of 64 bytes (IORING_SETUP_SQE128). */
const SQE_WORDS = 2 * SQE.SIZE / 4;

// The kernel hands over requests only while this thread is in the system call that waits for them.
const SETUP = IO_URING.IORING_SETUP_SQE128 | IO_URING.IORING_SETUP_SUBMIT_ALL | IO_URING.IORING_SETUP_SINGLE_ISSUER |
  IO_URING.IORING_SETUP_DEFER_TASKRUN;

// sys/mman.h
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

const { EINTR, ETIME } = ERRNO;

interface Mapping {
  readonly pointer: Deno.PointerObject;
  readonly buffer: ArrayBuffer;
}

export class Uring implements Disposable {
  /** The words of all submission entries; {@linkcode next} says which are to be filled in. */
  readonly submissions: Uint32Array;
  /** Of the completion that `takeCompletion` found: which submission's, and what came of it (or a negative errno). */
  userData = 0;
  result = 0;

  readonly #libc: Libc;
  readonly #uring: LibcUring;
  readonly #descriptor: number;
  readonly #mappings: Mapping[] = [];
  /** Heads, tails and completions. */
  readonly #ring: Int32Array;
  readonly #submissionTail: number;
  readonly #submissionMask: number;
  readonly #completionHead: number;
  readonly #completionTail: number;
  readonly #completionMask: number;
  readonly #completions: number;
  /** `io_uring_getevents_arg`, and behind it the `__kernel_timespec` that it points to: how long a wait may take. */
  readonly #argument = new Uint32Array((ARGUMENT.SIZE + 16) / 4);
  readonly #argumentPointer: Deno.PointerObject;
  /**
   * Of a wait. A loop that has nothing to do is no thread that waits for a disk, for which the kernel takes whoever waits
   * for an io_uring: each core would count as waiting for I/O as long as the mount is idle (`iowait` of proc_stat(5)).
   */
  readonly #waitFlags: number;
  #tail: number;
  #pending = 0;

  /**
   * `entries` is how many submissions fit in at a time, a power of two.
   *
   * @throws when the kernel refuses, as it does where io_uring is switched off or a sandbox forbids it.
   */
  constructor(libc: Libc, uring: LibcUring, entries: number) {
    this.#libc = libc;
    this.#uring = uring;
    const params = new Uint32Array(PARAMS.SIZE / 4);
    params[PARAMS.flags >> 2] = SETUP;
    this.#descriptor = uring.symbols.io_uring_setup(
      IO_URING.SYS_io_uring_setup,
      entries,
      new Uint8Array(params.buffer),
    );
    if (this.#descriptor < 0) throw new Error(`Cannot make an io_uring: ${errnoName(uring.errno[0]!)}`);
    const word = (at: number) => params[at >> 2]!;
    const count = word(PARAMS.sq_entries);
    const size = Math.max(
      word(PARAMS.sq_off + SQ.array) + count * 4,
      word(PARAMS.cq_off + CQ.cqes) + word(PARAMS.cq_entries) * CQE.SIZE,
    );
    const ring = this.#ring = new Int32Array(this.#map(size, IO_URING.IORING_OFF_SQ_RING));
    this.submissions = new Uint32Array(this.#map(count * SQE_WORDS * 4, IO_URING.IORING_OFF_SQES));
    this.#submissionTail = word(PARAMS.sq_off + SQ.tail) >> 2;
    this.#submissionMask = ring[word(PARAMS.sq_off + SQ.ring_mask) >> 2]!;
    this.#completionHead = word(PARAMS.cq_off + CQ.head) >> 2;
    this.#completionTail = word(PARAMS.cq_off + CQ.tail) >> 2;
    this.#completionMask = ring[word(PARAMS.cq_off + CQ.ring_mask) >> 2]!;
    this.#completions = word(PARAMS.cq_off + CQ.cqes) >> 2;
    // The array says which entry stands in which place: always its own.
    const array = word(PARAMS.sq_off + SQ.array) >> 2;
    for (let entry = 0; entry < count; entry++) ring[array + entry] = entry;
    this.#tail = ring[this.#submissionTail]!;
    this.#waitFlags = IO_URING.IORING_ENTER_GETEVENTS |
      (word(PARAMS.features) & IO_URING.IORING_FEAT_NO_IOWAIT ? IO_URING.IORING_ENTER_NO_IOWAIT : 0);
    const argumentBytes = new Uint8Array(this.#argument.buffer);
    this.#argumentPointer = pointerTo(argumentBytes);
    const timespec = addressOf(argumentBytes) + BigInt(ARGUMENT.SIZE);
    this.#argument[ARGUMENT.ts >> 2] = Number(timespec & 0xffff_ffffn);
    this.#argument[(ARGUMENT.ts >> 2) + 1] = Number(timespec >> 32n);
  }

  /** Makes room for one more submission and returns where its words begin, all of them 0 but `user_data`. */
  next(userData: number): number {
    if (this.#pending > this.#submissionMask) this.submit();
    const at = (this.#tail & this.#submissionMask) * SQE_WORDS;
    this.#tail = (this.#tail + 1) | 0;
    this.#pending++;
    const words = this.submissions;
    // A loop: `fill` took twice as long, and this is done for each request.
    for (let word = at; word < at + SQE_WORDS; word++) words[word] = 0;
    words[at + (SQE.user_data >> 2)] = userData;
    return at;
  }

  /** Hands over what was submitted. */
  submit(): void {
    this.#enter(0, 0);
  }

  /**
   * Hands over what was submitted and waits until something has completed, at most for `milliseconds` (-1: for ever).
   */
  submitAndWait(milliseconds: number): void {
    if (milliseconds < 0) return this.#enter(1, this.#waitFlags);
    this.#argument[ARGUMENT.SIZE >> 2] = Math.floor(milliseconds / 1000);
    this.#argument[(ARGUMENT.SIZE >> 2) + 2] = (milliseconds % 1000) * 1_000_000;
    this.#enter(1, this.#waitFlags | IO_URING.IORING_ENTER_EXT_ARG, this.#argumentPointer, ARGUMENT_SIZE);
  }

  /** Takes the next completion, if there is one. */
  takeCompletion(): boolean {
    const ring = this.#ring;
    const head = ring[this.#completionHead]!;
    if (head === ring[this.#completionTail]) return false;
    const at = this.#completions + (head & this.#completionMask) * (CQE.SIZE / 4);
    this.userData = ring[at + (CQE.user_data >> 2)]!;
    this.result = ring[at + (CQE.res >> 2)]!;
    ring[this.#completionHead] = (head + 1) | 0;
    return true;
  }

  [Symbol.dispose](): void {
    for (const { pointer, buffer } of this.#mappings) {
      this.#uring.symbols.munmap(pointer, BigInt(buffer.byteLength));
    }
    this.#libc.symbols.close(this.#descriptor);
  }

  #enter(atLeast: number, flags: number, argument: Deno.PointerValue = null, argumentSize = 0n): void {
    this.#ring[this.#submissionTail] = this.#tail;
    const { symbols, errno } = this.#uring;
    const taken = symbols.io_uring_enter(
      IO_URING.SYS_io_uring_enter,
      this.#descriptor,
      this.#pending,
      atLeast,
      flags,
      argument,
      argumentSize,
    );
    if (taken >= 0) this.#pending -= taken;
    else if (errno[0] !== EINTR && errno[0] !== ETIME) {
      throw new Error(`Cannot wait for requests over io_uring: ${errnoName(errno[0]!)}`);
    }
  }

  #map(size: number, offset: bigint): ArrayBuffer {
    const { symbols, errno } = this.#uring;
    const pointer = symbols.mmap(null, BigInt(size), PROT_READ_WRITE, MAP_SHARED_POPULATE, this.#descriptor, offset);
    if (pointer === null || isMapFailed(pointer)) {
      const reason = errnoName(errno[0]!);
      this[Symbol.dispose]();
      throw new Error(`Cannot map the memory of an io_uring: ${reason}`);
    }
    const buffer = memoryAt(pointer, size);
    this.#mappings.push({ pointer, buffer });
    return buffer;
  }
}
