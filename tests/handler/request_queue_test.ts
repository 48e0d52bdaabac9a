/** The queue of one kind: the bound, the order, the room, and what waits too long for it. */
import { assertEquals } from "../deps.ts";
import { RequestQueue } from "../../src/handler/request_queue.ts";

interface Numbered {
  readonly number: number;
}

/** A queue for two at work and three waiting, and what it started. */
function makeQueue() {
  const started: number[] = [];
  const start = ({ number }: Numbered) => void started.push(number);
  const queue = new RequestQueue<Numbered>({
    atWork: 2,
    length: 3,
    bytes: 100,
    sendTimeout: 10,
    sizeOf: () => 10,
    start,
  });
  const requests = Array.from({ length: 10 }, (_, number): Numbered => ({ number }));
  return { queue, started, requests };
}

Deno.test("as many as the bound start at once, the others in order as places become free", () => {
  const { queue, started, requests } = makeQueue();
  assertEquals(
    requests.map((request) => queue.add(request, 0)),
    requests.map(({ number }) => number < 2 ? "started" : "waits"),
  );
  assertEquals(started, [0, 1]);
  for (let count = 0; count < 8; count++) queue.finish();
  assertEquals(started, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("one that comes while others wait does not overtake them", () => {
  const { queue, started, requests } = makeQueue();
  requests.slice(0, 3).forEach((request) => queue.add(request, 0));
  queue.finish();
  queue.add(requests[3]!, 0);
  queue.finish();
  assertEquals(started, [0, 1, 2, 3]);
});

Deno.test("what finds the queue full waits for room until its time is over", () => {
  const { queue, started, requests } = makeQueue();
  requests.slice(0, 7).forEach((request, at) => queue.add(request, at));
  // 0 and 1 are at work, 2 to 4 wait, 5 and 6 came at 5 and 6 and have no room.
  assertEquals(queue.nextOverdue, 15);
  queue.finish();
  assertEquals(queue.nextOverdue, 16);
  assertEquals(queue.takeOverdue(15), []);
  assertEquals(queue.takeOverdue(16), [requests[6]!]);
  assertEquals(queue.nextOverdue, Infinity);
  for (let count = 0; count < 4; count++) queue.finish();
  assertEquals(started, [0, 1, 2, 3, 4, 5]);
});

Deno.test("one that is taken out is not started, and makes room", () => {
  const { queue, started, requests } = makeQueue();
  requests.slice(0, 7).forEach((request) => queue.add(request, 0));
  queue.remove(requests[3]!);
  queue.remove(requests[6]!);
  assertEquals(queue.nextOverdue, Infinity);
  for (let count = 0; count < 4; count++) queue.finish();
  assertEquals(started, [0, 1, 2, 4, 5]);
});

Deno.test("a hundred thousand that answer at once need no deeper stack", () => {
  let started = 0;
  const queue: RequestQueue<Numbered> = new RequestQueue<Numbered>({
    atWork: 1,
    length: Infinity,
    bytes: Infinity,
    sizeOf: () => 1,
    sendTimeout: 1,
    start: ({ number }) => {
      started++;
      if (number > 0) queue.finish();
    },
  });
  for (let number = 0; number < 100_000; number++) queue.add({ number }, 0);
  assertEquals(started, 1);
  queue.finish();
  assertEquals(started, 100_000);
});

Deno.test("what would exceed the bytes is refused, and fits when others have left", () => {
  const started: number[] = [];
  const queue = new RequestQueue<Numbered>({
    atWork: 1,
    length: 1,
    bytes: 10,
    sendTimeout: 10,
    sizeOf: ({ number }) => number,
    start: ({ number }) => void started.push(number),
  });
  const [first, four, six, seven] = [1, 4, 6, 7].map((number): Numbered => ({ number }));
  assertEquals([first!, four!, seven!, six!].map((request) => queue.add(request, 0)), [
    "started",
    "waits",
    "refused",
    "waits",
  ]);
  queue.finish();
  assertEquals(queue.add(seven!, 0), "refused");
  queue.remove(six!);
  assertEquals(queue.add(seven!, 0), "waits");
  queue.finish();
  assertEquals(started, [1, 4, 7]);
});
