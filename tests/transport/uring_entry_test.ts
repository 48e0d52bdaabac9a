/** Entries of FUSE over io_uring: what they write into submissions and read from requests, with a ring of plain memory. */
import { assertEquals } from "../deps.ts";
import type { Uring } from "../../src/transport/uring.ts";
import { UringEntry } from "../../src/transport/uring_entry.ts";

/** A ring of one submission of 128 bytes. */
function fakeRing() {
  const submissions = new Uint32Array(32);
  const next = (userData: number) => (submissions.fill(0)[8] = userData, 0);
  return { ring: { submissions, next } as unknown as Uring, bytes: new DataView(submissions.buffer) };
}

const entry = () => new UringEntry({ index: 7, queue: 3, device: 11, payloadSize: 8192 });

/** Writes a request as the kernel does: header at 0, struct at 128, commit id at 264, payload's size at 272. */
function arrive(entry: UringEntry, payload: string): void {
  const bytes = new DataView(entry.words.buffer);
  bytes.setUint32(4, 16, true);
  bytes.setBigUint64(8, 0x1_0000_0002n, true);
  bytes.setUint32(128 + 16, payload.length, true);
  bytes.setBigUint64(264, 0x1_0000_0002n, true);
  bytes.setUint32(272, payload.length, true);
  entry.payload.set(new TextEncoder().encode(payload));
  entry.rewind();
}

Deno.test("a registration names the queue and two vectors: 288 bytes of header, and the payload", () => {
  const { ring, bytes } = fakeRing();
  entry().register(ring);
  assertEquals([bytes.getUint8(0), bytes.getInt32(4, true), bytes.getUint32(8, true)], [46, 11, 1]);
  assertEquals([bytes.getUint32(24, true), bytes.getBigUint64(32, true), bytes.getUint16(64, true)], [2, 7n, 3]);
  assertEquals(bytes.getBigUint64(16, true) !== 0n, true);
});

Deno.test("a request is read in place, twice when it is kept", () => {
  const one = entry();
  arrive(one, "name\0other\0");
  for (let time = 0; time < 2; time++) {
    one.setArguments(40);
    assertEquals([one.opcode, one.unique, one.u32(16)], [16, 0x1_0000_0002, 11]);
    assertEquals([one.takeName(), one.takeName()], ["name", "other"]);
    assertEquals(one.keep(), one);
    one.rewind();
  }
});

Deno.test("an answer keeps the request's number, says its size, and is committed with the commit id", () => {
  for (const [answer, size, error] of [[104, 104, 0], [0, 0, 0], [-2, 0, -2]] as const) {
    const one = entry();
    const { ring, bytes } = fakeRing();
    arrive(one, "name\0");
    one.commit(ring, answer);
    const header = new DataView(one.words.buffer);
    assertEquals([header.getInt32(4, true), header.getBigUint64(8, true)], [error, 0x1_0000_0002n]);
    assertEquals([header.getUint32(0, true), header.getUint32(272, true)], [16 + size, size]);
    assertEquals([bytes.getUint32(8, true), bytes.getBigUint64(56, true)], [2, 0x1_0000_0002n]);
    assertEquals([bytes.getUint16(64, true), one.pending], [3, false]);
  }
});
