/**
 * A filesystem in memory whose files outlive the servers that are killed. `TRELLIS_KILLS` says how many are killed at
 * random moments (default 15).
 */
import { type KeptMount, mount } from "../../src/mount.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { checkModel } from "../model/mod.ts";
import { MountProcess, runCli, temporaryFolder } from "../support/cli_process.ts";
import { compile, run } from "../support/command.ts";
import { waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { killDuring, killServer, replaceServer, serversOf } from "../support/server_killer.ts";
import { runSuites } from "./suites.ts";

const MODULE = new URL("../../src/layers/memory/module.ts", import.meta.url);

interface Kept extends AsyncDisposable {
  readonly path: string;
  readonly kept: KeptMount;
  readonly log: string[];
}

async function keepMemory(settings: { readonly resend?: boolean } = {}): Promise<Kept> {
  const path = await Deno.makeTempDir();
  const log: string[] = [];
  const options = { keepContent: true, size: 64 << 20 };
  const kept = await mount({ module: MODULE, options }, path, {
    ...{ process: "separate", restarts: 10_000, defaultPermissions: true, ...settings },
    log: (message, detail) => log.push(`${message} ${detail}`),
  });
  return {
    ...{ path, kept, log },
    async [Symbol.asyncDispose]() {
      await kept.unmount();
      await Deno.remove(path);
    },
  };
}

Deno.test("files in memory outlive the server: by name, open, deleted and half listed", async () => {
  await using mounted = await keepMemory();
  const { path } = mounted;
  await Deno.mkdir(`${path}/directory`);
  const names = Array.from({ length: 300 }, (_, index) => `file-${index}-${"x".repeat(100)}`);
  for (const name of names) await Deno.writeTextFile(`${path}/directory/${name}`, name);
  using deleted = await Deno.open(`${path}/deleted`, { create: true, read: true, write: true });
  await deleted.write(new TextEncoder().encode("without a name"));
  await Deno.remove(`${path}/deleted`);
  const { ino } = await Deno.stat(`${path}/directory`);
  const found: string[] = [];
  for await (const { name } of Deno.readDir(`${path}/directory`)) {
    found.push(name);
    if (found.length === 5) await replaceServer(mounted);
  }
  assertEquals(found.sort(), names.sort());
  await deleted.seek(8, Deno.SeekMode.Start);
  const buffer = new Uint8Array(20);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, (await deleted.read(buffer))!)), "a name");
  for (const name of names) assertEquals(await Deno.readTextFile(`${path}/directory/${name}`), name);
  assertEquals((await Deno.stat(`${path}/directory`)).ino, ino);
  assertEquals(mounted.log.filter((line) => line.includes("is empty")), []);
});

Deno.test("files in memory are there when the mount is made anew", async () => {
  await using mounted = await keepMemory({ resend: false });
  const { path, kept } = mounted;
  await Deno.writeTextFile(`${path}/file`, "text");
  using open = await Deno.open(`${path}/file`);
  await replaceServer(mounted);
  assertEquals(await Deno.readTextFile(`${path}/file`), "text");
  await assertRejects(() => open.read(new Uint8Array(1)));
  assertEquals(kept.server.mountedAnew, 1);
});

Deno.test("servers of files in memory are killed at random moments, and nothing is lost or wrong", async () => {
  const kills = Number(Deno.env.get("TRELLIS_KILLS") ?? 15);
  await using mounted = await keepMemory();
  const { path, kept: { keeper } } = mounted;
  const reference = await Deno.makeTempDir();
  await using mixed = await compile([new URL("../torture/mixed.c", import.meta.url)]);
  await using fsx = await compile([new URL("../torture/fsx.c", import.meta.url)]);
  const seed = (): string => String(crypto.getRandomValues(new Uint32Array(1))[0]);
  const works = [
    () => checkModel(path, reference, { runs: 2, commandsPerRun: 100 }),
    async () => {
      const tree = await Deno.makeTempDir({ dir: path });
      await run([mixed.path, tree, "4", "100", seed()], { deadline: 1200 });
      await Deno.remove(tree);
    },
    async () => {
      const random = seed();
      await run([fsx.path, `${path}/fsx-${random}`, "500", random], { deadline: 1200 });
    },
  ];
  await killDuring(works, { mountpoint: path, keeper, kills, longest: 300 });
  assertEquals(await Array.fromAsync(Deno.readDir(path), ({ name }) => name), []);
  await Deno.remove(reference);
});

Deno.test({
  name: `files in memory that outlive the server behave as others do${
    NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""
  }`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using folder = await temporaryFolder();
    const options = ["-o", "process=separate,keep_content,allow_other"];
    await using mounted = await MountProcess.start(`${folder.path}/mnt`, options);
    await runSuites(t, mounted.mountpoint, { only: ["conformance"] });
  },
});

Deno.test("mount -o keep_content keeps the files, and wants a keeper", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  const { code, stderr } = await runCli(["mount", "-o", "keep_content,process=same", point]);
  assertEquals(code, 2);
  assert(stderr.includes("add process=separate"), stderr);
  await using mounted = await MountProcess.start(point, ["-o", "keep_content"]);
  await Deno.writeTextFile(`${point}/file`, "text");
  const [before] = serversOf(mounted.pid);
  killServer(mounted.pid);
  await waitFor("another server", () => serversOf(mounted.pid).some((server) => server !== before));
  assertEquals(await Deno.readTextFile(`${point}/file`), "text");
});
