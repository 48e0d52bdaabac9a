/** `status` on live mounts: healthy, stopped, dead, unmounted, and other people's. */
import { assert, assertEquals, TextLineStream } from "../../deps.ts";
import type { MountStatus } from "../../../src/cli/mount_status.ts";
import { ControlServer } from "../../../src/control/server.ts";
import { socketName } from "../../../src/control/socket_files.ts";
import {
  askPatiently,
  type Invocation,
  MountProcess,
  run,
  runCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { mountTemporarily } from "../../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";

/** A folder for a mount, and one for its control socket, so that no other mount is seen by its socket. */
async function prepare() {
  const folder = await temporaryFolder();
  const [mountpoint, sockets] = [`${folder.path}/mount`, `${folder.path}/sockets`];
  await Deno.mkdir(mountpoint);
  const invocation: Invocation = { env: { TRELLIS_RUNTIME_DIR: sockets } };
  return { mountpoint, sockets, invocation, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function statusOf(
  mountpoint: string,
  invocation: Invocation,
  ask = askPatiently,
): Promise<{ code: number; mount: MountStatus }> {
  const { code, stdout, stderr } = await ask(["status", "--json", mountpoint], invocation);
  const mounts = stdout === "" ? [] : JSON.parse(stdout) as MountStatus[];
  assertEquals(mounts.length, 1, stderr);
  return { code, mount: mounts[0]! };
}

async function socketsIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

Deno.test("a healthy mount says what was asked of it, to people and to programs", async (t) => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await using mount = await MountProcess.start(mountpoint, [], invocation);
  await run("sh", "-c", 'echo text >"$0/file" && cat "$0/none"', mountpoint);

  await t.step("JSON", async () => {
    const { code, mount: { state, report, waiting, problem, ...rest } } = await statusOf(mountpoint, invocation);
    assertEquals({ code, state, problem, mountpoint: rest.mountpoint }, {
      code: 0,
      state: "answering",
      problem: null as never,
      mountpoint,
    });
    assertEquals([report!.pid, report!.placement, report!.servers], [mount.pid, "loop", 1]);
    assertEquals([report!.operations.CREATE!.count, report!.operations.CREATE!.inFlight], [1, 0]);
    assert(report!.operations.LOOKUP!.errors.ENOENT! >= 1);
    assert(report!.features.includes("big-writes"));
    assertEquals(report!.transport, "device");
    assert(report!.transportReason.includes("io_uring"), report!.transportReason);
    assert(waiting === null as never || waiting === 0, `${waiting} are waiting`);
  });
  await t.step("a table", async () => {
    const { code, stdout, stderr } = await askPatiently(["status", mountpoint], invocation);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assert(stdout.startsWith(`${mountpoint}: 1 loop, pid ${mount.pid}, up `), stdout);
    assert(/^ {2}LOOKUP +\d+ +0 +0 +0 +\d.*ENOENT \d/m.test(stdout), stdout);
  });
  await t.step("without a mountpoint, all of this user's", async () => {
    const { stdout } = await askPatiently(["status"], invocation);
    assert(stdout.includes(`${mountpoint}: 1 loop`), stdout);
  });
  await t.step("by a symbolic link", async () => {
    await Deno.symlink(mountpoint, `${mountpoint}-link`);
    assertEquals((await statusOf(`${mountpoint}-link`, invocation)).mount.mountpoint, mountpoint);
  });
  await t.step("its socket is for this user alone, and goes with the mount", async () => {
    const [name, ...others] = await socketsIn(place.sockets);
    assertEquals(others, []);
    assertEquals((await Deno.lstat(`${place.sockets}/${name}`)).mode! & 0o777, 0o600);
    assertEquals((await Deno.lstat(place.sockets)).mode! & 0o777, 0o700);
    await run("umount", mountpoint);
    assertEquals((await mount.ended()).code, 0);
    assertEquals(await socketsIn(place.sockets), []);
  });
});

Deno.test("a server that is stopped is said not to answer, and answers when it goes on", async () => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await using mount = await MountProcess.start(mountpoint, [], invocation);
  await run("kill", "-STOP", `${mount.pid}`);
  const { code, mount: { state, problem, report } } = await statusOf(mountpoint, invocation, runCli);
  assertEquals({ code, state, report }, { code: 10, state: "not answering", report: null as never });
  assert(problem!.includes("did not answer within 2000 ms"), problem);
  const { stdout, stderr } = await runCli(["status", mountpoint], invocation);
  assert(stdout.startsWith(`${mountpoint}: NOT ANSWERING`), stdout);
  assert(stderr.includes(`No status of ${mountpoint}`), stderr);
  await run("kill", "-CONT", `${mount.pid}`);
  assertEquals((await statusOf(mountpoint, invocation)).code, 0);
});

Deno.test("a killed server's mount is said to be without one, and its socket is removed after the mount", async () => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await using mount = await MountProcess.start(mountpoint, [], invocation);
  await run("kill", "-KILL", `${mount.pid}`);
  await mount.ended();
  const { code, mount: { state } } = await statusOf(mountpoint, invocation);
  assertEquals({ code, state }, { code: 10, state: "gone" });
  assertEquals((await socketsIn(place.sockets)).length, 1);
  await run("umount", "-l", mountpoint);
  const outcome = await runCli(["status", mountpoint], invocation);
  assertEquals(outcome.code, 6, outcome.stdout);
  assertEquals(await socketsIn(place.sockets), []);
});

Deno.test("a server that answers for what is unmounted says so, and ends with 6", async () => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await using mount = await MountProcess.start(mountpoint, [], invocation);
  const user = new Deno.Command("sleep", { args: ["60"], cwd: mountpoint }).spawn();
  try {
    assertEquals(await run("umount", "-l", mountpoint), 0);
    const { code, mount: { state, report } } = await statusOf(mountpoint, invocation);
    assertEquals({ code, state, pid: report!.pid }, { code: 6, state: "not mounted", pid: mount.pid });
  } finally {
    user.kill();
    await user.status;
  }
  assertEquals((await mount.ended()).code, 0);
});

Deno.test("where nothing answers, that is what is said", async (t) => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await t.step("nothing is mounted", async () => {
    const { code, stdout, stderr } = await runCli(["status", mountpoint], invocation);
    assertEquals({ code, stdout }, { code: 6, stdout: "" });
    assert(stderr.includes("no FUSE filesystem is mounted there"), stderr);
    assertEquals((await runCli(["status", `${mountpoint}/none/at/all`], invocation)).code, 6);
    assertEquals((await runCli(["status", "/proc"], invocation)).code, 6);
  });
  await t.step("a mount without a control socket", async () => {
    await using mounted = await mountTemporarily({});
    const { code, mount: { state } } = await statusOf(mounted.path, invocation);
    assertEquals({ code, state }, { code: 10, state: "no control socket" });
  });
  await t.step("no folder can hold the socket: the mount is served, and the log says why", async () => {
    await Deno.writeTextFile(place.sockets, "");
    await using mount = await MountProcess.start(mountpoint, [], invocation);
    assertEquals((await statusOf(mountpoint, invocation)).mount.state, "no control socket");
    await run("umount", mountpoint);
    const { code, stderr } = await mount.ended();
    assertEquals(code, 0);
    assert(stderr.includes(`There is no control socket for ${mountpoint}`), stderr);
    assert(stderr.includes("it is not a folder"), stderr);
  });
});

Deno.test("an object that asks for it answers too, while its methods are waited for", async () => {
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Uint8Array>();
  const file = { mode: 0o100666, size: 4 };
  await using mounted = await mountTemporarily({
    lookup: () => ({ node: 2, attributes: file }),
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : file,
    read: () => {
      reading.resolve();
      return answer.promise;
    },
  }, { control: true });
  const text = Deno.readTextFile(`${mounted.path}/file`);
  text.catch(() => {}); // when an assertion fails first
  await reading.promise;
  const { code, mount: { report, waiting } } = await statusOf(mounted.path, {});
  assertEquals([code, report!.placement, report!.pid], [0, "handler", Deno.pid]);
  assertEquals(report!.operations.READ!.inFlight, 1);
  assert(waiting === null as never || waiting! >= 1, `${waiting} are waiting`);
  answer.resolve(new TextEncoder().encode("abcd"));
  assertEquals(await text, "abcd");
});

Deno.test("a server that is still ending, whose mount's number the kernel has given to another, is not that one", async () => {
  await using place = await prepare();
  const { mountpoint, sockets, invocation } = place;
  await using _ = await MountProcess.start(mountpoint, [], invocation);
  const { mount: { connection, report } } = await statusOf(mountpoint, invocation);
  const path = `${sockets}/${await socketName(connection, `${mountpoint}-before`)}`;
  const status = () => ({ ...report!, mountpoint: `${mountpoint}-before` });
  await using _before = await ControlServer.listen({ path, commands: { status } });
  assertEquals((await statusOf(mountpoint, invocation)).mount.report?.pid, report!.pid);
  const all = JSON.parse((await askPatiently(["status", "--json"], invocation)).stdout) as MountStatus[];
  const states = all.filter(({ mountpoint: path }) => path.startsWith(mountpoint)).map(({ state }) => state);
  assertEquals(states.sort(), ["answering", "not mounted"]);
});

Deno.test("a socket that a dead server left is not that of the mount that has its number now", async () => {
  await using place = await prepare();
  const { mountpoint, sockets, invocation } = place;
  await using _ = await MountProcess.start(mountpoint, [], invocation);
  const { mount: { connection } } = await statusOf(mountpoint, invocation);
  const [own] = await socketsIn(sockets);
  const left = `${sockets}/${await socketName(connection, `${mountpoint}-before`)}`;
  Deno.listen({ transport: "unix", path: left }).close();
  await Deno.remove(`${sockets}/${own}`);
  const { mount: { state } } = await statusOf(mountpoint, invocation);
  assertEquals([state, await socketsIn(sockets)], ["no control socket", []]);
});

Deno.test("--watch shows it again until a signal ends it with 0", async (t) => {
  await using place = await prepare();
  const { mountpoint, invocation } = place;
  await using _ = await MountProcess.start(mountpoint, [], invocation);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await t.step(signal, async () => {
      const child = watch(["status", mountpoint, "--json", "--watch", "0.1"], invocation);
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream())
        .getReader();
      for (let seen = 0; seen < 3;) {
        const { value } = await lines.read();
        // On a busy machine an answer may be late.
        if (value!.includes("did not answer within")) continue;
        assertEquals((JSON.parse(value!) as MountStatus[])[0]!.state, "answering");
        seen++;
      }
      child.kill(signal);
      while (!(await lines.read()).done);
      assertEquals((await child.status).code, 0);
    });
  }
  await t.step("to a pipe, without what moves a terminal's cursor", async () => {
    const child = watch(["status", mountpoint, "-w", "0.1"], invocation);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (text.split(`${mountpoint}: 1 loop`).length < 3) text += (await reader.read()).value;
    assert(!text.includes("\x1b"), JSON.stringify(text));
    child.kill("SIGINT");
    while (!(await reader.read()).done);
    assertEquals((await child.status).code, 0);
  });
  await t.step("a reader that has had enough ends it, too", async () => {
    const child = watch(["status", mountpoint, "-w", "0.1"], invocation);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    assertEquals((await child.status).code, 0);
  });
  await t.step("a number that is none", async () => {
    assertEquals((await runCli(["status", "--watch", mountpoint], invocation)).code, 2);
  });
});

function watch(args: string[], { env }: Invocation): Deno.ChildProcess {
  const cli = new URL("../../../cli.ts", import.meta.url).pathname;
  const all = ["run", "-A", cli, ...args];
  return new Deno.Command(Deno.execPath(), { args: all, env: { ...env }, stdout: "piped" }).spawn();
}

if (NO_ORDINARY_USER) console.log(`not run as an ordinary user: ${NO_ORDINARY_USER}`);

Deno.test({
  name: "an ordinary user sees the own mount; another user is told whose it is",
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async () => {
    await using user = await prepareOrdinaryUser();
    const mountpoint = `${user.folder}/mount`;
    await using mount = await MountProcess.start(mountpoint, [], user.invocation);
    const own = await statusOf(mountpoint, user.invocation);
    assertEquals([own.code, own.mount.report?.pid], [0, mount.pid]);
    const { code, mount: { problem } } = await statusOf(mountpoint, {});
    assertEquals(code, 10);
    assert(problem!.includes(`user ${user.uid} mounted it`), problem);
    await run(user.invocation.prefix![0]!, ...user.invocation.prefix!.slice(1), "fusermount3", "-u", mountpoint);
    assertEquals((await mount.ended()).code, 0);
  },
});
