/** A mount by the tool from its beginning to each of its ends, as root and as an ordinary user. */
import { assert, assertEquals } from "../../deps.ts";
import {
  exists,
  type Invocation,
  isMounted,
  MountProcess,
  type Outcome,
  run,
  runCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";

/** What ends a mount, each as its user would. */
const ENDINGS: Record<string, (mount: MountProcess, invocation: Invocation) => Promise<unknown>> = {
  "SIGINT": (mount) => run("kill", "-INT", `${mount.pid}`),
  "SIGTERM": (mount) => run("kill", "-TERM", `${mount.pid}`),
  "SIGHUP": (mount) => run("kill", "-HUP", `${mount.pid}`),
  "umount(8)": (mount, { prefix = [] }) => as(prefix, "umount", mount.mountpoint),
  "fusermount3 -u": (mount, { prefix = [] }) => as(prefix, "fusermount3", "-u", mount.mountpoint),
  "fusermount3 -u -z": (mount, { prefix = [] }) => as(prefix, "fusermount3", "-u", "-z", mount.mountpoint),
  "cli.ts umount": (mount, invocation) => expectSuccess(runCli(["umount", mount.mountpoint], invocation)),
  "cli.ts umount --lazy": (mount, invocation) => expectSuccess(runCli(["umount", "-l", mount.mountpoint], invocation)),
};

async function as(prefix: readonly string[], ...command: string[]): Promise<void> {
  const [program, ...args] = [...prefix, ...command];
  assertEquals(await run(program!, ...args), 0, command.join(" "));
}

async function expectSuccess(outcome: Promise<Outcome>): Promise<void> {
  assertEquals(await outcome, { code: 0, stdout: "", stderr: "" });
}

/** Mounts on a folder that does not exist, uses it, ends it, and looks at what is left. */
async function mountAndEnd(
  folder: string,
  end: (mount: MountProcess, invocation: Invocation) => Promise<unknown>,
  invocation: Invocation,
): Promise<void> {
  const mountpoint = `${folder}/made for this`;
  await using mount = await MountProcess.start(mountpoint, [], invocation);
  assertEquals(mount.readyLine, `Mounted memory at ${mountpoint} (pid ${mount.pid})`);
  await as(invocation.prefix ?? [], "sh", "-c", 'echo text >"$0/file" && grep -q text "$0/file"', mountpoint);
  await end(mount, invocation);
  assertEquals(await mount.ended(), { code: 0, stdout: mount.readyLine + "\n", stderr: "" });
  assert(!await exists(mountpoint), "the folder that the tool made is still there");
}

Deno.test("each way to end a mount ends it with exit code 0 and removes the mountpoint that was made", async (t) => {
  for (const [name, end] of Object.entries(ENDINGS)) {
    await t.step(name, async () => {
      await using folder = await temporaryFolder();
      await mountAndEnd(folder.path, end, {});
    });
  }
});

Deno.test("when umount returns, the folder that was made to mount on is gone", async (t) => {
  for (const process of ["same", "separate"]) {
    await t.step(`process=${process}`, async () => {
      await using folder = await temporaryFolder();
      const mountpoint = `${folder.path}/m`;
      await using _mount = await MountProcess.start(mountpoint, ["-o", `process=${process}`]);
      await expectSuccess(runCli(["umount", mountpoint]));
      assert(!await exists(mountpoint), "it is still there");
    });
  }
});

Deno.test("umount waits for no server that does not get done", async () => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  await using mount = await MountProcess.start(mountpoint);
  Deno.kill(mount.pid, "SIGSTOP");
  await expectSuccess(runCli(["umount", mountpoint]));
  Deno.kill(mount.pid, "SIGCONT");
  assertEquals((await mount.ended()).code, 0);
  assert(!await exists(mountpoint));
});

if (NO_ORDINARY_USER) console.log(`not run as an ordinary user: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "an ordinary user's mount ends alike",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn(t) {
    await using user = await prepareOrdinaryUser();
    for (const [name, end] of Object.entries(ENDINGS)) {
      await t.step(name, () => mountAndEnd(user.folder, end, user.invocation));
    }
  },
});

Deno.test({
  name: "an ordinary user's current folder may be in one that they may not enter",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    await using closed = await temporaryFolder();
    const cwd = `${closed.path}/inside`;
    await Deno.mkdir(cwd);
    await Deno.chmod(closed.path, 0o700);
    const invocation = { ...user.invocation, cwd };
    await mountAndEnd(user.folder, ENDINGS["cli.ts umount"]!, invocation);
    assertEquals((await runCli(["doctor"], invocation)).code, 0);
  },
});

Deno.test("a mountpoint that was there stays, with what is in it", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/below`, "text");
  {
    await using mount = await MountProcess.start(folder.path);
    assertEquals(await run("test", "-e", `${folder.path}/below`), 1);
    await run("umount", folder.path);
    const { code, stderr } = await mount.ended();
    assertEquals(code, 0);
    assert(stderr.includes(`${folder.path} is not empty`), stderr);
  }
  assertEquals(await Deno.readTextFile(`${folder.path}/below`), "text");
});

Deno.test("a mount in use: umount says so with exit code 7, --lazy takes it away, a signal ends it all the same", async () => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  for (const lazy of [true, false]) {
    await using mount = await MountProcess.start(mountpoint);
    await using user = holdOpen(`${mountpoint}/file`);
    await user.ready;
    const refused = await runCli(["umount", mountpoint]);
    assertEquals(refused.code, 7, refused.stderr);
    assert(refused.stderr.includes("--lazy"), refused.stderr);
    assert(await isMounted(mountpoint));
    if (lazy) {
      assertEquals((await runCli(["umount", "--lazy", mountpoint])).code, 0);
      assert(!await isMounted(mountpoint));
      await user[Symbol.asyncDispose]();
    } else {
      await run("kill", "-TERM", `${mount.pid}`);
    }
    assertEquals((await mount.ended()).code, 0);
    assert(!await exists(mountpoint));
  }
});

/** A process that has a file open, ready once it has. */
function holdOpen(file: string): { ready: Promise<unknown> } & AsyncDisposable {
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec 3>"$0"; echo open; exec sleep 600', file],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  let ended = false;
  return {
    ready: reader.read(),
    async [Symbol.asyncDispose]() {
      if (ended) return;
      ended = true;
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

Deno.test("mount options reach the kernel and the filesystem", async () => {
  await using folder = await temporaryFolder();
  await using mount = await MountProcess.start(folder.path, [
    "-o",
    "ro,noexec,allow_other,fsname=a\\,b,subtype=mine,max_read=65536",
    "-o",
    "size=1M,inodes=10,mode=1770,uid=12,gid=34",
  ]);
  const line = await tableLine(mount.mountpoint);
  const [before, after] = line.split(" - ") as [string, string];
  const [type, source, superOptions] = after.split(" ") as [string, string, string];
  assertEquals({ type, source }, { type: "fuse.mine", source: "a,b" });
  const options = `${before.split(" ")[5]},${superOptions}`.split(",");
  for (const option of ["ro", "noexec", "nosuid", "nodev", "allow_other", "default_permissions", "max_read=65536"]) {
    assert(options.includes(option), `${option} is not among ${options}`);
  }
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", 'stat -c "%a %u %g" "$0"; stat -f -c "%b %S %c" "$0"', folder.path],
  }).output();
  const [mode, size] = new TextDecoder().decode(stdout).split("\n") as [string, string];
  assertEquals(mode, "1770 12 34");
  const [blocks, blockSize, inodes] = size.split(" ").map(Number) as [number, number, number];
  assertEquals({ bytes: blocks * blockSize, inodes }, { bytes: 2 ** 20, inodes: 10 });
});

async function tableLine(mountpoint: string): Promise<string> {
  const lines = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n");
  return lines.find((line) => line.split(" ")[4] === mountpoint) ?? "";
}

Deno.test("a stale mount of Trellis is replaced, also while the kernel has its attributes in the cache", async () => {
  await using folder = await temporaryFolder();
  {
    const killed = await MountProcess.start(folder.path, ["-o", "attr_timeout=1000,entry_timeout=1000"]);
    assertEquals(await run("stat", folder.path), 0);
    await run("kill", "-KILL", `${killed.pid}`);
    await killed.ended();
  }
  assert(await isMounted(folder.path), "the killed server's mount should still be in the table");
  await using mount = await MountProcess.start(folder.path);
  await run("umount", folder.path);
  assertEquals((await mount.ended()).code, 0);
  assert(!await isMounted(folder.path));
});
