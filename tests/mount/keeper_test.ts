/** A mount that outlives its server: the server is killed, hangs or cannot begin, and programs notice a pause. */
import { MountError } from "../../src/connection/connection.ts";
import { keep } from "../../src/keep.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { KeeperError } from "../../src/keeper/kept_mount.ts";
import type { KeptMountOptions } from "../../src/kept_mount_options.ts";
import { mount } from "../../src/mount.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../deps.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { keepNumbers, killServer, NUMBERS, read } from "../support/kept_numbers.ts";
import { SLOW } from "./kept_module.ts";
import { waitFor } from "../support/mounted.ts";
import { serversOf } from "../support/server_killer.ts";

Deno.test("a client that waits while the server is killed gets its answer from the next one", async () => {
  await using kept = await keepNumbers({ loops: 2 });
  const first = kept.keeper.server.pid;
  const client = read(`${kept.path}/stuck`);
  await waitFor(
    "the request to arrive",
    () => Deno.stat(`${kept.folder}/asked-${first}`).then(() => true, () => false),
  );
  await killServer(kept);
  await waitFor(
    "the request to arrive again",
    () => Deno.stat(`${kept.folder}/asked-${kept.keeper.server.pid}`).then(() => true, () => false),
  );
  await Deno.writeTextFile(`${kept.folder}/release`, "");
  assertEquals(await client, "1000000\n");
  assert(kept.log.some((line) => line.includes(`pid ${first}`)), kept.log.join("\n"));
});

Deno.test("what was under way is told to the next server alone, also when a loop has nothing to do in that one", async () => {
  await using kept = await keepNumbers({ loops: 2, rests: true });
  const told = async (restarts: number): Promise<(number | null)[]> =>
    JSON.parse(await Deno.readTextFile(`${kept.folder}/interrupted-${restarts}`));
  const asked = `${kept.folder}/asked-${kept.keeper.server.pid}`;
  const clients = ["stuck-one", "stuck-two"].map((name) => read(`${kept.path}/${name}`));
  const arrived = () => Deno.readTextFile(asked).then((text) => text.split("\n").length > clients.length, () => false);
  await waitFor("both requests to arrive", arrived);
  await killServer(kept);
  assert((await told(1)).every((unique) => unique !== null));
  await Deno.writeTextFile(`${kept.folder}/release`, "");
  await Promise.all(clients);
  await killServer(kept);
  assertEquals(await told(2), [null, null]);
  await Deno.writeTextFile(`${kept.folder}/wake`, "");
});

Deno.test("a file that is open goes on being read over the deaths of servers", async () => {
  await using kept = await keepNumbers({ restarts: 100 });
  const client = new Deno.Command("sh", {
    args: ["-c", 'exec 3<"$0"; echo ready; while read -r _; do head -c 1 <&3; done', `${kept.path}/42`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const [output, input] = [client.stdout.getReader(), client.stdin.getWriter()];
  const next = async () => new TextDecoder().decode((await output.read()).value);
  assertEquals(await next(), "ready\n");
  for (const character of "42\n") {
    await killServer(kept);
    await input.write(new TextEncoder().encode("\n"));
    assertEquals(await next(), character);
  }
  await input.close();
  await output.cancel();
  assert((await client.status).success);
});

Deno.test("a server is replaced on request, while programs use the mount", async () => {
  await using kept = await keepNumbers({ loops: 2, restarts: 0 });
  const first = kept.keeper.server.pid;
  const reading = Promise.all(Array.from({ length: 50 }, (_, index) => read(`${kept.path}/${index + 2}`)));
  await kept.keeper.restart();
  assert(kept.keeper.server.pid !== first);
  assertEquals(await reading, Array.from({ length: 50 }, (_, index) => `${index + 2}\n`));
  assertEquals(kept.keeper.server.restarts, 1);
  assertEquals(await read(`${kept.path}/77`), "77\n");
  assert(Object.keys(await kept.keeper.metrics()).length > 0);
});

Deno.test("a server in reserve takes the place of one that died, and not of one that is to be newer", async () => {
  await using kept = await keepNumbers({ loops: 2, spare: true, restarts: 10 });
  const { keeper } = kept;
  const findSpare = async () => {
    const others = () => serversOf(keeper.keeper).filter((pid) => pid !== keeper.server.pid);
    await waitFor("a server in reserve", () => others().length === 1);
    return others()[0]!;
  };
  const first = await findSpare();
  await killServer(kept);
  assertEquals(keeper.server.pid, first);
  assertEquals(await read(`${kept.path}/4`), "4\n");
  const second = await findSpare();
  await keeper.restart();
  assert(![first, second].includes(keeper.server.pid));
  // One that is lost itself is no loss.
  Deno.kill(await findSpare(), "SIGKILL");
  await killServer(kept);
  assertEquals(await read(`${kept.path}/5`), "5\n");
  const last = [await findSpare(), keeper.server.pid];
  await keeper.unmount();
  for (const pid of last) {
    await waitFor("the processes to end", () => Deno.stat(`/proc/${pid}`).then(() => false, () => true));
  }
});

Deno.test("a server that hangs in a request is replaced, and so is the next one, until one answers", async () => {
  // On a busy machine more of them count as hung.
  await using kept = await keepNumbers({ hangTimeout: 1, restarts: 100 });
  const { restarts } = kept.keeper.server;
  const client = read(`${kept.path}/stuck`);
  // The next one hangs too, in the first request that it gets.
  await waitFor("a second server", () => kept.keeper.server.restarts > restarts + 1);
  await Deno.writeTextFile(`${kept.folder}/release`, "");
  assertEquals(await client, "1000000\n");
  assert(kept.log.some((line) => line.includes("at one request")), kept.log.join("\n"));
});

Deno.test("a server that no signal can end is waited for, and the log says so once", async () => {
  await using other = await keepNumbers();
  // On a busy machine later servers may count as hung too.
  await using kept = await keepNumbers({ hangTimeout: 1, restarts: 100, elsewhere: `${other.path}/stuck` });
  const client = read(`${kept.path}/elsewhere`).catch(String);
  const { pid, restarts } = kept.keeper.server;
  const isLogged = (text: string) => kept.log.filter((line) => line.includes(`(pid ${pid}) ${text}`)).length;
  try {
    await waitFor("the log", () => isLogged("cannot be ended") > 0);
    assertEquals(kept.keeper.server.restarts, restarts);
  } finally {
    await Deno.writeTextFile(`${other.folder}/release`, "");
  }
  assertMatch(await client, /No such file/);
  await waitFor("another server", () => kept.keeper.server.restarts > restarts);
  assertEquals([isLogged("hangs, and is ended"), isLogged("cannot be ended")], [1, 1]);
});

for (const placement of ["loop", "handler"] as const) {
  Deno.test(`a server (${placement}) that is killed while a notification waits for what it has not answered is replaced`, async () => {
    await using kept = await keepNumbers({ loops: 2, placement });
    const { pid, restarts } = kept.keeper.server;
    const client = read(`${kept.path}/slow`);
    await waitFor(
      "the request to arrive",
      () => Deno.stat(`${kept.folder}/asked-${pid}`).then(() => true, () => false),
    );
    // The page that is being read is locked until the answer.
    await kept.keeper.invalidate(SLOW);
    await waitFor("the notification to wait in the kernel", () => {
      const threads = [...Deno.readDirSync(`/proc/${pid}/task`)];
      const statuses = threads.map(({ name }) => Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`));
      return statuses.some((status) => /^Name:\ttrellis-notify\n[^]*^State:\tD/m.test(status));
    });
    Deno.kill(pid, "SIGKILL");
    await waitFor("another server", () => kept.keeper.server.restarts > restarts);
    await Deno.writeTextFile(`${kept.folder}/release`, "");
    assertEquals(await client, `${SLOW}\n`);
    await waitFor("the first one to end", () => Deno.stat(`/proc/${pid}`).then(() => false, () => true));
  });
}

Deno.test("a server that is killed before it serves is replaced as any other", async () => {
  await using kept = await keepNumbers({ dies: true });
  assertEquals(await read(`${kept.path}/4`), "4\n");
  assertEquals(kept.keeper.server.restarts, 1);
});

Deno.test("a server that is stopped and reads nothing is replaced", async () => {
  await using kept = await keepNumbers({ hangTimeout: 1, restarts: 100 });
  const { restarts, pid } = kept.keeper.server;
  Deno.kill(pid, "SIGSTOP");
  assertEquals(await read(`${kept.path}/8`), "8\n");
  await waitFor("another server", () => kept.keeper.server.restarts > restarts);
});

Deno.test("when too many servers die within a minute the mount goes, and says why", async () => {
  await using kept = await keepNumbers({ restarts: 1 });
  await killServer(kept);
  assertEquals(await read(`${kept.path}/7`), "7\n");
  Deno.kill(kept.keeper.server.pid, "SIGKILL");
  await assertRejects(() => kept.keeper.finished, KeeperError, "within a minute");
  assertEquals(await findMount(kept.path), undefined);
});

Deno.test("a module that fails when the mount begins fails it with its own words", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/broken`, "");
  const [path, options] = [`${folder}/mnt`, { folder, mayBreak: true }];
  await Deno.mkdir(path);
  await assertRejects(() => mount({ module: NUMBERS, options }, path, { process: "separate" }), Error, "broken by");
  assertEquals(await findMount(path), undefined);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a mount that fails ends the server that was begun for it", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  await Deno.mkdir(point);
  const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const fail = async () => {
    const keeping = keep({ module: NUMBERS, options: { folder: folder.path } }, point, { options: ["no_such_option"] });
    await assertRejects(() => keeping, MountError, "no_such_option");
    assertEquals(serversOf(Deno.pid), []);
  };
  await fail();
  const before = descriptors();
  await fail();
  await waitFor("what was opened to be closed", () => descriptors() <= before);
});

Deno.test("a module that fails for a later server uses up the restarts", async () => {
  await using kept = await keepNumbers({ mayBreak: true });
  await Deno.writeTextFile(`${kept.folder}/broken`, "");
  Deno.kill(kept.keeper.server.pid, "SIGKILL");
  await assertRejects(() => kept.keeper.finished, KeeperError, "within a minute");
  assert(kept.log.some((line) => line.includes("broken by intent")), kept.log.join("\n"));
});

Deno.test("loops that come when the mount is live and fail use up the restarts as well", async () => {
  await using kept = await keepNumbers({ loops: 2, restarts: 1, laterBreak: true });
  await assertRejects(() => kept.keeper.finished, KeeperError, "within a minute");
  assert(kept.log.some((line) => line.includes("broken by intent")), kept.log.join("\n"));
  assertEquals(await findMount(kept.path), undefined);
});

Deno.test("a kept mount that somebody else unmounts finishes by itself", async () => {
  await using kept = await keepNumbers();
  const { success } = await new Deno.Command("fusermount3", { args: ["-u", kept.path] }).output();
  assert(success);
  await kept.keeper.finished;
});

Deno.test("a kept mount that somebody unmounts while its server hangs finishes as well", async () => {
  await using kept = await keepNumbers({ hangTimeout: 1 });
  Deno.kill(kept.keeper.server.pid, "SIGSTOP");
  const { success } = await new Deno.Command("fusermount3", { args: ["-u", kept.path] }).output();
  assert(success);
  let hasFinished = false;
  void kept.keeper.finished.then(() => hasFinished = true);
  await waitFor("its end", () => hasFinished);
});

Deno.test("what is asked of a mount that has ended is refused, also by who keeps it in its own process", async () => {
  await using folder = await temporaryFolder();
  const options = { folder: folder.path };
  const point = `${folder.path}/mnt`;
  await Deno.mkdir(point);
  const keeper = await keep({ module: NUMBERS, options, loops: 1 }, point, {});
  await keeper.restart();
  await keeper.metrics();
  await keeper.unmount();
  for (const ask of [() => keeper.metrics(), () => keeper.restart(), () => keeper.invalidate(1)]) {
    await assertRejects(ask, KeeperError, "is not mounted any more");
  }
});

Deno.test("the keeper's process killed, the mount goes, and the next one needs no manual step", async () => {
  await using kept = await keepNumbers();
  // It may hear of the end before anybody waits for it.
  const client = read(`${kept.path}/stuck`).catch(() => {});
  await waitFor(
    "the request to arrive",
    () => Deno.stat(`${kept.folder}/asked-${kept.keeper.server.pid}`).then(() => true, () => false),
  );
  Deno.kill(kept.keeper.keeper, "SIGKILL");
  await assertRejects(() => kept.keeper.finished, KeeperError, "SIGKILL");
  await Deno.writeTextFile(`${kept.folder}/release`, "");
  await client;
  await waitFor("the mount to go", async () => await findMount(kept.path) === undefined);
  await using again = await mount({ module: NUMBERS, options: { folder: kept.folder } }, kept.path, {
    process: "separate",
  });
  assertEquals(await read(`${again.mountpoint}/3`), "3\n");
});

Deno.test("who has files of the mount open starts servers all the same", async () => {
  await using kept = await keepNumbers();
  using _file = await Deno.open(`${kept.path}/9`);
  await killServer(kept);
  assertEquals(await read(`${kept.path}/9`), "9\n");
});

Deno.test("only a module can be served by a process of its own", async () => {
  await assertRejects(() => mount({} as never, "/tmp", { process: "separate" }), TypeError, "Only a module");
});

Deno.test("options that make no sense are refused before there is a process, also those that JSON cannot say", async (t) => {
  const cases: [options: Record<string, unknown>, error: typeof TypeError | typeof RangeError, says: string][] = [
    [{ process: "other" }, TypeError, '"other"'],
    [{ restarts: -1 }, RangeError, "-1 servers"],
    [{ restarts: 1.5 }, RangeError, "1.5 servers"],
    [{ restarts: Infinity }, RangeError, "Infinity servers"],
    [{ hangTimeout: 0 }, RangeError, "0 s"],
    [{ hangTimeout: NaN }, RangeError, "NaN s"],
    [{ hangTimeout: Infinity }, RangeError, "Infinity s"],
    [{ hangTimeout: 1e7 }, RangeError, "at most a week"],
  ];
  for (const [options, error, says] of cases) {
    await t.step(Object.entries(options).join(), async () => {
      const given = { process: "separate", ...options } as KeptMountOptions;
      await assertRejects(() => mount({ module: NUMBERS }, "/dev/null", given), error, says);
    });
  }
});
