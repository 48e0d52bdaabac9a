/** Answers over io_uring: each goes with the loop's next submission. What came from the device is answered there. */
import { wordsOf } from "../protocol/reply.ts";
import type { RequestView } from "../protocol/request.ts";
import type { DeviceReply } from "./device_reply.ts";
import type { UringEntries } from "./uring_entries.ts";
import { UringEntry } from "./uring_entry.ts";

export class UringReply {
  /** Where the bodies of answers to requests from the device are built. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly bodyWords: Uint32Array;
  readonly #entries: UringEntries;
  readonly #device: DeviceReply;

  constructor(entries: UringEntries, device: DeviceReply) {
    this.#entries = entries;
    this.#device = device;
    this.body = device.body;
    this.bodyWords = wordsOf(device.body);
  }

  /** As `DeviceReply.send`; true of a ring's request, whose caller waits until the entry is committed. */
  send(request: RequestView, length: number): boolean {
    if (!(request instanceof UringEntry)) return this.#device.send(request, length);
    this.#entries.commit(request, length);
    return true;
  }
}
