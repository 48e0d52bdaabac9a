/** `mount --background`: it returns when the mount is ready, or with what is wrong; and leaves no mount unheard of. */
import { assert, assertEquals } from "../../deps.ts";
import { exists, isMounted, run as runQuietly, runCli, startCli, temporaryFolder } from "../../support/cli_process.ts";
import { run, shell } from "../../support/command.ts";
import { waitFor } from "../../support/mounted.ts";
import { PATIENCE } from "../../support/patience.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";
import { assertRefused } from "./refusal.ts";

const CLI = new URL("../../../cli.ts", import.meta.url).pathname;

/** Mounts in the background and uses the mount at once, from a shell that waits for the end of its standard output. */
async function mountAndUse(args: string[], mountpoint: string, cwd?: string): Promise<number> {
  const script = 'mountpoint=$1; shift; said=$("$@" 2>&1); echo text >"$mountpoint/file"; printf %s "$said"';
  const command = [Deno.execPath(), "run", "-A", CLI, "mount", ...args];
  const { stdout } = await run(["sh", "-euc", script, "sh", mountpoint, ...command], {
    env: { NO_COLOR: "1" },
    ...cwd === undefined ? {} : { cwd },
  });
  const pid = /^Mounted .* \(pid (\d+)\)$/m.exec(stdout)?.[1];
  assert(pid !== undefined, stdout);
  return Number(pid);
}

async function endsWithTheMount(pid: number, mountpoint: string): Promise<void> {
  await run(["umount", mountpoint]);
  await waitFor("the end of the server", async () => !await exists(`/proc/${pid}`));
}

Deno.test("a mount in the background is ready when the command returns, and is tied to nobody", async () => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  const pid = await mountAndUse(["--background", mountpoint], mountpoint, folder.path);
  assert(await isMounted(mountpoint));
  const links = await Promise.all(["fd/0", "fd/1", "fd/2", "cwd"].map((name) => Deno.readLink(`/proc/${pid}/${name}`)));
  assertEquals(links, ["/dev/null", "/dev/null", "/dev/null", "/"]);
  const [, , group, session] = (await Deno.readTextFile(`/proc/${pid}/stat`)).replace(/^.*\) /, "").split(" ");
  assertEquals([group, session], [`${pid}`, `${pid}`]);
  await endsWithTheMount(pid, mountpoint);
  assert(!await exists(mountpoint), "the mountpoint that was made is still there");
});

Deno.test("a source, a configuration and auto_unmount are mounted in the background too", async (t) => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/source`);
  await Deno.writeTextFile(
    `${path}/trellis.toml`,
    '[mount]\npoint = "./tree"\n[[branch]]\npath = "/"\ntype = "memory"\n',
  );
  const cases: Record<string, [args: string[], mountpoint: string]> = {
    "a source": [["-b", "source", "m"], "m"],
    "a configuration": [["--config", "trellis.toml", "--background"], "tree"],
    "that of the current folder": [["-b"], "tree"],
    // fusermount3 stays as long as the mount, with the standard error that it was started with.
    "auto_unmount": [["-b", "-o", "auto_unmount", "m"], "m"],
  };
  for (const [name, [args, mountpoint]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const pid = await mountAndUse(args, `${path}/${mountpoint}`, path);
      await endsWithTheMount(pid, `${path}/${mountpoint}`);
    });
  }
  assertEquals(await Deno.readTextFile(`${path}/source/file`), "text\n");
});

Deno.test("what is wrong is said as in the foreground, with the same exit code", async (t) => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  await Deno.writeTextFile(`${folder.path}/bad.toml`, "[mount]\nfrobnicate = 1\n");
  const cases: [code: number, args: string[], says: string][] = [
    [2, ["-o", "siez=1M", mountpoint], 'the nearest known one is "size"'],
    [2, ["--foreground", mountpoint], "cannot be used with"],
    [2, ["--log-file", `${folder.path}/none/log`, mountpoint], "Cannot write the log file"],
    [4, [`${folder.path}/none/m`], "its parent folder"],
    [8, [`${folder.path}/none`, mountpoint], "does not exist"],
    [9, ["--config", `${folder.path}/bad.toml`, mountpoint], "frobnicate"],
  ];
  for (const [code, args, says] of cases) {
    await t.step(`${code}: ${says}`, () => {
      return assertRefused(["mount", "--background", ...args], { code, says: [says], mountpoint });
    });
  }
  await t.step("2: a log file in the foreground", () => {
    const refusal = { code: 2, says: ["in the foreground"], mountpoint };
    return assertRefused(["mount", "--log-file", `${folder.path}/log`, mountpoint], refusal);
  });
});

Deno.test("what is said before is the caller's, what is said later goes to the log file", async () => {
  await using folder = await temporaryFolder();
  const [mountpoint, log] = [`${folder.path}/m`, `${folder.path}/log`];
  await Deno.mkdir(mountpoint);
  await Deno.writeTextFile(`${mountpoint}/hidden`, "");
  await Deno.writeTextFile(log, "before\n");
  const args = ["mount", "--background", "--log-file", "log", "-o", "debug", mountpoint];
  const { code, stdout, stderr } = await runCli(args, { cwd: folder.path });
  assertEquals(code, 0, stderr);
  assert(stderr.includes("is not empty"), stderr);
  const pid = Number(/\(pid (\d+)\)\n$/.exec(stdout)?.[1]);
  await runQuietly("mkdir", `${mountpoint}/logged`);
  await endsWithTheMount(pid, mountpoint);
  const text = await Deno.readTextFile(log);
  assert(text.startsWith("before\n"), text);
  assert(text.includes("MKDIR"), text);
  assert(!text.includes("is not empty"), text);
});

Deno.test("a caller that is killed before it has heard of the mount leaves nothing", async (t) => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  const assertNothingLeft = async (server: number) => {
    await waitFor("the end of the server", async () => !await exists(`/proc/${server}`));
    assert(!await isMounted(mountpoint));
    assert(!await exists(mountpoint), "the mountpoint that was made is still there");
  };
  await t.step("before the mount", async () => {
    const { caller, server, ended } = await startAndStop("server", ["mount", "--background", mountpoint]);
    caller.kill("SIGKILL");
    await ended;
    Deno.kill(server, "SIGCONT");
    await assertNothingLeft(server);
  });
  await t.step("after the mount", async () => {
    const { caller, server, ended } = await startAndStop("caller", ["mount", "--background", mountpoint]);
    await waitFor("the mount", () => isMounted(mountpoint));
    caller.kill("SIGKILL");
    await ended;
    await assertNothingLeft(server);
  });
});

Deno.test("a server that has said that it is ready ends when nobody tells it to go on", async () => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  // The test is the caller.
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", CLI, "mount", "--background", mountpoint],
    env: { TRELLIS_IN_BACKGROUND: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const said = server.stdout.getReader();
  for (let text = ""; !text.endsWith("\0");) text += new TextDecoder().decode((await said.read()).value);
  assert(await isMounted(mountpoint));
  await server.stdin.close();
  const deadline = setTimeout(() => server.kill("SIGKILL"), PATIENCE * 1000);
  assertEquals((await server.status).code, 0);
  clearTimeout(deadline);
  await said.cancel();
  assert(!await exists(mountpoint), "the mountpoint that was made is still there");
});

/** Starts the tool, and stops it or the process that it starts as soon as that is a program of its own. */
async function startAndStop(whom: "caller" | "server", args: string[]) {
  const caller = startCli(args);
  const ended = caller.output();
  let server = 0;
  await waitFor("the server's start", async () => {
    server = Number((await shell(`cat /proc/${caller.pid}/task/*/children 2>/dev/null || true`)).stdout.split(" ")[0]);
    // Before it is, it holds the caller's pipes.
    const environment = await Deno.readTextFile(`/proc/${server}/environ`).catch(() => "");
    return environment.includes("TRELLIS_IN_BACKGROUND");
  });
  Deno.kill(whom === "caller" ? caller.pid : server, "SIGSTOP");
  return { caller, server, ended };
}

Deno.test("a server that is killed before the mount is ready is the caller's failure", async () => {
  await using folder = await temporaryFolder();
  const { server, ended } = await startAndStop("server", ["mount", "--background", `${folder.path}/m`]);
  Deno.kill(server, "SIGKILL");
  const { code, stderr } = await ended;
  assertEquals(code, 128 + 9);
  assertEquals(new TextDecoder().decode(stderr), "error: SIGKILL ended the process that was to serve the mount\n");
});

if (NO_ORDINARY_USER) console.log(`not run as an ordinary user: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "an ordinary user mounts in the background",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    const mountpoint = `${user.folder}/m`;
    const { code, stdout, stderr } = await runCli(["mount", "--background", mountpoint], user.invocation);
    assertEquals(code, 0, stderr);
    await endsWithTheMount(Number(/\(pid (\d+)\)\n$/.exec(stdout)?.[1]), mountpoint);
  },
});
