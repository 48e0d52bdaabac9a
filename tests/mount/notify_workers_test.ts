/** The workers that take notifications to the kernel: they crash and are replaced, and one does not wait for the other. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type FileSystem, FsError, type Notifier, type NotifyOutcome, POLLIN, ROOT_NODE } from "../../mod.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { PythonClient } from "../support/client.ts";
import { WatchedWorkers } from "../support/watched_workers.ts";

const FOREVER = { entryTimeout: 10_000, attributesTimeout: 10_000 };
const NOTIFIER = "trellis-notifier";
const POLL_HANDLER = "trellis-poll";

/** A directory that has a file for every number: node 2 for "0", and so on. */
function numbers(special: Partial<FileSystem> = {}): FileSystem {
  const attributes = (node: number) =>
    node === ROOT_NODE ? { mode: 0o40755, links: 2 } : { mode: 0o100644, size: 4096 };
  return {
    lookup: (_parent, name) => ({ node: Number(name) + 2, attributes: attributes(2) }),
    getAttributes: attributes,
    open: () => ({}),
    ...special,
  };
}

/** Watches 10,000 files with inotify until each was deleted; in four queues, since the kernel drops what a full one misses. */
const WATCH_DELETIONS = `
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
queues = [libc.inotify_init() for queue in range(4)]
for number in range(10000):
    if libc.inotify_add_watch(queues[number % 4], b"%d" % number, 0x400) < 0:
        sys.exit("inotify_add_watch failed")
print("watching")
deleted = 0
while deleted < 10000:
    for queue in select.select(queues, [], [])[0]:
        events = os.read(queue, 1 << 16)
        at = 0
        while at < len(events):
            watch, mask, cookie, length = struct.unpack_from("iIII", events, at)
            if mask & 0x4000:
                sys.exit("a queue overflowed")
            deleted += bool(mask & 0x400)
            at += 16 + length
print(deleted)`;

/** Sends 10,000 and returns their outcomes; calls `crash` three times in the middle of what is queued. */
async function sendTenThousand(
  send: (number: number) => Promise<NotifyOutcome>,
  crash: () => void,
  crashes: () => number,
): Promise<NotifyOutcome[]> {
  const outcomes: Promise<NotifyOutcome>[] = [];
  for (let number = 0; number < 10_000; number++) {
    outcomes.push(send(number));
    // Of the last 250 nobody has heard. A worker that has crashed, and is not replaced yet, cannot crash again.
    if (number % 2500 === 2250 && number < 9_000) {
      const before = crashes();
      crash();
      await waitFor("the crash to be seen", () => crashes() > before);
    } else if (number % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return await Promise.all(outcomes);
}

Deno.test("a notify worker that crashes again and again under 10,000 notifications: none is lost, none comes twice", async () => {
  using workers = new WatchedWorkers();
  const log: string[] = [];
  await using mounted = await mountTemporarily(numbers(), { ...FOREVER, log: (message) => void log.push(message) });
  await using client = new PythonClient(mounted.path, WATCH_DELETIONS);
  await client.printed(1);
  const { notifier } = mounted.session;
  const outcomes = await sendTenThousand(
    (number) => notifier.deleteEntry(ROOT_NODE, number + 2, String(number)),
    () => workers.crash(NOTIFIER),
    () => log.length,
  );
  const counts = Map.groupBy(outcomes, (outcome) => outcome);
  // What was deleted twice would be "not cached" the second time.
  assertEquals([...counts].map(([outcome, all]) => [outcome, all.length]), [["delivered", 10_000]]);
  await client.end();
  assertEquals(client.lines, ["watching", "10000"]);
  assertEquals([workers.count(NOTIFIER), log.length], [4, 3]);
});

Deno.test("a poll handler that crashes under 10,000 wake-ups: each is heard of, and who waits is woken", async () => {
  using workers = new WatchedWorkers();
  let ready = false;
  let handle: number | undefined;
  const log: string[] = [];
  await using mounted = await mountTemporarily(
    numbers({
      poll(_node, _handle, events, wakeup) {
        handle = wakeup ?? handle;
        return ready ? events & POLLIN : 0;
      },
    }),
    { log: (message) => void log.push(message) },
  );
  await using client = new PythonClient(mounted.path, `print(len(select.select([os.open("0", 0)], [], [])[0]))`);
  await waitFor("the client to wait", () => handle !== undefined);
  const { notifier } = mounted.session;
  // Different handles, so that none is merged with another; those that nobody waits on do nothing.
  const outcomes = await sendTenThousand(
    (number) => notifier.wakePoll(handle! + 1 + number),
    () => workers.crash(POLL_HANDLER),
    () => log.length,
  );
  assertEquals(new Set(outcomes), new Set<NotifyOutcome>(["delivered"]));
  ready = true;
  await notifier.wakePoll(handle!);
  await client.end();
  assertEquals(client.lines, ["1"]);
  assertEquals([workers.count(POLL_HANDLER), workers.count(NOTIFIER)], [4, 0]);
});

Deno.test("after three crashes in a minute notifications are EIO, the mount and its wake-ups live on", async () => {
  using workers = new WatchedWorkers();
  const log: string[] = [];
  await using mounted = await mountTemporarily(numbers(), { log: (message) => void log.push(message) });
  const { notifier } = mounted.session;
  for (let crash = 1; crash <= 3; crash++) {
    await notifier.invalidateNode(2);
    workers.crash(NOTIFIER);
    await waitFor("the crash to be seen", () => log.length === crash);
  }
  await notifier.invalidateNode(2);
  workers.crash(NOTIFIER);
  // Some that wait, and one that comes later.
  const outcomes = Array.from({ length: 100 }, (_, node) => notifier.invalidateNode(node + 2));
  await waitFor("the last crash to be seen", () => log.length === 4);
  const settled = await Promise.allSettled([...outcomes, notifier.invalidateNode(3)]);
  const last = settled.at(-1)!;
  assert(last.status === "rejected" && last.reason instanceof FsError && last.reason.code === "EIO", last.status);
  assertEquals(workers.count(NOTIFIER), 4);
  await notifier.wakePoll(1);
  assertEquals((await Deno.stat(`${mounted.path}/7`)).size, 4096);
});

Deno.test("what cannot be a notification is refused, and those behind it are sent", async () => {
  using workers = new WatchedWorkers();
  await using mounted = await mountTemporarily(numbers(), FOREVER);
  const { notifier } = mounted.session;
  assert((await Deno.stat(`${mounted.path}/0`)).isFile);
  const refused = notifier.invalidateNode(0.5);
  const sent = notifier.invalidateNode(2);
  assertEquals((await assertRejects(() => refused, FsError)).code, "EINVAL");
  assertEquals([await sent, workers.count(NOTIFIER)], ["delivered", 1]);
});

Deno.test("a wake-up arrives while a notification waits in the kernel for a page whose read is not answered", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Uint8Array>();
  let notifier!: Notifier;
  let handle: number | undefined;
  let ready = false;
  const filesystem = numbers({
    initialize: (connection) => void (notifier = connection.notifier),
    read: () => (asked.resolve(), answer.promise),
    poll(_node, _handle, events, wakeup) {
      handle = wakeup ?? handle;
      return ready ? events & POLLIN : 0;
    },
  });
  await using mounted = await mountTemporarily(filesystem, FOREVER);
  await using poller = new PythonClient(mounted.path, `print(len(select.select([os.open("1", 0)], [], [])[0]))`);
  await waitFor("the client to wait", () => handle !== undefined);
  await using reader = new PythonClient(mounted.path, `print(len(os.read(os.open("0", 0), 4096)))`);
  await asked.promise;
  let settled = 0;
  const invalidated = notifier.invalidateNode(2).finally(() => settled++);
  const behind = notifier.invalidateNode(3).finally(() => settled++);
  ready = true;
  const woken = notifier.wakePoll(handle!);
  // A test that fails here must not leave a read that is never answered.
  using _ = { [Symbol.dispose]: () => answer.resolve(new Uint8Array(4096)) };
  await poller.end();
  assertEquals([poller.lines, settled], [["1"], 0]);
  answer.resolve(new Uint8Array(4096));
  await reader.end();
  const outcomes = ["delivered", "delivered", "delivered"];
  assertEquals([reader.lines, ...await Promise.all([woken, invalidated, behind])], [["4096"], ...outcomes]);
});
