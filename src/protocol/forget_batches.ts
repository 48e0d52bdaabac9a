/** Forgets that a loop hands on: those of one request, put together by the handler that they are for. */
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { NodeId } from "../fs/filesystem.ts";
import { RequestView } from "./request.ts";

const HEADER = STRUCT.fuse_in_header;
const BATCH = STRUCT.fuse_batch_forget_in;
const ONE = STRUCT.fuse_forget_one;
const TWO_32 = 0x1_0000_0000;

export class ForgetBatches {
  /** By handler: node and count, one after the other. */
  readonly #forgets = new Map<number, number[]>();

  get isEmpty(): boolean {
    return this.#forgets.size === 0;
  }

  add(handler: number, node: NodeId, count: number): void {
    this.#forgets.getOrInsertComputed(handler, () => []).push(node, count);
  }

  /** A BATCH_FORGET for each handler, never longer than `request`, whose numbers it has. */
  *take(request: RequestView): Generator<[handler: number, batch: RequestView]> {
    const all = [...this.#forgets];
    this.#forgets.clear();
    for (const [handler, forgets] of all) yield [handler, encodeBatch(forgets, request)];
  }
}

function encodeBatch(forgets: readonly number[], request: RequestView): RequestView {
  const count = forgets.length / 2;
  const words = new Uint32Array((HEADER.SIZE + BATCH.SIZE + count * ONE.SIZE) / 4);
  words.set(request.words.subarray(0, HEADER.SIZE / 4));
  words[HEADER.len >> 2] = words.byteLength;
  words[HEADER.opcode >> 2] = OPCODE.BATCH_FORGET;
  words[(HEADER.SIZE + BATCH.count) >> 2] = count;
  // A node and its count are two words each, as `struct fuse_forget_one` has them.
  let at = (HEADER.SIZE + BATCH.SIZE) >> 2;
  for (const number of forgets) {
    words[at++] = number;
    words[at++] = Math.floor(number / TWO_32);
  }
  const batch = RequestView.over(new Uint8Array(words.buffer));
  batch.device = request.device;
  return batch;
}
