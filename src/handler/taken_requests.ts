/**
 * The requests that a handler worker has taken and not answered, in memory that outlives it: when it dies, the mounting
 * isolate answers them in its stead.
 *
 * Nothing is lost and nothing answered twice:
 * - The worker reads into shared memory too. A request is in that buffer from the moment the kernel gives it out, and the
 *   next one is read only after this one was written down here. So what a dead worker had taken is in the one or the other.
 * - It is taken out after its answer was written. A worker that dies in between has its request answered again, which the
 *   kernel refuses: it knows a `unique` only until its first answer (fuse_dev_do_write in fs/fuse/dev.c).
 * - What finds no slot is not written down. The kernel ends that with ECONNABORTED when the dead worker's descriptor is
 *   closed (fuse_dev_release), as it does with anything else that was read from there.
 */
import { STRUCT } from "../../ffi/structs.ts";
import type { RequestView } from "../protocol/request.ts";

/** More than threads wait on a sane day. Memory is only used as far as slots are. */
const SLOTS = 1 << 16;

/**
 * Of one slot: `unique` (two words), opcode (0: free), whether it was answered for the worker; then begin and due, two words
 * each; the descriptor that takes the answer, and a word that is not used.
 */
const WORDS = 10;
const UNIQUE_UPPER = 1;
const OPCODE = 2;
const ANSWERED = 3;
const BEGIN = 2;
const DUE = 3;
const DEVICE = 8;

/** Word 0: how many slots have ever been used. The slot numbered 0 has its place, and stands for none. */
const USED = 0;

/** The memory of one worker's table. */
export function makeTakenMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * WORDS * SLOTS);
}

/** The worker's side: writes down and takes out. */
export class TakenRequests {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  /** Makes the process's time of this isolate's. */
  readonly #timeOffset: number;
  readonly #free: number[] = [];
  #used = 1;

  constructor(memory: SharedArrayBuffer, timeOffset: number) {
    this.#words = new Int32Array(memory);
    this.#numbers = new Float64Array(memory);
    this.#timeOffset = timeOffset;
  }

  /** Writes a request down and returns its slot; 0 when there is none left. The times are this isolate's. */
  add(request: RequestView, begin: number, due: number): number {
    const slot = this.#free.pop() ?? (this.#used < SLOTS ? this.#used++ : 0);
    if (slot === 0) return 0;
    const at = slot * WORDS;
    this.#words[at] = request.uniqueLower;
    this.#words[at + UNIQUE_UPPER] = request.uniqueUpper;
    this.#words[at + ANSWERED] = 0;
    this.#words[at + DEVICE] = request.device;
    this.#numbers[(at >> 1) + BEGIN] = begin + this.#timeOffset;
    this.#numbers[(at >> 1) + DUE] = due + this.#timeOffset;
    // Last, and seen in this order: who finds an opcode finds the rest.
    Atomics.store(this.#words, at + OPCODE, request.opcode);
    Atomics.store(this.#words, USED, this.#used);
    return slot;
  }

  /** It was answered. */
  remove(slot: number): void {
    if (slot === 0) return;
    Atomics.store(this.#words, slot * WORDS + OPCODE, 0);
    this.#free.push(slot);
  }
}

/** A request in the table, as the mounting isolate sees it. Times are the process's, in milliseconds. */
export interface TakenRequest {
  readonly slot: number;
  readonly uniqueLower: number;
  readonly uniqueUpper: number;
  readonly opcode: number;
  /** The descriptor that takes the answer. */
  readonly device: number;
  readonly begin: number;
  readonly due: number;
  /** Whether the mounting isolate has answered it. */
  readonly answered: boolean;
}

/** The requests in the table. While the worker lives a request may be answered the moment after it is seen here. */
export function* readTaken(memory: SharedArrayBuffer): Generator<TakenRequest> {
  const words = new Int32Array(memory);
  const numbers = new Float64Array(memory);
  const used = Atomics.load(words, USED);
  for (let slot = 1; slot < used; slot++) {
    const at = slot * WORDS;
    const opcode = Atomics.load(words, at + OPCODE);
    if (opcode === 0) continue;
    yield {
      slot,
      uniqueLower: words[at]! >>> 0,
      uniqueUpper: words[at + UNIQUE_UPPER]! >>> 0,
      opcode,
      device: words[at + DEVICE]!,
      begin: numbers[(at >> 1) + BEGIN]!,
      due: numbers[(at >> 1) + DUE]!,
      answered: words[at + ANSWERED] === 1,
    };
  }
}

/** Remembers that the mounting isolate has answered a request. */
export function markAnswered(memory: SharedArrayBuffer, { slot }: TakenRequest): void {
  new Int32Array(memory)[slot * WORDS + ANSWERED] = 1;
}

/** The request that a worker's reader read last; undefined when it has read none. */
export function lastRead(buffer: SharedArrayBuffer): Pick<TakenRequest, "uniqueLower" | "uniqueUpper" | "opcode"> {
  const { unique, opcode } = STRUCT.fuse_in_header;
  const words = new Uint32Array(buffer);
  return {
    uniqueLower: words[unique >> 2]!,
    uniqueUpper: words[(unique >> 2) + 1]!,
    opcode: words[opcode >> 2]!,
  };
}
