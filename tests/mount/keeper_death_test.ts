/**
 * A keeper that is killed while its servers are at their worst: programs that wait get errors, the mount goes, and the
 * next one on the same point needs no other step.
 */
import { findMount } from "../../src/connection/mount_table.ts";
import { mount } from "../../src/mount.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { keepNumbers, type KeptNumbers, NUMBERS, type NumbersOptions, read } from "../support/kept_numbers.ts";
import { waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { serversOf } from "../support/server_killer.ts";

/** What becomes of the servers before their keeper is killed, while a client waits for an answer. */
interface Case {
  readonly name: string;
  readonly options?: NumbersOptions;
  readonly prepare: (kept: KeptNumbers) => Promise<void> | void;
}

const CASES: readonly Case[] = [
  { name: "the server is stopped", prepare: ({ keeper }) => Deno.kill(keeper.server.pid, "SIGSTOP") },
  {
    name: "the server is well, and the one in reserve stopped",
    options: { spare: true },
    async prepare({ keeper: { keeper, server } }) {
      const spare = () => serversOf(keeper).find((pid) => pid !== server.pid);
      await waitFor("a server in reserve", () => spare() !== undefined);
      Deno.kill(spare()!, "SIGSTOP");
    },
  },
  {
    name: "the next server hangs before it serves",
    async prepare({ folder, keeper }) {
      await Deno.writeTextFile(`${folder}/hang`, "");
      Deno.kill(keeper.server.pid, "SIGKILL");
      await waitFor("it to hang", () => Deno.stat(`${folder}/hung`).then(() => true, () => false));
    },
  },
  {
    name: "the server is killed with it",
    prepare({ keeper }) {
      Deno.kill(keeper.keeper, "SIGSTOP");
      Deno.kill(keeper.server.pid, "SIGKILL");
    },
  },
];

for (const { name, options, prepare } of CASES) {
  Deno.test(`a keeper killed: ${name}`, async () => {
    await using numbers = await keepNumbers(options);
    const { path, folder, keeper } = numbers;
    const client = read(`${path}/stuck`).then(String, () => "an error");
    await waitFor(
      "the request to arrive",
      () => Deno.stat(`${folder}/asked-${keeper.server.pid}`).then(() => true, () => false),
    );
    await prepare(numbers);
    Deno.kill(keeper.keeper, "SIGKILL");
    assertEquals(await client, "an error");
    await assertRejects(() => keeper.finished);
    await waitFor("the mount to go", async () => await findMount(path) === undefined);
    await using again = await mount({ module: NUMBERS, options: { folder } }, path);
    assertEquals(await read(`${again.mountpoint}/3`), "3\n");
  });
}

Deno.test("a keeper killed: it has just mounted, and told nobody", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/mount point`;
  await Deno.mkdir(path);
  const program = new URL("mounting_keeper_program.ts", import.meta.url).href;
  const { signal } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", program, path] }).output();
  assertEquals(signal, "SIGKILL");
  await waitFor("the mount to go", async () => await findMount(path) === undefined);
});

Deno.test({
  name: "a keeper killed: no signal reaches the server" +
    (Deno.uid() === 0 ? "" : " (skipped: ends a connection as root)"),
  ignore: Deno.uid() !== 0,
  async fn() {
    await using other = await keepNumbers();
    await using numbers = await keepNumbers({ elsewhere: `${other.path}/stuck` });
    const client = read(`${numbers.path}/elsewhere`).then(String, () => "an error");
    const asked = `${other.folder}/asked-${other.keeper.server.pid}`;
    await waitFor("the server to wait", () => Deno.stat(asked).then(() => true, () => false));
    try {
      Deno.kill(numbers.keeper.keeper, "SIGKILL");
      assertEquals(await client, "an error");
      await waitFor("the mount to go", async () => await findMount(numbers.path) === undefined);
    } finally {
      await Deno.writeTextFile(`${other.folder}/release`, "");
    }
  },
});

Deno.test({
  name: "an ordinary user's keeper killed while its server is stopped" +
    (NO_ORDINARY_USER === undefined ? "" : ` (skipped: ${NO_ORDINARY_USER})`),
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    const point = `${user.folder}/mount point`;
    const start = () => MountProcess.start(point, ["-o", "process=separate"], user.invocation);
    {
      await using first = await start();
      for (const server of serversOf(first.pid)) Deno.kill(server, "SIGSTOP");
      const client = new Deno.Command("setpriv", {
        args: [`--reuid=${user.uid}`, "--clear-groups", "--", "mkdir", `${point}/one`],
        stderr: "null",
      }).output();
      Deno.kill(first.pid, "SIGKILL");
      assertEquals((await client).success, false);
    }
    await using _second = await start();
  },
});
