/** Loops of one mount share the attendance to the device: none is held up by another's request, and all end. */
import { assert, assertEquals } from "../deps.ts";
import type { MountOptions } from "../../mod.ts";
import { NO_CONTROL, openConnectionControl } from "../support/connection_control.ts";
import { run } from "../support/cli_process.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { ANSWERED, BLOCKED, GATE } from "./attendance_module.ts";

const MODULE = new URL("attendance_module.ts", import.meta.url);

/** Mounts the module in `loops` loops, which all wait for requests, and one of them alone at first. */
async function mountLoops(loops: number): Promise<{ mounted: Mounted; words: Int32Array<SharedArrayBuffer> }> {
  const words = new Int32Array(new SharedArrayBuffer(4 * (ANSWERED + loops)));
  const options: MountOptions = { attributesTimeout: 0, entryTimeout: 0, transport: "device" };
  return { mounted: await mountTemporarily({ module: MODULE, options: words, loops }, options), words };
}

/** Lets go of who is at the gate, and shuts it again. */
async function openGate(words: Int32Array<SharedArrayBuffer>): Promise<void> {
  Atomics.store(words, GATE, 1);
  Atomics.notify(words, GATE);
  await waitFor("nobody at the gate", () => Atomics.load(words, BLOCKED) === 0);
  Atomics.store(words, GATE, 0);
}

for (const loops of [2, 4]) {
  Deno.test(`a request that holds up one loop holds up no other request, with ${loops} loops`, async () => {
    const { mounted, words } = await mountLoops(loops);
    await using _ = mounted;
    for (let round = 0; round < 30; round++) {
      const blocked = Deno.stat(`${mounted.path}/gate`);
      await waitFor("a loop at the gate", () => Atomics.load(words, BLOCKED) === 1);
      for (let count = 0; count < 10; count++) assert((await Deno.stat(mounted.path)).isDirectory);
      await openGate(words);
      assert((await blocked).isFile);
    }
  });
}

/** More requests of one caller than all loops serve together before one tries to do it alone. */
const LEFT_ALONE = 3_000;

Deno.test("a request that is tried again, and holds up who attends alone, holds up no other request", async () => {
  const { mounted, words } = await mountLoops(2);
  await using _ = mounted;
  for (let round = 0; round < 3; round++) {
    // A shell is one caller; the pool of threads behind asynchronous calls is several.
    const script = `i=0; while [ $i -lt ${LEFT_ALONE} ]; do [ -d "$1" ] || exit 1; i=$((i + 1)); done`;
    assertEquals(await run("sh", "-c", script, "sh", mounted.path), 0);
    const blocked = Deno.stat(`${mounted.path}/later`);
    await waitFor("a loop at the gate", () => Atomics.load(words, BLOCKED) === 1);
    let answered = false;
    const beside = Deno.stat(mounted.path).then(() => answered = true);
    try {
      await waitFor("an answer beside", () => answered);
    } finally {
      await openGate(words);
      await Promise.all([beside, blocked]);
    }
  }
});

Deno.test("loops that rest end when somebody else unmounts", async () => {
  const { mounted: { path, session } } = await mountLoops(3);
  assertEquals(await run("umount", path), 0);
  await session.finished;
  await Deno.remove(path);
});

Deno.test({
  name: `a connection that is aborted while one loop is held up and the others rest ends them all${
    NO_CONTROL === undefined ? "" : ` (skipped: ${NO_CONTROL})`
  }`,
  ignore: NO_CONTROL !== undefined,
  fn: async () => {
    const { mounted: { path, session }, words } = await mountLoops(3);
    await using control = await openConnectionControl(path);
    const blocked = Deno.stat(`${path}/gate`).catch((error) => error);
    await waitFor("a loop at the gate", () => Atomics.load(words, BLOCKED) === 1);
    await control.abort();
    assert(await blocked instanceof Error);
    await openGate(words);
    await session.finished;
    await Deno.remove(path);
    assertEquals(session.metrics()["LOOKUP"]?.count, 1);
  },
});
