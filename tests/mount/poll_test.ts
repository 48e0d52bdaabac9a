/** poll, select and epoll on live mounts: who waits is woken, each time and nobody too few. */
import { assert, assertEquals } from "../deps.ts";
import { POLLIN } from "../../mod.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { PythonClient } from "../support/client.ts";
import { Pipes } from "../support/pipes.ts";

const WAITS: Record<string, string> = {
  poll: `
poll = select.poll()
poll.register(fd, select.POLLIN)
wait = lambda: poll.poll()`,
  select: `
wait = lambda: select.select([fd], [], [])[0]`,
  epoll: `
poll = select.epoll()
poll.register(fd, select.EPOLLIN)
wait = lambda: poll.poll()`,
  "epoll, edge-triggered": `
poll = select.epoll()
poll.register(fd, select.EPOLLIN | select.EPOLLET)
wait = lambda: poll.poll()`,
};

Deno.test("one who waits is woken for each change", async (t) => {
  for (const [name, setUp] of Object.entries(WAITS)) {
    await t.step(name, async () => {
      const pipes = new Pipes();
      await using mounted = await mountTemporarily(pipes.fileSystem());
      await using client = new PythonClient(
        mounted.path,
        `
fd = os.open("0", os.O_RDONLY)
${setUp}
for turn in range(5):
    print("woken" if wait() else "in vain", len(os.read(fd, 100)))
os.close(fd)`,
      );
      for (let turn = 1; turn <= 5; turn++) {
        await waitFor("the client to wait", () => pipes.polls?.size === 1);
        pipes.fill(0);
        await client.printed(turn);
      }
      await client.end();
      assertEquals(client.lines, new Array(5).fill("woken 1"));
      await waitFor("the handle to be given up", () => pipes.polls.size === 0);
    });
  }
});

Deno.test("what is ready already is said at once; level-triggered again and again, edge-triggered once", async () => {
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  pipes.ready.set(2, 3);
  await using client = new PythonClient(
    mounted.path,
    `
fd = os.open("0", os.O_RDONLY)
for flags in (0, select.EPOLLET):
    poll = select.epoll()
    poll.register(fd, select.EPOLLIN | flags)
    print(*[len(poll.poll(0)) for turn in range(3)])
    poll.close()
print(len(select.select([fd], [], [], 0)[0]), len(os.read(fd, 100)), len(select.select([fd], [], [], 0)[0]))`,
  );
  await client.end();
  assertEquals(client.lines, ["1 1 1", "1 0 0", "1 3 0"]);
});

Deno.test("an edge is reported again when more comes, though nothing was read", async () => {
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  await using client = new PythonClient(
    mounted.path,
    `
fd = os.open("0", os.O_RDONLY)
poll = select.epoll()
poll.register(fd, select.EPOLLIN | select.EPOLLET)
for turn in range(3):
    print(len(poll.poll()))
print(len(os.read(fd, 100)))`,
  );
  for (let turn = 1; turn <= 3; turn++) {
    await waitFor("the client to wait", () => pipes.polls?.size === 1);
    pipes.fill(0);
    await client.printed(turn);
  }
  await client.end();
  assertEquals(client.lines, ["1", "1", "1", "3"]);
});

Deno.test("several who wait for one file are all woken, on one open file and on several", async () => {
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  const program = `
fd = os.open("0", os.O_RDONLY)
children = 3
for child in range(children):
    if os.fork() == 0:
        # One write, since the children share the pipe.
        os.write(1, b"%d\\n" % len(select.select([fd], [], [])[0]))
        os._exit(0)
for child in range(children):
    os.wait()`;
  await using one = new PythonClient(mounted.path, program);
  await using other = new PythonClient(mounted.path, program);
  // Each of the six asks once before it sleeps.
  await waitFor("six to wait", () => pipes.asked >= 6 && pipes.polls.size === 2);
  pipes.fill(0);
  for (const client of [one, other]) {
    await client.end();
    assertEquals(client.lines, ["1", "1", "1"]);
  }
});

Deno.test("three thousand files, filled in any order: no byte is missed", async () => {
  const FILES = 3000;
  const ROUNDS = 3;
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  await using client = new PythonClient(
    mounted.path,
    `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
poll = select.epoll()
for number in range(${FILES}):
    poll.register(os.open(str(number), os.O_RDONLY), select.EPOLLIN | (select.EPOLLET if number % 2 else 0))
print("ready")
left = ${FILES * ROUNDS}
while left > 0:
    events = poll.poll()
    for fd, _ in events:
        left -= len(os.read(fd, 100))
print("done")`,
  );
  await client.printed(1);
  for (let count = 0; count < FILES * ROUNDS; count++) {
    // 71 and 3000 have no common factor: every file gets its turn.
    pipes.fill((count * 71) % FILES);
    if (count % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await client.end();
  assertEquals(client.lines, ["ready", "done"]);
  await waitFor("all handles to be given up", () => pipes.polls.size === 0);
});

Deno.test("a program that is killed while it waits leaves no handle behind", async () => {
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  {
    await using _client = new PythonClient(
      mounted.path,
      `
fd = os.open("0", os.O_RDONLY)
select.select([fd], [], [])`,
    );
    await waitFor("the client to wait", () => pipes.polls?.size === 1);
  }
  await waitFor("the handle to be given up", () => pipes.polls.size === 0);
  pipes.fill(0);
  assert((await Deno.stat(`${mounted.path}/0`)).isFile);
});

Deno.test("loops wake too: a write in one loop ends a wait in any", async () => {
  const source = `
    export const prepare = () => new Int32Array(new SharedArrayBuffer(8));
    // The kernel's handle lies in shared memory: the loop that reads the write need not be the one that was polled.
    export default (_options, { shared }) => {
      let notifier;
      const attributes = (node) => node === 1 ? { mode: 0o40755 } : { mode: 0o100666 };
      return {
        initialize: (connection) => void (notifier = connection.notifier),
        lookup: (_parent, name) => name === "file" ? { node: 2, attributes: attributes(2) } : undefined,
        getAttributes: attributes,
        setAttributes: attributes,
        open: () => ({ directIo: true, nonSeekable: true }),
        poll(_node, _handle, events, wakeup) {
          if (wakeup !== undefined) Atomics.store(shared, 0, wakeup);
          return Atomics.load(shared, 1) === 1 ? events & ${POLLIN} : 0;
        },
        write(_node, _handle, _offset, data) {
          Atomics.store(shared, 1, 1);
          notifier.wakePoll(Atomics.load(shared, 0));
          return data.length;
        },
      };
    };`;
  const module = `data:text/javascript,${encodeURIComponent(source)}`;
  await using mounted = await mountTemporarily({ module, loops: 2 });
  await using client = new PythonClient(
    mounted.path,
    `
fd = os.open("file", os.O_RDONLY)
print(len(select.select([fd], [], [], 0)[0]))
print(len(select.select([fd], [], [])[0]))`,
  );
  await client.printed(1);
  await Deno.writeTextFile(`${mounted.path}/file`, "x");
  await client.end();
  assertEquals(client.lines, ["0", "1"]);
});
