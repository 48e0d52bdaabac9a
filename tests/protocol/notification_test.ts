/** Notifications in the kernel's bytes. */
import { assert, assertEquals } from "../deps.ts";
import { NOTIFY } from "../../ffi/kernel.ts";
import { encodeNotification, isDuplicate, laneOf, type Notification } from "../../src/protocol/notification.ts";

/** The header's three fields and the rest as 32-bit words, or bytes from `at` on. */
function decode(notification: Notification): { code: number; words: number[]; bytes: Uint8Array } {
  const bytes = encodeNotification(notification);
  const view = new DataView(bytes.buffer);
  assertEquals(view.getUint32(0, true), bytes.length);
  assertEquals(view.getBigUint64(8, true), 0n);
  const words = Array.from({ length: (bytes.length - 16) >> 2 }, (_, word) => view.getInt32(16 + word * 4, true));
  return { code: view.getInt32(4, true), words, bytes: bytes.subarray(16) };
}

Deno.test("each notification has its code and its struct", () => {
  const cases: [Notification, number, number[]][] = [
    [{ kind: "invalidateNode", node: 2 ** 32 + 5, offset: -1, length: 7 }, NOTIFY.INVAL_INODE, [5, 1, -1, -1, 7, 0]],
    [{ kind: "retrieve", unique: 77, node: 5, offset: 4096, size: 10 }, NOTIFY.RETRIEVE, [77, 0, 5, 0, 4096, 0, 10, 0]],
    [{ kind: "wakePoll", handle: 9 }, NOTIFY.POLL, [9, 0]],
    [{ kind: "incrementEpoch" }, NOTIFY.INC_EPOCH, []],
    [{ kind: "resend" }, NOTIFY.RESEND, []],
    [{ kind: "prune", nodes: [3, 4] }, NOTIFY.PRUNE, [2, 0, 0, 0, 3, 0, 4, 0]],
    [{ kind: "store", node: 5, offset: 8, data: new Uint8Array([1, 0, 0, 0]) }, NOTIFY.STORE, [5, 0, 8, 0, 4, 0, 1]],
    [{ kind: "invalidateEntry", parent: 5, name: "abc" }, NOTIFY.INVAL_ENTRY, [5, 0, 3, 0, 0x636261]],
    [{ kind: "expireEntry", parent: 5, name: "abc" }, NOTIFY.INVAL_ENTRY, [5, 0, 3, 1, 0x636261]],
    [{ kind: "deleteEntry", parent: 5, node: 6, name: "abc" }, NOTIFY.DELETE, [5, 0, 6, 0, 3, 0, 0x636261]],
  ];
  for (const [notification, code, words] of cases) {
    const decoded = decode(notification);
    assertEquals([decoded.code, decoded.words], [code, words], notification.kind);
  }
});

Deno.test("names are zero-terminated, and those that are not UTF-8 stay whole", () => {
  const { bytes, words } = decode({ kind: "invalidateEntry", parent: 1, name: "é\udcff" });
  assertEquals(words[2], 3);
  assertEquals([...bytes.subarray(16)], [0xc3, 0xa9, 0xff, 0]);
});

Deno.test("only what says the same of the same node is a duplicate", () => {
  const node: Notification = { kind: "invalidateNode", node: 2, offset: 0, length: 0 };
  assert(isDuplicate(node, { ...node }));
  assert(!isDuplicate(node, { ...node, length: 1 }));
  assert(!isDuplicate(node, { kind: "store", node: 2, offset: 0, data: new Uint8Array() }));
  const entry: Notification = { kind: "invalidateEntry", parent: 2, name: "a" };
  assert(isDuplicate(entry, { ...entry }));
  assert(!isDuplicate(entry, { ...entry, name: "b" }));
  assert(!isDuplicate(entry, { kind: "expireEntry", parent: 2, name: "a" }));
  assert(!isDuplicate({ kind: "resend" }, { kind: "resend" }));
  assertEquals(laneOf(node), 2);
  assert(laneOf({ kind: "wakePoll", handle: 2 }) !== laneOf(node));
});
