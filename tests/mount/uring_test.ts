/** Mounts over io_uring: sessions, what waits, how they end, and the suites. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { isKernelFrom } from "../../ffi/kernel_release.ts";
import { mount, MountError, type MountOptions } from "../../mod.ts";
import { findMount } from "../../src/connection/mount_table.ts";
import { MountProcess, run, runCli, temporaryFolder } from "../support/cli_process.ts";
import { NO_CONTROL, openConnectionControl } from "../support/connection_control.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { PosixClient } from "../support/posix_client.ts";
import { NO_URING, switchUring, withUring } from "../support/uring.ts";
import { runSuites } from "./suites.ts";
import { GATE, OVER } from "./uring_module.ts";

/** A test that mounts over io_uring; `lacking` is what else this machine has not got for it. */
function overUring(name: string, fn: (t: Deno.TestContext) => Promise<void>, lacking?: string): void {
  const reason = NO_URING ?? NO_CONTROL ?? lacking;
  const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
  Deno.test({ name: `io_uring: ${name}${skipped}`, ignore: reason !== undefined, fn });
}

const LATER = new URL("later_module.ts", import.meta.url);
const MODULE = new URL("uring_module.ts", import.meta.url);

/** Mounts `uring_module.ts`. */
async function mountModule(options: MountOptions = {}, loops = 1): Promise<Mounted & { words: Int32Array }> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const placement = { module: MODULE, options: words, loops };
  const mounted = await withUring(() =>
    mountTemporarily(placement, { entryTimeout: 0, ...options, transport: "uring" })
  );
  return { ...mounted, words, [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose]() };
}

/** Reads `path` on one core. */
function readOnCore(core: number, path: string): Deno.ChildProcess {
  return new Deno.Command("taskset", {
    args: ["-c", `${core}`, "cat", path],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

overUring("a session serves, says its transport, and refuses as on the device", async () => {
  const log: string[] = [];
  for (const loops of [1, 2, 5]) {
    await using mounted = await mountModule({ log: (message, detail) => log.push(message, detail) }, loops);
    assertEquals(mounted.session.transport, "uring");
    assert(mounted.session.features.has("over-io-uring"));
    assert((await Deno.stat(`${mounted.path}/file`)).isFile);
    await assertRejects(() => Deno.stat(`${mounted.path}/none`), Deno.errors.NotFound);
    await assertRejects(() => Deno.stat(`${mounted.path}/bad`), Error, "os error 5");
    assertEquals(await Deno.readTextFile(`${mounted.path}/file`), "abcd");
    await waitFor("the log line", () => log.join().includes("broken by intent"));
    log.length = 0;
  }
});

overUring("`debug` shows operations by name, and metrics count them", async () => {
  const log: string[] = [];
  await using mounted = await mountModule({ debug: true, log: (message) => log.push(message) });
  await assertRejects(() => Deno.stat(`${mounted.path}/none`), Deno.errors.NotFound);
  await waitFor("the line of the lookup", () => log.some((line) => /LOOKUP node 1 .* -> ENOENT/.test(line)));
  assert((mounted.session.metrics()["LOOKUP"]?.errors["ENOENT"] ?? 0) >= 1);
});

overUring("a mount that has nothing to do does not count as waiting for a disk", async () => {
  const blocked = async () => Number(/^procs_blocked (\d+)$/m.exec(await Deno.readTextFile("/proc/stat"))![1]);
  const others = await blocked();
  await using mounted = await mountModule({}, 2);
  assert((await Deno.stat(`${mounted.path}/file`)).isFile);
  await waitFor("no thread of ours in proc_stat(5)'s procs_blocked", async () => await blocked() <= others);
}, isKernelFrom(6, 15) ? undefined : "before Linux 6.15 all who wait for an io_uring count as waiting for a disk");

Deno.test("io_uring that cannot be had is an error that says why, and nothing is left mounted", async () => {
  const path = await Deno.makeTempDir();
  const options: MountOptions = { transport: "uring" };
  await assertRejects(() => mount({}, path, options), MountError, 'placement "loop" only');
  if (NO_URING === undefined && Deno.uid() === 0) {
    using _off = switchUring("N");
    await assertRejects(() => mount({ module: LATER }, path, options), MountError, "enable_uring");
    await using session = await mount({ module: LATER }, path);
    assertEquals(session.transport, "device");
  }
  assertEquals(await findMount(path), undefined);
  await Deno.remove(path);
});

overUring("it is chosen by itself where every core has a loop, and not for an object", async () => {
  const cores = navigator.hardwareConcurrency;
  const chosen = async (filesystem: Parameters<typeof mountTemporarily>[0]) => {
    await using mounted = await withUring(() => mountTemporarily(filesystem));
    return mounted.session.transport;
  };
  assertEquals(await chosen({ module: LATER, loops: Math.min(cores, 16) }), cores <= 16 ? "uring" : "device");
  assertEquals(await chosen({ module: LATER, loops: 1 }), cores === 1 ? "uring" : "device");
  assertEquals(await chosen({}), "device");
});

overUring("status says which transport runs, and why", async (t) => {
  const cores = navigator.hardwareConcurrency;
  const cases: readonly (readonly [switched: "Y" | "N", options: string, transport: string])[] = [
    ["Y", "transport=uring", "io_uring (transport=uring)"],
    ["Y", "transport=device,process=same", "/dev/fuse (transport=device)"],
    ["Y", "process=separate", "/dev/fuse (a keeper has no io_uring)"],
    ["Y", `loops=${cores}`, "io_uring (every core has a loop of its own)"],
    ["Y", "loops=1,process=same", `/dev/fuse (1 loop for ${cores} cores would be slower over io_uring)`],
    ["N", "process=same", "/dev/fuse (io_uring is switched off (as root: echo Y >"],
  ];
  for (const [switched, options, transport] of cases) {
    const lacking = switched === "N" && Deno.uid() !== 0
      ? "only root can switch io_uring off"
      : options.startsWith("loops=") && (cores === 1 || cores > 16)
      ? `${cores} cores`
      : undefined;
    const name = `${options}, enable_uring=${switched}${lacking === undefined ? "" : ` (skipped: ${lacking})`}`;
    await t.step({
      name,
      ignore: lacking !== undefined,
      async fn() {
        await using folder = await temporaryFolder();
        const [source, mountpoint] = [`${folder.path}/source`, `${folder.path}/mnt`];
        await Deno.mkdir(source);
        const start = () => MountProcess.start([source, mountpoint], ["-o", options]);
        using _off = switched === "N" ? switchUring("N") : undefined;
        await using _mount = await (switched === "N" ? start() : withUring(start));
        const { stdout, stderr } = await runCli(["status", mountpoint]);
        assert(stdout.includes(`\n  transport: ${transport}`), stdout + stderr);
      },
    });
  }
});

for (const loops of [1, 2]) {
  overUring(
    `what answers Later is asked again, and ends when its caller is killed, with ${loops} loop(s)`,
    async () => {
      await using mounted = await withUring(() =>
        mountTemporarily({ module: LATER, loops }, { entryTimeout: 0, transport: "uring" })
      );
      assert((await Deno.stat(`${mounted.path}/third`)).size >= 3);
      await using control = await openConnectionControl(mounted.path);
      const client = readOnCore(0, `${mounted.path}/never`);
      await waitFor("the client to wait", async () => await control.waiting() === 1);
      client.kill("SIGKILL");
      assertEquals((await client.status).signal, "SIGKILL");
      assert((await Deno.stat(`${mounted.path}/other`)).isFile);
    },
  );
}

overUring("no request is lost when those that wait hold all entries of a queue and more", async () => {
  await using mounted = await mountModule();
  const { path, words } = mounted;
  await using control = await openConnectionControl(path);
  const inKernel = async (count: number) =>
    await waitFor(`${count} requests`, async () => await control.waiting() >= count);
  const children = [readOnCore(0, `${path}/gate`)];
  try {
    // The loop is in the lookup of the gate, so all others gather: first in entries, then in the kernel.
    await inKernel(1);
    for (let count = 0; count < 40; count++) children.push(readOnCore(0, `${path}/wait-${count}`));
    await inKernel(41);
    const plain = readOnCore(0, `${path}/plain`);
    children.push(plain);
    await inKernel(42);
    Atomics.store(words, GATE, 1);
    Atomics.notify(words, GATE);
    // It was the last in the kernel's list: it comes when all before it have been taken, and kept.
    assert((await plain.status).success);
    await waitFor("all others to wait on", async () => await control.waiting() === 40);
  } finally {
    words.fill(1);
    Atomics.notify(words, GATE);
  }
  for (const child of children) assert((await child.status).success);
  assertEquals(words[OVER], 1);
});

overUring("more programs wait for a file's lock than a queue has entries, and all get it", async () => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/source`);
  await Deno.writeTextFile(`${folder.path}/source/file`, "");
  await using mount = await withUring(() =>
    MountProcess.start([`${folder.path}/source`, `${folder.path}/mnt`], ["-o", "transport=uring"])
  );
  const file = `${mount.mountpoint}/file`;
  await using client = await PosixClient.start();
  const held = await client.open(file, "O_RDWR");
  await client.flock(held, "LOCK_EX");
  const waiters = Array.from(
    { length: 30 },
    (_, index) =>
      new Deno.Command("taskset", { args: ["-c", `${index % 2}`, "flock", file, "true"], stdin: "null" }).spawn(),
  );
  await using control = await openConnectionControl(mount.mountpoint);
  await waitFor("30 waiters", async () => await control.waiting() >= 30);
  // Its release comes by the same queues.
  await client.close(held);
  for (const waiter of waiters) assert((await waiter.status).success);
});

overUring("a mount that somebody else unmounts, or that is aborted, finishes by itself", async (t) => {
  for (const end of ["unmounted", "aborted", "unmounted while a request waits"]) {
    await t.step(end, async () => {
      const { path, session } = await mountModule({}, 2);
      assert((await Deno.stat(`${path}/file`)).isFile);
      await using control = await openConnectionControl(path);
      const client = end.endsWith("waits") ? readOnCore(0, `${path}/wait-0`) : undefined;
      await waitFor("the client", async () => client === undefined || await control.waiting() === 1);
      if (end === "aborted") await control.abort();
      else if (client !== undefined) await session.unmount();
      else assertEquals(await run("umount", path), 0);
      await session.finished;
      if (client !== undefined) assertEquals((await client.status).success, false);
      assertEquals(await findMount(path), undefined);
      await Deno.remove(path);
    });
  }
});

overUring("a server that is killed leaves no one waiting", async () => {
  await using folder = await temporaryFolder();
  await using mount = await withUring(() =>
    MountProcess.start(`${folder.path}/mnt`, ["-o", "transport=uring,entry_timeout=0"])
  );
  await Deno.writeTextFile(`${mount.mountpoint}/file`, "text");
  await using client = await PosixClient.start();
  const file = await client.open(`${mount.mountpoint}/file`, "O_RDWR");
  await run("kill", "-KILL", `${mount.pid}`);
  await mount.ended();
  const error = await assertRejects(() => client.close(file).then(() => Deno.stat(`${mount.mountpoint}/file`)));
  assert(["ENOTCONN", "ECONNABORTED", "ECANCELED"].includes((error as { code: string }).code), String(error));
  await run("umount", "-l", mount.mountpoint);
});

overUring("unmounting while many clients are at work ends at once, and leaves no descriptor", async () => {
  const descriptors = async () => (await Array.fromAsync(Deno.readDir("/proc/self/fd"))).length;
  const round = async () => {
    await using mounted = await mountModule({}, 2);
    const clients = Array.from({ length: 4 }, () =>
      new Deno.Command("find", {
        args: [mounted.path, ...Array.from({ length: 2000 }, (_, index) => `${mounted.path}/${index}`)],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn());
    await waitFor("requests", () => (mounted.session.metrics()["LOOKUP"]?.count ?? 0) > 100);
    await mounted.session.unmount();
    for (const client of clients) await client.status;
  };
  await round();
  const before = await descriptors();
  for (let count = 0; count < 5; count++) await round();
  await waitFor("the descriptors to be closed", async () => await descriptors() <= before);
});

for (const [name, source, options] of [["memory", false, ""], ["passthrough", true, ",loops=2"]] as const) {
  overUring(`the suites on ${name}`, async (t) => {
    await using folder = await temporaryFolder();
    await Deno.mkdir(`${folder.path}/source`);
    const mountpoint = `${folder.path}/mnt`;
    const paths = source ? [`${folder.path}/source`, mountpoint] as const : mountpoint;
    await using mount = await withUring(() =>
      MountProcess.start(paths, ["-o", `allow_other,transport=uring${options}`])
    );
    await runSuites(t, mount.mountpoint, { only: ["conformance", "torture"] });
  });
}
