/**
 * A directory shown by servers that are killed: what is open, locked and under way outlives them. `TRELLIS_KILLS` says how
 * many are killed at random moments (default 30).
 */
import { type KeptMount, mount } from "../../src/mount.ts";
import { createDescriptorStore } from "../../src/kept/descriptor_store.ts";
import { openLibc } from "../../ffi/library.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { checkModel } from "../model/mod.ts";
import { MountProcess } from "../support/cli_process.ts";
import { compile, run } from "../support/command.ts";
import { waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { killDuring, killServer, percentile, serversOf } from "../support/server_killer.ts";

const MODULE = new URL("../../src/layers/passthrough/module.ts", import.meta.url);

/** The first number of a kept file's descriptor in a server. */
const KEPT_BASE = 1 << 16;

const NO_STORE = whyNoStore();

/** Why nothing can be kept here; undefined when it can. */
function whyNoStore(): string | undefined {
  const store = createDescriptorStore();
  if (store === undefined) return "this kernel keeps no open files (io_uring of Linux 6.8)";
  openLibc().symbols.close(store.ring);
}

function test(name: string, fn: () => Promise<void>, why = NO_STORE): void {
  Deno.test({ name: why === undefined ? name : `${name} (skipped: ${why})`, ignore: why !== undefined, fn });
}

interface Kept extends AsyncDisposable {
  readonly path: string;
  readonly source: string;
  readonly kept: KeptMount;
  readonly log: string[];
}

async function keepSource(options: Record<string, unknown> = {}): Promise<Kept> {
  const [path, source] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  const log: string[] = [];
  const kept = await mount({ module: MODULE, options: { source, ...options }, loops: 2 }, path, {
    process: "separate",
    restarts: 10_000,
    defaultPermissions: true,
    log: (message, detail) => log.push(`${message} ${detail}`),
  });
  return {
    ...{ path, source, kept, log },
    async [Symbol.asyncDispose]() {
      await kept.unmount();
      await Deno.remove(path);
      await Deno.remove(source, { recursive: true });
    },
  };
}

async function replaceServer({ kept }: Kept): Promise<void> {
  const { restarts } = kept.server;
  killServer(kept.keeper);
  await waitFor("another server", () => kept.server.restarts > restarts);
}

const text = new TextEncoder();

async function readAll(file: Deno.FsFile): Promise<string> {
  await file.seek(0, Deno.SeekMode.Start);
  const buffer = new Uint8Array(100);
  const length = await file.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}

test("files that are open outlive the server: with a name, without one, moved, and locked", async () => {
  await using mounted = await keepSource();
  const { path, source } = mounted;
  await Deno.mkdir(`${path}/one`);
  using file = await Deno.open(`${path}/one/file`, { create: true, read: true, write: true });
  using deleted = await Deno.open(`${path}/one/deleted`, { create: true, read: true, write: true });
  using appending = await Deno.open(`${path}/one/log`, { create: true, append: true });
  await file.write(text.encode("first"));
  await deleted.write(text.encode("without a name"));
  await appending.write(text.encode("a"));
  await Deno.remove(`${path}/one/deleted`);
  await file.lock(true);
  await replaceServer(mounted);
  assertEquals(await readAll(file), "first");
  assertEquals(await readAll(deleted), "without a name");
  await Deno.rename(`${path}/one`, `${path}/two`);
  await appending.write(text.encode("b"));
  await replaceServer(mounted);
  await file.write(text.encode(", then more"));
  await deleted.truncate(7);
  await appending.write(text.encode("c"));
  assertEquals(await Deno.readTextFile(`${source}/two/file`), "first, then more");
  assertEquals(await Deno.readTextFile(`${source}/two/log`), "abc");
  assertEquals(await readAll(deleted), "without");
  assertEquals((await deleted.stat()).nlink, 0);
  const { code } = await run(["flock", "-n", `${source}/two/file`, "true"], { accept: [0, 1] });
  assertEquals(code, 1, "the lock was lost with a server");
});

test("a directory goes on being listed where its reader was", async () => {
  await using mounted = await keepSource();
  const names = Array.from({ length: 500 }, (_, index) => `file-${index}-${"x".repeat(100)}`);
  for (const name of names) await Deno.writeTextFile(`${mounted.source}/${name}`, "");
  const found: string[] = [];
  for await (const { name } of Deno.readDir(mounted.path)) {
    found.push(name);
    if (found.length === 5) await replaceServer(mounted);
  }
  assertEquals(found.sort(), names.sort());
});

test("a server is replaced on request, and no operation fails", async () => {
  await using mounted = await keepSource();
  const { path, kept } = mounted;
  let goesOn = true;
  const writing = Promise.all([0, 1, 2].map(async (writer) => {
    let count = 0;
    for (; goesOn; count++) {
      const name = `${path}/${writer}-${count}`;
      await Deno.writeTextFile(name, name);
      await Deno.rename(name, `${name}-moved`);
      assertEquals(await Deno.readTextFile(`${name}-moved`), name);
      await Deno.remove(`${name}-moved`);
    }
    return count;
  }));
  for (let restart = 0; restart < 3; restart++) await kept.restart();
  goesOn = false;
  assert((await writing).every((count) => count > 0));
  assertEquals(kept.server.restarts, 3);
});

test("another directory at the source's path is not taken for the source", async () => {
  await using mounted = await keepSource();
  await Deno.writeTextFile(`${mounted.source}/kept`, "");
  await Deno.rename(mounted.source, `${mounted.source}-moved`);
  await Deno.mkdir(mounted.source);
  killServer(mounted.kept.keeper);
  await waitFor(
    "the refusal",
    () => mounted.log.some((line) => line.includes("another directory has the source's path")),
  );
  await Deno.remove(mounted.source);
  await Deno.rename(`${mounted.source}-moved`, mounted.source);
  assertEquals((await Deno.stat(`${mounted.path}/kept`)).size, 0);
});

test("memory is empty after its server, and works", async () => {
  const path = await Deno.makeTempDir();
  const module = new URL("../../src/layers/memory/module.ts", import.meta.url);
  {
    await using kept = await mount({ module, options: {} }, path, { process: "separate", log: () => {} });
    await Deno.writeTextFile(`${path}/one`, "gone with the server");
    using file = await Deno.open(`${path}/one`);
    const { restarts } = kept.server;
    killServer(kept.keeper);
    await waitFor("another server", () => kept.server.restarts > restarts);
    await assertRejects(() => file.read(new Uint8Array(1)));
    await waitFor("the name to be forgotten", () => Deno.stat(`${path}/one`).then(() => false, () => true));
    await Deno.writeTextFile(`${path}/two`, "new");
    assertEquals(await Deno.readTextFile(`${path}/two`), "new");
  }
  await Deno.remove(path);
});

test("servers killed at random moments, under many processes: nothing is lost, wrong or left behind", async () => {
  const kills = Number(Deno.env.get("TRELLIS_KILLS") ?? 30);
  await using mounted = await keepSource();
  const { path, kept } = mounted;
  const reference = await Deno.makeTempDir();
  await using mixed = await compile([new URL("../torture/mixed.c", import.meta.url)]);
  await using fsx = await compile([new URL("../torture/fsx.c", import.meta.url)]);
  const seed = (): string => String(crypto.getRandomValues(new Uint32Array(1))[0]);
  const within = { deadline: 1200 };
  const works = [
    () => checkModel(path, reference, { runs: 2, commandsPerRun: 100 }),
    () => checkModel(path, reference, { runs: 2, commandsPerRun: 100 }),
    async () => {
      const tree = await Deno.makeTempDir({ dir: path });
      await run([mixed.path, tree, "8", "100", seed()], within);
      await Deno.remove(tree);
    },
    async () => {
      const random = seed();
      await run([fsx.path, `${path}/fsx-${random}`, "500", random], within);
    },
  ];
  const { keeper } = kept;
  const { count, pauses } = await killDuring(works, { mountpoint: path, keeper, kills, longest: 300 });
  const [median, worst] = [percentile(pauses, 50), percentile(pauses, 99)].map(Math.round);
  console.log(`${count} servers killed: pauses of ${median} ms in the median, ${worst} ms at the 99th percentile`);
  const left = await Array.fromAsync(Deno.readDir(mounted.source), ({ name }) => name);
  assertEquals(left, []);
  await waitFor("all files to be closed", () => keptFiles(kept) === 0);
  assertEquals(serversOf(keeper).length, 1);
  await Deno.remove(reference);
});

/** How many files a server keeps open. */
function keptFiles({ keeper }: KeptMount): number {
  const numbers = serversOf(keeper).flatMap((server) => [...Deno.readDirSync(`/proc/${server}/fd`)]);
  return numbers.filter(({ name }) => Number(name) >= KEPT_BASE).length;
}

test("files are found again by their names where an ordinary user serves", async () => {
  await using user = await prepareOrdinaryUser();
  const [source, path, reference] = ["source", "mnt", "reference"].map((name) => `${user.folder}/${name}`) as [
    string,
    string,
    string,
  ];
  for (const folder of [source, reference]) {
    await Deno.mkdir(folder);
    await Deno.chown(folder, user.uid, user.uid);
  }
  await using mounted = await MountProcess.start([source, path], ["-o", "process=separate,loops=2"], user.invocation);
  const identity = { uid: user.uid, gid: user.uid };
  const working = checkModel(path, reference, { runs: 10, commandsPerRun: 100, user: identity });
  // As many as the budget of the tool has.
  for (let kill = 0; kill < 3; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 700));
    const [before] = serversOf(mounted.pid);
    killServer(mounted.pid);
    await waitFor("another server", () => serversOf(mounted.pid).some((server) => server !== before));
  }
  await working;
}, NO_STORE ?? NO_ORDINARY_USER);
