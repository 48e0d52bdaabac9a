/** Poll handles: one for each open file, each woken once, also from other isolates. */
import { assert, assertEquals } from "../../deps.ts";
import type { Notifier } from "../../../src/fs/notifier.ts";
import { PollHandles } from "../../../src/layers/support/poll_handles.ts";

const POLL_HANDLES = new URL("../../../src/layers/support/poll_handles.ts", import.meta.url).href;

/** A notifier that writes down what is woken. */
function wakingNotifier(woken: number[]): Notifier {
  return { wakePoll: (handle: number) => (woken.push(handle), Promise.resolve("delivered")) } as unknown as Notifier;
}

Deno.test("a handle is woken once; a new one takes its place; one whose file is released is not woken", () => {
  const woken: number[] = [];
  const polls = new PollHandles(wakingNotifier(woken));
  polls.register(2, 1, 10);
  polls.register(2, 1, 11);
  polls.register(2, 2, 12);
  polls.register(2, 3, undefined);
  polls.register(3, 1, 13);
  polls.register(2 + 2 ** 40, 1, 14);
  assertEquals(polls.size, 4);
  polls.release(2, 2);
  polls.wake(2);
  assertEquals(woken, [11]);
  polls.wake(2);
  assertEquals([woken.length, polls.size], [1, 2]);
  polls.wake(3);
  polls.wake(2 + 2 ** 40);
  polls.wake(99);
  assertEquals([woken, polls.size], [[11, 13, 14], 0]);
});

Deno.test("as many as there are, as large as they are, again and again in the same memory", () => {
  const woken: number[] = [];
  const memory = PollHandles.allocate();
  const polls = new PollHandles(wakingNotifier(woken), memory);
  const most = Number.MAX_SAFE_INTEGER;
  let grown = 0;
  for (let round = 0; round < 3; round++) {
    for (let file = 0; file < 20_000; file++) polls.register(most - (file % 5000), most - file, most - file);
    assertEquals(polls.size, 20_000);
    for (let file = 0; file < 20_000; file += 2) polls.release(most - (file % 5000), most - file);
    for (let node = 0; node < 5000; node++) polls.wake(most - node);
    assertEquals([polls.size, woken.length], [0, 10_000]);
    assertEquals(new Set(woken).size, 10_000);
    assert(woken.splice(0).every((handle) => (most - handle) % 2 === 1));
    if (round > 0) assertEquals(memory.byteLength, grown);
    grown = memory.byteLength;
  }
});

Deno.test("what isolates register and wake beside each other is woken exactly once", async () => {
  const EACH = 20_000;
  const memory = PollHandles.allocate();
  const source = `
    import { PollHandles } from ${JSON.stringify(POLL_HANDLES)};
    self.onmessage = ({ data: [memory, number] }) => {
      const woken = [];
      const polls = new PollHandles({ wakePoll: (handle) => void woken.push(handle) }, memory);
      for (let count = 0; count < ${EACH}; count++) {
        polls.register(count % 64, number * ${EACH} + count, number * ${EACH} + count);
        if (count % 3 === 0) polls.wake((count * 7) % 64);
      }
      self.postMessage(woken);
    };`;
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  const workers = [0, 1].map(() => new Worker(url, { type: "module" }));
  const found = workers.map((worker, number) =>
    new Promise<number[]>((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage([memory, number]);
    })
  );
  const woken = (await Promise.all(found)).flat();
  workers.forEach((worker) => worker.terminate());
  const polls = new PollHandles(wakingNotifier(woken), memory);
  for (let node = 0; node < 64; node++) polls.wake(node);
  assertEquals([woken.length, new Set(woken).size, polls.size], [2 * EACH, 2 * EACH, 0]);
});
