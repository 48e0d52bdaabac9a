/** A module in handler workers that outlives its servers: killed, hung or replaced, and the next one answers. */
import { NOTIFY_THREAD } from "../../src/messages.ts";
import { type KeptMount, mount } from "../../src/mount.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { NUMBERS, read } from "../support/kept_numbers.ts";
import { waitFor } from "../support/mounted.ts";
import { describePauses, killDuring, replaceServer } from "../support/server_killer.ts";
import { prepareWorks } from "../support/storm_works.ts";
import type { KeptHandlerOptions } from "./kept_handler_module.ts";

const MODULE = new URL("kept_handler_module.ts", import.meta.url);
const NOTIFYING = new URL("kept_notifying_module.ts", import.meta.url);
const KILLS = Number(Deno.env.get("TRELLIS_KILLS") ?? 20);

interface KeptHandler extends AsyncDisposable {
  readonly path: string;
  /** The module's folder. */
  readonly folder: string;
  readonly kept: KeptMount;
  readonly log: string[];
}

interface KeptHandlerTest extends Partial<KeptHandlerOptions> {
  readonly hangTimeout?: number;
  readonly module?: URL;
  readonly workers?: number;
  readonly resend?: boolean;
}

async function keepHandler(
  { hangTimeout = 120, module = MODULE, workers = 1, resend = true, ...options }: KeptHandlerTest = {},
): Promise<KeptHandler> {
  const [path, folder] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  const log: string[] = [];
  const placement = { module, placement: "handler", workers, options: { folder, ...options } } as const;
  const kept = await mount(placement, path, {
    ...{ process: "separate", restarts: 10_000, hangTimeout, resend, defaultPermissions: true },
    log: (message, detail) => log.push(`${message} ${detail}`),
  });
  return {
    ...{ path, folder, kept, log },
    async [Symbol.asyncDispose]() {
      await kept.unmount();
      await Deno.remove(path);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Looks a name up that is not there. */
function lookUp({ path }: KeptHandler, name: string): Promise<string> {
  return Deno.lstat(`${path}/${name}`).then(() => "there", (error) => error.name);
}

/** Waits until so many requests of a name have come to the server that serves now. */
async function askedFor({ folder, kept }: KeptHandler, name: string, count = 1): Promise<void> {
  const asked = () => Deno.readTextFile(`${folder}/asked-${kept.server.pid}`).catch(() => "");
  await waitFor(`"${name}" to be asked for`, async () => (await asked()).split(`${name}\n`).length > count);
}

function release({ folder }: KeptHandler): Promise<void> {
  return Deno.writeTextFile(`${folder}/release`, "");
}

Deno.test("servers killed at random moments, while many requests are under way in their handlers", async () => {
  await using mounted = await keepHandler();
  const { path, kept } = mounted;
  await using works = await prepareWorks(path);
  const { model, mixed, oneFile } = works;
  const { count, pauses } = await killDuring([model, mixed, oneFile], {
    ...{ mountpoint: path, keeper: kept.keeper, kills: KILLS, longest: 300 },
  });
  console.log(`${count} servers killed: ${describePauses(pauses)}`);
  assertEquals(await Array.fromAsync(Deno.readDir(path)), []);
  // Each worker is told of those before it in its place, of which some were killed before they wrote this.
  const made = (await Deno.readTextFile(`${mounted.folder}/made`)).trim().split("\n").map(Number);
  assert(made.every((restarts, index) => index === 0 || restarts > made[index - 1]!), made.join());
});

Deno.test("several workers: what each had under way is answered by the next server", async () => {
  await using mounted = await keepHandler({ module: NUMBERS, workers: 2 });
  const { path, folder, kept } = mounted;
  const asked = () => Deno.readTextFile(`${folder}/asked-${kept.server.pid}`).catch(() => "");
  // These keep their workers.
  const clients = ["stuck-one", "stuck-two"].map((name) => Deno.stat(`${path}/${name}`));
  await waitFor("both workers to be asked", async () => (await asked()).split("\n").length > 2);
  await replaceServer(mounted);
  await waitFor("both to be asked again", async () => (await asked()).split("\n").length > 2);
  const told = JSON.parse(await Deno.readTextFile(`${folder}/interrupted-1`)) as (number | null)[];
  assertEquals(told.length, 2);
  assert(told.every((unique) => unique !== null));
  await release(mounted);
  assertEquals((await Promise.all(clients)).map(({ size }) => size), [8, 8]);
  assertEquals((await Deno.stat(`${path}/42`)).size, 3);
});

Deno.test("a request that takes longer than hangTimeout is no hang", async () => {
  const hangTimeout = 4;
  await using mounted = await keepHandler({ hangTimeout });
  const waiting = lookUp(mounted, "slow");
  await askedFor(mounted, "slow");
  const end = performance.now() + 2 * hangTimeout * 1000;
  await waitFor("twice that time", () => performance.now() > end);
  await release(mounted);
  assertEquals(await waiting, "NotFound");
  assertEquals(mounted.kept.server.restarts, 0, mounted.log.join("\n"));
});

Deno.test("an isolate that does not come round is ended, and what it had is answered", async () => {
  await using mounted = await keepHandler({ hangTimeout: 2 });
  const slow = lookUp(mounted, "slow");
  await askedFor(mounted, "slow");
  const stuck = lookUp(mounted, "stuck");
  await release(mounted);
  assertEquals(await Promise.all([slow, stuck]), ["NotFound", "NotFound"]);
  assert(mounted.kept.server.restarts > 0);
  assert(mounted.log.some((line) => line.includes("has not come round to its events")), mounted.log.join("\n"));
});

Deno.test("a server that is replaced on request answers what it can, and the next one the rest", async () => {
  await using mounted = await keepHandler();
  const { path, kept } = mounted;
  const { pid } = kept.server;
  using file = await Deno.open(`${path}/file`, { create: true, write: true });
  const names = ["slow-1", "slow-2", "none"];
  const waiting = names.map((name) => lookUp(mounted, name));
  await askedFor(mounted, "slow", 2);
  await kept.restart();
  assert(kept.server.pid !== pid);
  await file.write(new TextEncoder().encode("held open"));
  await askedFor(mounted, "slow", 2);
  await release(mounted);
  assertEquals(await Promise.all(waiting), names.map(() => "NotFound"));
  assertEquals(await Deno.readTextFile(`${path}/file`), "held open");
  assertEquals(mounted.log, []);
});

Deno.test("a server whose isolate hangs is replaced on request, and what it had is answered", async () => {
  await using mounted = await keepHandler();
  const stuck = lookUp(mounted, "stuck");
  await askedFor(mounted, "stuck");
  await mounted.kept.restart();
  assertEquals(await stuck, "NotFound");
  assertEquals(mounted.log, []);
});

Deno.test("a worker that ends by itself is replaced in its server: what it had is EIO, as without a keeper", async () => {
  await using mounted = await keepHandler();
  const { kept, path, folder } = mounted;
  await Deno.writeTextFile(`${path}/file`, "kept");
  const failed = await Deno.lstat(`${path}/die`).then(() => "", (error) => error.message);
  assert(/Input\/output error/.test(failed), failed);
  assertEquals(await Deno.readTextFile(`${path}/file`), "kept");
  assertEquals(kept.server.restarts, 0);
  await replaceServer(mounted);
  assertEquals(await Deno.readTextFile(`${path}/file`), "kept");
  assertEquals(await Deno.readTextFile(`${folder}/made`), "0\n1\n2\n");
});

Deno.test("where the mount is made anew the next server's workers serve that", async () => {
  await using mounted = await keepHandler({ resend: false });
  await Deno.writeTextFile(`${mounted.path}/file`, "kept");
  await replaceServer(mounted);
  assertEquals(await Deno.readTextFile(`${mounted.path}/file`), "kept");
  assertEquals(mounted.kept.server.mountedAnew, 1);
});

Deno.test("deadlines and bounds are the next server's as well, also of one in reserve", async () => {
  const [path, folder] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  {
    await using kept = await mount({ module: MODULE, placement: "handler", options: { folder } }, path, {
      ...{ process: "separate", spare: true, deadlines: { metadata: 2000 }, bounds: { metadata: 1 } },
    });
    const failed = async () => await Deno.lstat(`${path}/slow`).then(() => "", (error) => error.message);
    assert(/timed out/.test(await failed()));
    await replaceServer({ kept });
    assert(/timed out/.test(await failed()));
  }
  await Deno.remove(path);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("what cannot be served by a process of its own is refused before there is one", async (t) => {
  const separate = { process: "separate" } as const;
  const handler = { module: MODULE, placement: "handler" } as const;
  await t.step("an object", async () => {
    const object = { getAttributes: () => ({ mode: 0o40755 }) };
    await assertRejects(
      () => mount(object as never, "/dev/null", separate),
      TypeError,
      "lives in the process that made",
    );
  });
  await t.step("limits that JSON cannot say", async () => {
    const endless = { ...separate, bounds: { data: Infinity } };
    await assertRejects(() => mount(handler, "/dev/null", endless), RangeError, "bounds.data = Infinity");
    const beside = { module: MODULE, handlers: [{ deadlines: { data: Infinity } }] };
    await assertRejects(() => mount(beside, "/dev/null", separate), RangeError, "deadlines.data = Infinity");
  });
  await t.step("limits of loops, and numbers that make no sense", async () => {
    await assertRejects(
      () => mount({ module: MODULE }, "/tmp", { ...separate, deadlines: {} }),
      TypeError,
      "in a loop",
    );
    await assertRejects(() => mount({ ...handler, workers: 17 }, "/tmp", separate), RangeError, "17 workers");
    const senseless = { ...separate, deadlines: { data: -1 } };
    await assertRejects(() => mount(handler, "/tmp", senseless), RangeError, "deadlines.data");
  });
});

/** Whether a thread of the process waits in the kernel to tell it something. */
async function isNotifying(pid: number): Promise<boolean> {
  const threads = await Array.fromAsync(Deno.readDir(`/proc/${pid}/task`));
  const states = threads.map(({ name }) => Deno.readTextFile(`/proc/${pid}/task/${name}/stat`).catch(() => ""));
  return (await Promise.all(states)).some((stat) => stat.includes(`(${NOTIFY_THREAD.slice(0, 15)}) D`));
}

Deno.test("what is asked while a server goes, which the kernel lets wait with a notification, is left to the next one", async () => {
  await using mounted = await keepHandler({ module: NOTIFYING });
  const { path, folder, kept } = mounted;
  const reader = read(`${path}/file`);
  await waitFor("the read to come", () => Deno.stat(`${folder}/asked`).then(() => true, () => false));
  await waitFor("the notification to wait", () => isNotifying(kept.server.pid));
  let goesOn = true;
  const asking = (async () => {
    const answers = new Set<string>();
    for (let count = 0; goesOn; count++) answers.add(await lookUp(mounted, `none-${count}`));
    return [...answers];
  })();
  await kept.restart();
  goesOn = false;
  assertEquals(await asking, ["NotFound"]);
  assertEquals(await reader, "read by the next server\n");
});
