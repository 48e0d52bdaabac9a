/** A thousand processes that wait for one file, and a hundred thousand polls: nobody is missed, nothing is left. */
import { assert, assertEquals } from "../deps.ts";
import { Client, PythonClient } from "../support/client.ts";
import { compile } from "../support/command.ts";
import { Held } from "../support/growth.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { Pipes } from "../support/pipes.ts";

const PROCESSES = 1000;
const ROUNDS = 3;

Deno.test("a thousand processes wait for one file: each is woken each time, and none is left", async (t) => {
  await using program = await compile([new URL("../support/poll_clients.c", import.meta.url)]);
  for (const whose of ["own", "shared"]) {
    for (const how of ["poll", "select", "level", "edge"]) {
      await t.step(`${how}, on ${whose === "own" ? "open files of their own" : "one open file"}`, async () => {
        const pipes = new Pipes();
        await using mounted = await mountTemporarily(pipes.fileSystem());
        const files = whose === "own" ? PROCESSES : 1;
        {
          await using clients = new Client([program.path, `${mounted.path}/0`, how, String(PROCESSES), whose]);
          for (let round = 1; round <= ROUNDS; round++) {
            pipes.asked = 0;
            await clients.say("wait");
            // An edge is kept for one who comes later, and the kernel does not ask again.
            const asked = how === "edge" && round > 1 ? 0 : PROCESSES;
            await waitFor("all to wait", () => pipes.asked >= asked && pipes.polls.size === files);
            pipes.fill(0);
            assertEquals(await clients.printed(round), new Array(round).fill(String(PROCESSES)));
            pipes.ready.set(2, 0);
          }
          await clients.end();
        }
        await waitFor("all handles to be given up", () => pipes.polls.size === 0);
      });
    }
  }
});

Deno.test("100,000 polls with wake-ups among them leave handles, descriptors and memory where they were", async () => {
  const FILES = 100;
  const pipes = new Pipes();
  await using mounted = await mountTemporarily(pipes.fileSystem());
  const ask = async (times: number) => {
    await using client = new PythonClient(
      mounted.path,
      `
poll = select.poll()
for number in range(${FILES}):
    poll.register(os.open(str(number), os.O_RDONLY), select.POLLIN)
for turn in range(${times / FILES}):
    for fd, _ in poll.poll(1):
        os.read(fd, 100)`,
    );
    const filling = setInterval(() => pipes.fill(pipes.asked % FILES), 3);
    try {
      await client.end(600);
    } finally {
      clearInterval(filling);
    }
    await waitFor("all handles to be given up", () => pipes.polls.size === 0);
  };
  await ask(20_000);
  const before = new Held();
  pipes.asked = 0;
  await ask(100_000);
  assert(pipes.asked >= 100_000, `only ${pipes.asked}`);
  before.assertSame();
});
