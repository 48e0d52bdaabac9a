/** Kept mounts where the kernel cannot send requests again: they are made anew for each server. */
import { fileURLToPath } from "node:url";
import { findMount } from "../../src/connection/mount_table.ts";
import { O_CLOEXEC } from "../../src/fs/flags.ts";
import { KeeperError } from "../../src/keeper/kept_mount.ts";
import { mount } from "../../src/mount.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../deps.ts";
import { type Invocation, runCli, temporaryFolder } from "../support/cli_process.ts";
import { waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import type { Seen } from "./mounted_anew_program.ts";

const REPOSITORY = new URL("../../", import.meta.url);
const PROGRAM = fileURLToPath(new URL("mounted_anew_program.ts", import.meta.url));
const MODULE = new URL("kept_module.ts", import.meta.url);

async function look(repository: string, layer: string, options: object, folder: string, invocation: Invocation) {
  const mountpoint = `${folder}/mnt`;
  await Deno.mkdir(mountpoint, { mode: 0o777 });
  await Deno.chmod(mountpoint, 0o777);
  const { code, stdout, stderr } = await runCli([repository, layer, JSON.stringify(options), mountpoint], invocation);
  assertEquals(code, 0, stderr);
  assertEquals(await findMount(mountpoint), undefined);
  return JSON.parse(stdout) as Seen;
}

/** The descriptors of /dev/fuse that programs would get which a process starts. */
async function inheritedDevices(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const links = await Array.fromAsync(Deno.readDir(folder), async ({ name }): Promise<[string, string]> => {
    // What may be closed meanwhile is none of them.
    return [name, await Deno.readLink(`${folder}/${name}`).catch(() => "/closed")];
  });
  const devices = links.filter(([, link]) => link === "/dev/fuse").map(([name]) => name);
  assert(devices.length > 0);
  const flags = await Promise.all(devices.map((name) => Deno.readTextFile(`/proc/${pid}/fdinfo/${name}`)));
  return devices.filter((_, index) => (parseInt(/^flags:\s*(\d+)$/m.exec(flags[index]!)![1]!, 8) & O_CLOEXEC) === 0);
}

function assertMountedAnew({ open, text, server, status, log }: Seen): void {
  assertMatch(open, /not connected|ENOTCONN/);
  assertEquals(text, "after");
  assertEquals([server.restarts, server.mountedAnew], [1, 1]);
  assertMatch(status, /, 1 restart, mounted anew 1 time, /);
  assert(log.some((line) => line.includes("mounted anew: what was open")), log.join("\n"));
}

Deno.test("a directory's mount is made anew: it shows the directory, what was open fails, and status says so", async () => {
  await using folder = await temporaryFolder();
  const source = `${folder.path}/source`;
  await Deno.mkdir(source);
  const seen = await look(REPOSITORY.href, "passthrough", { source }, folder.path, { cli: PROGRAM });
  assertMountedAnew(seen);
  assertEquals(seen.names, ["new", "old"]);
});

Deno.test({
  name: "an ordinary user's mount is made anew through fusermount3" +
    (NO_ORDINARY_USER === undefined ? "" : ` (skipped: ${NO_ORDINARY_USER})`),
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async () => {
    await using user = await prepareOrdinaryUser();
    const program = `${user.folder}/program.ts`;
    await Deno.copyFile(PROGRAM, program);
    await Deno.chown(program, user.uid, user.uid);
    const repository = new URL(".", `file://${user.invocation.cli}`).href;
    const seen = await look(repository, "memory", {}, user.folder, { ...user.invocation, cli: program });
    assertMountedAnew(seen);
    assertEquals(seen.names, ["new"]);
    assert(seen.log.some((line) => line.includes("in memory is empty")), seen.log.join("\n"));
  },
});

Deno.test("what is under way when a mount is made anew gets an error, and the restarts are counted as ever", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/mnt`;
  await Deno.mkdir(path);
  const settings = { process: "separate", restarts: 1, resend: false, log: () => {} } as const;
  await using kept = await mount({ module: MODULE, options: { folder: folder.path }, loops: 2 }, path, settings);
  assert(!kept.features.has("has-resend"));
  assertEquals(await inheritedDevices(kept.server.pid), []);
  const before = (await findMount(path))!;
  const client = assertRejects(() => Deno.stat(`${path}/stuck`), Error, "abort");
  const asked = `${folder.path}/asked-${kept.server.pid}`;
  await waitFor("the request to arrive", () => Deno.stat(asked).then(() => true, () => false));
  Deno.kill(kept.server.pid, "SIGKILL");
  await client;
  await waitFor("another server", () => kept.server.restarts === 1);
  assertEquals({ ...(await findMount(path))!, device: "" }, { ...before, device: "" });
  assertEquals((await Deno.stat(`${path}/10`)).size, 3);
  Deno.kill(kept.server.pid, "SIGKILL");
  await assertRejects(() => kept.finished, KeeperError, "number 2 within a minute");
  assertEquals(await findMount(path), undefined);
});

Deno.test("what somebody has unmounted while it was in use is not made anew", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/mnt`;
  await Deno.mkdir(path);
  await using kept = await mount({ module: MODULE, options: { folder: folder.path } }, path, {
    ...{ process: "separate", resend: false, log: () => {} },
  });
  using _open = await Deno.open(`${path}/5`);
  const { success } = await new Deno.Command("fusermount3", { args: ["-u", "-z", path] }).output();
  assert(success);
  Deno.kill(kept.server.pid, "SIGKILL");
  await kept.finished;
  assertEquals(await findMount(path), undefined);
});
