/** poll with several loops: whichever was asked, a change that any isolate makes wakes. */
import { assertEquals } from "../deps.ts";
import { PollHandles } from "../../mod.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { PythonClient } from "../support/client.ts";

const FILES = 40;

/** Files "0" to "39", ready after a write, until a read. What is ready and who waits lie in shared memory. */
const SOURCE = `
import { PollHandles, POLLIN, POLLOUT } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
export const prepare = (_options) => globalThis.pollTest =
  { ready: new Int32Array(new SharedArrayBuffer(4 * 64)), polled: new Int32Array(new SharedArrayBuffer(64)), waiting: PollHandles.allocate() };
export default (_options, { loop, shared: { ready, polled, waiting } }) => {
  let polls, handles = loop;
  const attributes = (node) => node === 1 ? { mode: 0o40755 } : { mode: 0o100666 };
  return {
    initialize: ({ notifier }) => void (polls = new PollHandles(notifier, waiting)),
    lookup: (_parent, name) => ({ node: Number(name) + 2, attributes: attributes(2) }),
    getAttributes: attributes,
    setAttributes: attributes,
    open: () => ({ handle: handles += 16, directIo: true, nonSeekable: true }),
    release: (node, handle) => polls.release(node, handle),
    read: (node) => new Uint8Array(Atomics.exchange(ready, node, 0)),
    write(node, _handle, _offset, data) {
      Atomics.add(ready, node, data.length);
      polls.wake(node);
      return data.length;
    },
    poll(node, handle, events, wakeup) {
      Atomics.add(polled, loop, 1);
      // The loop that is asked first stays there until another is asked, so that one alone does not serve all.
      while ([0, 1, 2].every((other) => other === loop || Atomics.load(polled, other) === 0)) Atomics.wait(polled, 3, 0, 5);
      polls.register(node, handle, wakeup);
      return events & (POLLOUT | (Atomics.load(ready, node) > 0 ? POLLIN : 0));
    },
  };
};`;

/** Waits for all files with epoll and reads what there is, until so many bytes have come. */
const READER = (bytes: number) => `
poll = select.epoll()
for number in range(${FILES}):
    poll.register(os.open(str(number), os.O_RDONLY), select.EPOLLIN | (select.EPOLLET if number % 2 else 0))
print("ready")
left = ${bytes}
while left > 0:
    events = poll.poll()
    for fd, _ in events:
        left -= len(os.read(fd, 1000))
print("done")`;

Deno.test("three loops, two writers, one reader of forty files: no byte is missed, whoever was polled", async () => {
  const module = `data:text/javascript,${encodeURIComponent(SOURCE)}`;
  await using mounted = await mountTemporarily({ module, loops: 3 });
  const { ready, polled, waiting } = (globalThis as unknown as {
    pollTest: { ready: Int32Array; polled: Int32Array; waiting: SharedArrayBuffer };
  }).pollTest;
  const WRITES = 600;
  const askOnce = `select.select([os.open("${FILES}", os.O_RDONLY)], [], [], 0)`;
  await using asker = new PythonClient(mounted.path, askOnce);
  await using reader = new PythonClient(mounted.path, READER(2 * WRITES + FILES));
  await reader.printed(1);
  await asker.end();
  const writer = `
for count in range(${WRITES}):
    fd = os.open(str(count * 7 % ${FILES}), os.O_WRONLY)
    os.write(fd, b"x")
    os.close(fd)`;
  await using one = new PythonClient(mounted.path, writer);
  await using other = new PythonClient(mounted.path, writer);
  await Promise.all([one.end(), other.end()]);
  // And the isolate that mounted, which serves nothing.
  const polls = new PollHandles(mounted.session.notifier, waiting);
  await waitFor("the reader to have read", () => ready.every((count) => count === 0));
  for (let node = 2; node < FILES + 2; node++) {
    Atomics.add(ready, node, 1);
    polls.wake(node);
  }
  await reader.end();
  assertEquals(reader.lines, ["ready", "done"]);
  assertEquals(polled.slice(0, 3).filter((count) => count > 0).length > 1, true, polled.slice(0, 3).join());
  await waitFor("all handles to be given up", () => polls.size === 0);
});
