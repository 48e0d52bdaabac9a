/** Notifications through layers: what an inner one says of its nodes arrives as the outer one's. */
import { assertEquals } from "../../deps.ts";
import type { Notifier } from "../../../src/fs/notifier.ts";
import { mapNotifier } from "../../../src/layers/support/map_notifier.ts";

const METHODS: readonly (keyof Notifier)[] = [
  "invalidateNode",
  "invalidateEntry",
  "expireEntry",
  "deleteEntry",
  "store",
  "retrieve",
  "incrementEpoch",
  "prune",
  "resend",
  "wakePoll",
];

/** A notifier that writes down what it is told. */
function recordingNotifier(told: unknown[]): Notifier {
  const methods = METHODS.map((name) => {
    return [name, (...args: unknown[]) => (told.push([name, ...args]), Promise.resolve("delivered"))];
  });
  return Object.fromEntries(methods) as Notifier;
}

Deno.test("every notification goes up with the outer layer's nodes, also through two layers", async () => {
  const told: unknown[] = [];
  const one = mapNotifier(recordingNotifier(told), (node) => node + 1000);
  const inner = mapNotifier(one, (node) => node === 13 ? undefined : node * 2);
  const data = new Uint8Array(3);
  await inner.invalidateNode(5);
  await inner.invalidateNode(5, -1, 7);
  await inner.invalidateEntry(5, "a");
  await inner.expireEntry(5, "b");
  await inner.deleteEntry(5, 6, "c");
  await inner.store(5, 8, data);
  await inner.retrieve(5, 8, 9);
  await inner.incrementEpoch();
  await inner.prune([5, 13, 6]);
  await inner.resend();
  await inner.wakePoll(77);
  assertEquals(told, [
    ["invalidateNode", 1010, undefined, undefined],
    ["invalidateNode", 1010, -1, 7],
    ["invalidateEntry", 1010, "a"],
    ["expireEntry", 1010, "b"],
    ["deleteEntry", 1010, 1012, "c"],
    ["store", 1010, 8, data],
    ["retrieve", 1010, 8, 9],
    ["incrementEpoch"],
    ["prune", [1010, 1012]],
    ["resend"],
    ["wakePoll", 77],
  ]);
});

Deno.test("what is not seen from outside is not cached there, and nobody is told", async () => {
  const told: unknown[] = [];
  const inner = mapNotifier(recordingNotifier(told), (node) => node === 1 ? 1 : undefined);
  const outcomes = [
    inner.invalidateNode(5),
    inner.invalidateEntry(5, "a"),
    inner.expireEntry(5, "a"),
    inner.deleteEntry(5, 1, "a"),
    inner.deleteEntry(1, 5, "a"),
    inner.store(5, 0, new Uint8Array(1)),
    inner.prune([5]),
  ];
  assertEquals(await Promise.all(outcomes), outcomes.map(() => "not cached" as const));
  assertEquals((await inner.retrieve(5, 0, 10)).length, 0);
  assertEquals(told, []);
});
