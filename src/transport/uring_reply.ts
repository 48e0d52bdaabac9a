/** Answers over io_uring: each stays with its entry until the loop commits it. What came from the device goes there. */
import { wordsOf } from "../protocol/reply.ts";
import type { RequestView } from "../protocol/request.ts";
import type { DeviceReply } from "./device_reply.ts";
import { UringEntry } from "./uring_entry.ts";

export class UringReply {
  /** The entries that have an answer and are to be committed. */
  readonly answered: UringEntry[] = [];
  /** Where the bodies of answers to requests from the device are built. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly bodyWords: Uint32Array;
  readonly #device: DeviceReply;

  constructor(device: DeviceReply) {
    this.#device = device;
    this.body = device.body;
    this.bodyWords = wordsOf(device.body);
  }

  /** As `DeviceReply.send`; true of a ring's request, whose caller waits until the entry is committed. */
  send(request: RequestView, length: number): boolean {
    if (!(request instanceof UringEntry)) return this.#device.send(request, length);
    request.answer = length;
    this.answered.push(request);
    return true;
  }
}
