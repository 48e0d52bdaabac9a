/** Channels: each message is taken once, whatever happens to those at the ends. */
import { assert, assertEquals } from "../deps.ts";
import { Channel } from "../../src/channels/channel.ts";
import { Receiver, Sender, SenderPorts } from "../../src/channels/channel_ends.ts";
import { PATIENCE } from "../support/patience.ts";

/** Resolves when `condition` holds, after as many turns of the event loop as that takes. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE * 1000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${PATIENCE} s in vain`);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function count(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

Deno.test("messages arrive in order, sent here and over ports, before and after the receiver joins", async () => {
  using channel = new Channel<string>();
  channel.send("first");
  using sender = new Sender<string>(channel.openSender());
  using receiver = new Receiver<string>(channel.join().port);
  assertEquals(await receiver.tryReceive(60_000), "first");
  sender.send("second");
  assertEquals(await receiver.tryReceive(60_000), "second");
  assertEquals(await receiver.tryReceive(1), undefined);
});

Deno.test("several senders and several receivers: each message is taken by exactly one", async () => {
  using channel = new Channel<number>();
  const senders = count(4).map(() => new Sender<number>(channel.openSender()));
  const taken: number[][] = count(3).map(() => []);
  const receivers = taken.map((list) => {
    const receiver = new Receiver<number>(channel.join().port);
    receiver.onMessage = (message) => void list.push(message);
    return receiver;
  });
  for (const number of count(1000)) senders[number % 4]!.send(number);
  await until(() => taken.flat().length >= 1000);
  assertEquals(taken.flat().sort((a, b) => a - b), count(1000));
  assert(taken.every((list) => list.length > 0), taken.map((list) => list.length).join());
  for (const end of [...receivers, ...senders]) end[Symbol.dispose]();
});

Deno.test("a receiver that is replaced again and again under 10,000 events loses none and takes none twice", async () => {
  using channel = new Channel<number>();
  const taken: number[] = [];
  const sending = (async () => {
    for (const number of count(10_000)) {
      channel.send(number);
      if (number % 97 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  })();
  let replaced = 0;
  while (taken.length < 10_000) {
    const joint = channel.join();
    const receiver = new Receiver<number>(joint.port);
    receiver.onMessage = (message) => void taken.push(message);
    const enough = Math.min(10_000, taken.length + 113);
    await until(() => taken.length >= enough);
    await joint.cut();
    replaced++;
  }
  await sending;
  assertEquals(taken, count(10_000));
  assert(replaced > 10, `replaced ${replaced} times`);
});

Deno.test("receivers that leave in the middle, or are lost before they took anything, give back all else, in order", async () => {
  using channel = new Channel<number>();
  for (const number of count(100)) channel.send(number);
  const taken: number[] = [];
  for await (const number of new Receiver<number>(channel.join().port)) {
    taken.push(number);
    if (number === 40) break;
  }
  const first = channel.join();
  // Wrapped by nobody: all that was given in advance is in the port.
  first.port.close();
  first.lost();
  using receiver = new Receiver<number>(channel.join().port);
  receiver.onMessage = (message) => void taken.push(message);
  await until(() => taken.length >= 100);
  // Two receivers at once may interleave; none is lost.
  assertEquals(taken.toSorted((a, b) => a - b), count(100));
  assertEquals(taken.slice(0, 41), count(41));
});

Deno.test("receivers of a channel that ends do not wait for ever", async () => {
  const channel = new Channel<number>();
  const receiver = new Receiver<number>(channel.join().port);
  channel.send(1);
  const taken: number[] = [];
  for await (const number of receiver) {
    taken.push(number);
    channel[Symbol.dispose]();
  }
  assertEquals(taken, [1]);
});

Deno.test("a sender that is disposed leaves nothing behind", async () => {
  const arrived: number[] = [];
  using ports = new SenderPorts<number>((number) => void arrived.push(number));
  {
    using sender = new Sender<number>(ports.open());
    sender.send(1);
    assertEquals(ports.size, 1);
  }
  await until(() => ports.size === 0);
  assertEquals(arrived, [1]);
});

Deno.test("a worker that is ended in the middle: what it said it took is counted, the rest goes to the next", async () => {
  using channel = new Channel<number>();
  for (const number of count(50)) channel.send(number);
  const joint = channel.join();
  const url = new URL("../../src/channels/channel_ends.ts", import.meta.url).href;
  const source = `
    import { Receiver } from ${JSON.stringify(url)};
    self.onmessage = async ({ data: port }) => {
      const receiver = new Receiver(port);
      const taken = [];
      for (let left = 7; left > 0; left--) taken.push(await receiver.tryReceive(60_000));
      self.postMessage(taken);
    };`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
  const taken = new Promise<number[]>((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.postMessage(joint.port, [joint.port]);
  const first = await taken;
  worker.terminate();
  joint.lost();
  using receiver = new Receiver<number>(channel.join().port);
  const rest: number[] = [];
  while (rest.length < 43) rest.push((await receiver.tryReceive(60_000))!);
  assertEquals([...first, ...rest], count(50));
  assertEquals(await receiver.tryReceive(1), undefined);
});

Deno.test("duplicates that wait are merged, but never past another message of their lane", async () => {
  using channel = new Channel<{ node: number; what: string; times: number }>({
    lane: ({ node }) => node,
    merge(waiting, { what, times }) {
      if (waiting.what !== what) return false;
      waiting.times += times;
      return true;
    },
  });
  for (const [node, what] of [[1, "a"], [2, "a"], [1, "a"], [1, "b"], [1, "a"], [2, "a"]] as const) {
    channel.send({ node, what, times: 1 });
  }
  using receiver = new Receiver<{ node: number; what: string; times: number }>(channel.join().port);
  const taken = [];
  for (let left = 4; left > 0; left--) taken.push(await receiver.tryReceive(60_000));
  assertEquals(taken, [
    { node: 1, what: "a", times: 2 },
    { node: 2, what: "a", times: 2 },
    { node: 1, what: "b", times: 1 },
    { node: 1, what: "a", times: 1 },
  ]);
});

Deno.test("a channel says that it wants a receiver when a message waits for one", () => {
  let wanted = 0;
  using channel = new Channel<number>({ wanted: () => void wanted++ });
  assertEquals(wanted, 0);
  channel.send(1);
  assertEquals([wanted, channel.waiting], [1, 1]);
});

Deno.test("what the receiver's callback returns comes back with the message; one that leaves still takes its own", async () => {
  const answers: [number, number][] = [];
  using channel = new Channel<number, number>({ taken: (message, answer) => void answers.push([message, answer]) });
  for (const number of count(5)) channel.send(number);
  const first = new Receiver<number, number>(channel.join().port);
  first.onMessage = (message) => {
    if (message === 1) first[Symbol.dispose]();
    return message * 10;
  };
  await until(() => channel.waiting === 3);
  assertEquals(answers, [[0, 0], [1, 10]]);
  using second = new Receiver<number, number>(channel.join().port);
  second.onMessage = (message) => message * 100;
  await until(() => answers.length >= 5);
  assertEquals(answers.slice(2), [[2, 200], [3, 300], [4, 400]]);
});

Deno.test("a callback that throws has not taken its message", async () => {
  using channel = new Channel<string>();
  channel.send("hot");
  const joint = channel.join();
  const source = `
    import { Receiver } from ${JSON.stringify(new URL("../../src/channels/channel_ends.ts", import.meta.url).href)};
    self.onmessage = ({ data: port }) => new Receiver(port).onMessage = () => { throw new Error("too hot"); };`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
  const failed = Promise.withResolvers<string>();
  worker.onerror = (event) => (event.preventDefault(), failed.resolve(event.message));
  worker.postMessage(joint.port, [joint.port]);
  assert((await failed.promise).includes("too hot"));
  joint.lost();
  using receiver = new Receiver<string>(channel.join().port);
  assertEquals(await receiver.tryReceive(60_000), "hot");
});
