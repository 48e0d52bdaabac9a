/** `mount -o process=separate`, `restart` and `status` of it, as a user runs them. */
import { socketName } from "../../../src/control/socket_files.ts";
import { assert, assertEquals } from "../../deps.ts";
import {
  askPatiently,
  isMounted,
  MountProcess,
  run,
  runCli,
  startCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { waitFor } from "../../support/mounted.ts";
import { killServer, serversOf } from "../../support/server_killer.ts";

Deno.test("a kept mount: its server is named, replaced on request, and may die three times in a minute", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  const runtime = `${folder.path}/run`;
  const invocation = { env: { TRELLIS_RUNTIME_DIR: runtime } };
  await using mount = await MountProcess.start(point, ["-o", "process=separate"], invocation);
  const [first] = serversOf(mount.pid);
  const status = await askPatiently(["status", point], invocation);
  assert(status.stdout.includes(`keeper ${mount.pid}, server ${first}, 0 restarts`), status.stdout);
  assert(status.stdout.includes("\n  transport: /dev/fuse (a keeper has no io_uring)\n"), status.stdout);

  const restart = await runCli(["restart", point], invocation);
  assertEquals(restart.code, 0, restart.stderr);
  assert(/^Server \d+ serves .*\(restart 1\)\n$/.test(restart.stdout), restart.stdout);
  assert(serversOf(mount.pid)[0] !== first);

  for (let death = 0; death < 3; death++) {
    const [before] = serversOf(mount.pid);
    killServer(mount.pid);
    await waitFor("another server", () => serversOf(mount.pid).some((server) => server !== before));
    assert((await Deno.stat(point)).isDirectory);
  }
  let hasEnded = false;
  const end = mount.ended().finally(() => hasEnded = true);
  // The fourth, and more where the first was more than a minute ago.
  await waitFor("the end", () => (killServer(mount.pid), hasEnded));
  const { code, stderr } = await end;
  assertEquals(code, 5);
  assert(stderr.includes("number 4 within a minute: the mount is taken away"), stderr);
  assertEquals(await isMounted(point), false);
  assertEquals(await namesIn(runtime), []);
});

Deno.test("a kept mount that ends leaves no control socket", async (t) => {
  const ends: Record<string, (mount: MountProcess) => unknown> = {
    "by a signal": ({ pid }) => Deno.kill(pid, "SIGTERM"),
    "by an unmount": ({ mountpoint }) => run("umount", mountpoint),
  };
  for (const [name, end] of Object.entries(ends)) {
    await t.step(name, async () => {
      await using folder = await temporaryFolder();
      const runtime = `${folder.path}/run`;
      const invocation = { env: { TRELLIS_RUNTIME_DIR: runtime } };
      await using mount = await MountProcess.start(`${folder.path}/mnt`, ["-o", "process=separate"], invocation);
      await waitFor("its socket", async () => (await namesIn(runtime)).some((name) => /^\d.*\.sock$/.test(name)));
      await end(mount);
      assertEquals((await mount.ended()).code, 0);
      assertEquals(await namesIn(runtime), []);
    });
  }
});

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

Deno.test("a configuration is kept when -o or its own options say so, and when all its branches can be", async (t) => {
  await using folder = await temporaryFolder();
  const [point, file] = [`${folder.path}/mnt`, `${folder.path}/t.toml`];
  await Deno.mkdir(`${folder.path}/source`);
  const directory = '[[branch]]\npath = "/a"\ntype = "passthrough"\nsource = "source"\n';
  await Deno.writeTextFile(file, directory);

  await t.step("-o says so", async () => {
    await using mount = await MountProcess.startWith([point, "-c", file, "-o", "process=separate"], point);
    assertEquals(serversOf(mount.pid).length, 1);
    await Deno.writeTextFile(`${point}/a/file`, "text");
  });

  await t.step("-o wins over the configuration", async () => {
    await Deno.writeTextFile(file, `[mount]\noptions = ["process=separate"]\n${directory}`);
    await using mount = await MountProcess.startWith([point, "-c", file, "-o", "process=same"], point);
    assertEquals(serversOf(mount.pid).length, 0);
    assertEquals(await Deno.readTextFile(`${point}/a/file`), "text");
  });

  await t.step("refused: it would be hidden by its own mount, and reload read it there", async () => {
    const over = `${folder.path}/over`;
    await Deno.mkdir(over);
    await Deno.writeTextFile(`${over}/t.toml`, '[[branch]]\npath = "/"\ntype = "memory"\n');
    const { code, stderr } = await runCli(["mount", over, "-c", `${over}/t.toml`, "-o", "process=separate"]);
    assertEquals(code, 2);
    assert(stderr.includes(`lies below ${over}`), stderr);
  });

  await t.step("refused: files are to outlive a server, and nothing does", async () => {
    await Deno.writeTextFile(file, '[[branch]]\npath = "/"\ntype = "memory"\nkeep_content = true\n');
    const { code, stderr } = await runCli(["mount", point, "-c", file, "-o", "process=same"]);
    assertEquals(code, 2);
    assert(stderr.includes("(process=same): keep_content"), stderr);
  });

  await t.step("a branch in a handler of its own", async () => {
    const branch = '[[branch]]\npath = "/b"\ntype = "memory"\nkeep_content = true\nplacement = "handler"\n';
    await Deno.writeTextFile(file, directory + branch);
    await using _ = await MountProcess.startWith([point, "-c", file, "-o", "process=separate"], point);
    await Deno.writeTextFile(`${point}/b/file`, "kept");
    const { code, stderr } = await runCli(["restart", point]);
    assertEquals(code, 0, stderr);
    assertEquals(await Deno.readTextFile(`${point}/b/file`), "kept");
  });
});

Deno.test("a server that was begun for nothing goes: no such source, a refused option, Ctrl-C and SIGKILL as it begins", async (t) => {
  await using folder = await temporaryFolder();
  const [source, point] = [`${folder.path}/source`, `${folder.path}/mnt`];
  await Deno.mkdir(source);
  const isGone = (pid: number) => Deno.stat(`/proc/${pid}`).then(() => false, () => true);
  const begin = async (args: string[]) => {
    const child = startCli(["mount", ...args]);
    const output = child.output();
    // One that never had a server has ended, and others may have two for a moment.
    let servers: number[] = [];
    let hasEnded = false;
    void output.then(() => hasEnded = true);
    await waitFor("a server", () => (servers = serversOf(child.pid)).length > 0 || hasEnded);
    return { child, output, servers };
  };

  await t.step("there is no such source", async () => {
    const { output, servers } = await begin([`${folder.path}/nothing`, point]);
    assertEquals(servers.length, 1);
    assertEquals((await output).code, 8);
    await waitFor("its end", () => isGone(servers[0]!));
  });

  await t.step("an option of libfuse's that it refuses", async () => {
    const { output, servers } = await begin([source, point, "-o", "no_such_option"]);
    assertEquals((await output).success, false);
    await waitFor("its end", () => isGone(servers[0]!));
  });

  for (const [signal, waits] of [["SIGINT", [0, 120]], ["SIGKILL", [60, 150]]] as const) {
    for (const wait of waits) {
      await t.step(`${signal} after ${wait} ms`, async () => {
        const { child, output, servers } = await begin([source, point]);
        await new Promise((resolve) => setTimeout(resolve, wait));
        child.kill(signal);
        await output;
        await waitFor("its end", async () => (await Promise.all(servers.map(isGone))).every((gone) => gone));
        await waitFor("the mount to go", async () => !await isMounted(point));
      });
    }
  }
});

Deno.test("with spare another server waits; the keeper of one that says nothing says so", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  await using mount = await MountProcess.start(point, ["-o", "process=separate,spare"]);
  await waitFor("a server in reserve", () => serversOf(mount.pid).length === 2);
  const servers = serversOf(mount.pid);
  for (const server of servers) Deno.kill(server, "SIGSTOP");
  try {
    await waitFor("the keeper's word", async () => {
      const { code, stdout } = await runCli(["status", point]);
      assertEquals(code, 10);
      return stdout.includes(`The keeper (pid ${mount.pid}) answers`);
    });
  } finally {
    for (const server of servers) Deno.kill(server, "SIGCONT");
  }
  await waitFor("its status", async () => (await runCli(["status", point])).code === 0);
});

Deno.test("with no_resend a mount is made anew for each server, and goes on answering on its control socket", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  const { code, stderr } = await runCli(["mount", "-o", "no_resend", point]);
  assertEquals(code, 2);
  assert(stderr.includes("add process=separate"), stderr);
  await using mount = await MountProcess.start(point, ["-o", "process=separate,no_resend"]);
  const restart = await runCli(["restart", point]);
  assertEquals(restart.code, 0, restart.stderr);
  assert((await Deno.stat(point)).isDirectory);
  const [server] = serversOf(mount.pid);
  const { stdout } = await askPatiently(["status", point]);
  assert(stdout.includes(`server ${server}, 1 restart, mounted anew 1 time`), stdout);
});

Deno.test("a tree is mounted anew with no_resend too: directories are shown, what was in memory is gone", async () => {
  await using folder = await temporaryFolder();
  const [point, file] = [`${folder.path}/mnt`, `${folder.path}/t.toml`];
  await Deno.mkdir(`${folder.path}/source`);
  const branches = '[[branch]]\npath = "/a"\ntype = "passthrough"\nsource = "source"\nmax_size = "1M"\n' +
    '[[branch]]\npath = "/b"\ntype = "memory"\n';
  await Deno.writeTextFile(file, `[mount]\noptions = ["process=separate", "no_resend"]\n${branches}`);
  await using _mount = await MountProcess.startWith([point, "-c", file], point);
  for (const name of ["a", "b"]) await Deno.writeTextFile(`${point}/${name}/file`, "text");
  for (let restart = 0; restart < 2; restart++) {
    assertEquals((await runCli(["restart", point])).code, 0);
    assertEquals(await Deno.readTextFile(`${point}/a/file`), "text");
    await Deno.writeTextFile(`${point}/a/file`, "text");
    assertEquals(await Array.fromAsync(Deno.readDir(`${point}/b`)), []);
  }
});

Deno.test("a mount that its own process serves has no server to replace", async () => {
  await using folder = await temporaryFolder();
  const invocation = { env: { TRELLIS_RUNTIME_DIR: `${folder.path}/sockets` } };
  const point = `${folder.path}/mnt`;
  await using mount = await MountProcess.start(point, [], invocation);
  {
    // As a server leaves it that is killed: of a mount that was there before.
    using _ = Deno.listen({ transport: "unix", path: `${folder.path}/socket` });
    await Deno.rename(`${folder.path}/socket`, `${folder.path}/sockets/${await socketName(1, point)}`);
  }
  const { code, stderr } = await runCli(["restart", mount.mountpoint], invocation);
  assertEquals(code, 5, stderr);
  assert(stderr.includes("it has no keeper (what is in memory would end with its server"), stderr);
  assertEquals((await runCli(["restart", folder.path], invocation)).code, 6);
  const others = { env: { TRELLIS_RUNTIME_DIR: `${folder.path}/others` } };
  assertEquals((await runCli(["restart", mount.mountpoint], others)).code, 10);
});
