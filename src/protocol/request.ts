/**
 * One request as the kernel sent it: `fuse_in_header`, the operation's struct, then names or data.
 *
 * On the device all of it lies in one buffer. Over io_uring header and struct lie in one and the rest in another. So a
 * request is two views: `words`, with the struct at byte `argumentsAt`, and `payload`, from byte `payloadAt` on.
 */
import { FUSE_UNIQUE_RESEND_UPPER } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { decodeName } from "../fs/names.ts";

const HEADER = STRUCT.fuse_in_header;
const TWO_32 = 0x1_0000_0000;

/** Reads a request in place. A loop uses one for all its requests; a handler makes one for each. */
export class RequestView {
  readonly words: Uint32Array;
  payload: Uint8Array;
  /** Where the operation's struct begins, in bytes of `words`. */
  readonly argumentsAt: number;
  /** The descriptor that the request was read from: the kernel takes the answer on no other. */
  device = -1;
  /** When it came, in milliseconds by the clock of who measures how long its answer takes. */
  begun = 0;
  /** Where names and data begin and end, in `payload`. */
  payloadAt = 0;
  payloadEnd = 0;

  constructor(words: Uint32Array, payload: Uint8Array, argumentsAt: number) {
    this.words = words;
    this.payload = payload;
    this.argumentsAt = argumentsAt;
  }

  /** A request that lies whole in `bytes`, as read from the device. */
  static over(bytes: Uint8Array<ArrayBuffer>): RequestView {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    return new RequestView(words, bytes, HEADER.SIZE);
  }

  /** The request for as long as it is not answered: a copy, where the next one will overwrite it. */
  keep(): RequestView {
    const copy = RequestView.over(this.payload.slice(0, (this.length + 7) & ~7) as Uint8Array<ArrayBuffer>);
    copy.device = this.device;
    copy.begun = this.begun;
    return copy;
  }

  get length(): number {
    return this.words[HEADER.len >> 2]!;
  }
  get opcode(): number {
    return this.words[HEADER.opcode >> 2]!;
  }
  /** The lower and upper half of the number that the reply must carry. */
  get uniqueLower(): number {
    return this.words[HEADER.unique >> 2]!;
  }
  get uniqueUpper(): number {
    return this.words[(HEADER.unique >> 2) + 1]!;
  }
  /** That number, exact up to 2^53, as it was when the request came the first time. */
  get unique(): number {
    return this.uniqueLower + (this.uniqueUpper & ~FUSE_UNIQUE_RESEND_UPPER) * TWO_32;
  }
  get node(): number {
    return this.words[HEADER.nodeid >> 2]! + this.words[(HEADER.nodeid >> 2) + 1]! * TWO_32;
  }
  get uid(): number {
    return this.words[HEADER.uid >> 2]!;
  }
  get gid(): number {
    return this.words[HEADER.gid >> 2]!;
  }
  get pid(): number {
    return this.words[HEADER.pid >> 2]!;
  }

  /** The unsigned 32-bit field at byte `offset` of the operation's struct. */
  u32(offset: number): number {
    return this.words[(this.argumentsAt + offset) >> 2]!;
  }

  /** The 64-bit field at byte `offset`, exact up to 2^53. */
  u64(offset: number): number {
    const at = (this.argumentsAt + offset) >> 2;
    return this.words[at]! + this.words[at + 1]! * TWO_32;
  }

  /** The signed 64-bit field at byte `offset`, exact within ±2^53. */
  i64(offset: number): number {
    const at = (this.argumentsAt + offset) >> 2;
    return this.words[at]! + (this.words[at + 1]! | 0) * TWO_32;
  }

  /** The 64-bit field at byte `offset`, whole. */
  big(offset: number): bigint {
    const at = (this.argumentsAt + offset) >> 2;
    return BigInt(this.words[at]!) | BigInt(this.words[at + 1]!) << 32n;
  }

  /** Says that the operation's struct has `size` bytes: on the device names and data follow it. */
  setArguments(size: number): void {
    if (this.argumentsAt !== HEADER.SIZE) return;
    this.payloadAt = HEADER.SIZE + size;
    this.payloadEnd = this.length;
  }

  /** The zero-terminated string at the start of the payload; the next call reads the one after it. */
  takeName(): string {
    const start = this.payloadAt;
    let end = start;
    while (end < this.payloadEnd && this.payload[end] !== 0) end++;
    this.payloadAt = end + 1;
    return decodeName(this.payload, start, end);
  }

  /** The next `size` bytes of the payload, in place. */
  takeBytes(size: number): Uint8Array {
    const start = this.payloadAt;
    this.payloadAt += size;
    return this.payload.subarray(start, start + size);
  }
}
