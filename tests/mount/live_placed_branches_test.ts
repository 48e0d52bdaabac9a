/** Branches of a tree in loops that change beside branches in handlers, which work on, die, or hang meanwhile. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type BranchModule, FsError } from "../../mod.ts";
import { run, shell } from "../support/command.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { descriptorsBelow } from "../support/growth.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import type { PlacedOptions } from "./placed_module.ts";
import { WORD } from "./pool_module.ts";

const TREE = new URL("placed_module.ts", import.meta.url);

function directory(source: string): BranchModule {
  return { module: new URL("../../src/layers/passthrough/module.ts", import.meta.url), options: { source } };
}

/** Directories "root", "one" and "two", each with a file of its name; "root" is mounted, in two loops and two handlers. */
interface Place extends AsyncDisposable {
  readonly source: string;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly mounted: Mounted;
  /** What a shell prints in the mountpoint. */
  sh(script: string): Promise<string>;
  /** Has handler 1 die and waits for the next. */
  kill(): Promise<void>;
}

async function openPlace(): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  const { path: source } = undo.use(await temporaryFolder());
  for (const name of ["root", "one", "two"]) {
    await Deno.mkdir(`${source}/${name}`);
    await Deno.writeTextFile(`${source}/${name}/${name}`, name);
  }
  const control = new Int32Array(new SharedArrayBuffer(64));
  undo.defer(() => void Atomics.store(control, WORD.gate, 1));
  const options: PlacedOptions = { source: `${source}/root`, control };
  const placement = { module: TREE, loops: 2, handlers: [{}, {}], options };
  const mounted = undo.use(await mountTemporarily(placement, { log: () => {} }));
  const kept = undo.move();
  const sh = async (script: string) => (await shell(script, { cwd: mounted.path, env: { LC_ALL: "C" } })).stdout;
  return {
    source,
    control,
    mounted,
    sh,
    kill: async () => {
      await run(["cat", `${mounted.path}/dead/throw`], { accept: [1] });
      assertEquals(await sh("cat dead/plain"), "abcd");
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function refusal(attempt: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(attempt);
  assert(error instanceof FsError, String(error));
  return error.code;
}

/** From many processes, so that every loop is asked. */
const MANY = (command: string) => `for i in 1 2 3 4 5 6; do (for j in 1 2 3; do ${command}; done) & done; wait`;

Deno.test("branches come and go beside and within branches of handlers, which work on", async () => {
  await using place = await openPlace();
  const { source, mounted: { session }, sh } = place;
  const stop = `${source}/stop`;
  const worker = sh(`
    mkdir -p memory/way; n=0
    while [ ! -e ${stop} ]; do
      n=$((n+1)); echo $n > memory/count && [ "$(cat memory/count dead/plain)" = "$n
abcd" ] || { echo failed at $n; exit; }
    done; echo fine $((n > 0))`);
  const looker = sh(`
    while [ ! -e ${stop} ]; do cat dead/a/one dead/a/two memory/way/to/a/one dead/on/way/a/two; done 2>&1 >/dev/null |
      sed 's/.*: //' | sort -u`);
  for (let turn = 0; turn < 3; turn++) {
    for (const path of ["/a", "/dead/a", "/memory/way/to/a", "/dead/on/way/a"]) {
      const at = `.${path}`;
      const parent = at.slice(0, at.lastIndexOf("/"));
      await session.graft(path, directory(`${source}/one`));
      assertEquals(await sh(MANY(`cat ${at}/one`)), "one".repeat(18));
      assertEquals(await sh(`ls ${parent} | grep -x a`), "a\n");
      await session.replace(path, directory(`${source}/two`));
      assertEquals(await sh(MANY(`ls ${at}`)), "two\n".repeat(18));
      await (await session.prune(path)).ended;
      assertEquals(await sh(MANY(`ls ${at} 2>/dev/null || echo none`)), "none\n".repeat(18));
      assertEquals(await sh(`ls ${parent} 2>/dev/null | grep -x a || :`), "");
      assertEquals(descriptorsBelow(`${source}/one`) + descriptorsBelow(`${source}/two`), 0);
    }
  }
  await Deno.writeTextFile(stop, "");
  assertEquals(await worker, "fine 1\n");
  for (const said of (await looker).trim().split("\n")) {
    assert(["No such file or directory", "Stale file handle"].includes(said), said);
  }
});

Deno.test("a handler that takes a dead one's place has the tree as it is by then", async () => {
  await using place = await openPlace();
  const { source, mounted: { session }, sh, kill } = place;
  await session.graft("/dead/x", directory(`${source}/one`));
  await session.graft("/dead/deep/y", directory(`${source}/one`));
  await session.prune("/dead/x");
  await session.graft("/dead/a", directory(`${source}/two`));
  const inodes = await sh("stat -c %i dead/deep dead/deep/y dead/a");
  await kill();
  assertEquals(await sh("ls dead; ls dead/deep; cat dead/a/two dead/deep/y/one"), "a\ndeep\non\ny\ntwoone");
  assertEquals(await sh("stat -c %i dead/deep dead/deep/y dead/a"), inodes);
  await session.changeBranches([
    { action: "prune", path: "/dead/deep/y" },
    { action: "replace", path: "/dead/a", branch: directory(`${source}/one`) },
  ]);
  assertEquals(await sh("ls dead; cat dead/a/one"), "a\non\none");
  await kill();
  assertEquals(await sh("ls dead; cat dead/a/one"), "a\non\none");
});

Deno.test("a change beside deaths of a handler is made, in all loops and handlers", async () => {
  await using place = await openPlace();
  const { source, mounted: { path, session }, sh } = place;
  for (let death = 0; death < 3; death++) {
    const dying = run(["cat", `${path}/dead/throw`], { accept: [1] });
    for (let turn = 0; turn < 10; turn++) {
      await session.graft("/dead/a", directory(`${source}/one`));
      await session.replace("/dead/a", directory(`${source}/two`));
      if (turn < 9) await session.prune("/dead/a");
    }
    await dying;
    assertEquals(await sh("cat dead/plain; ls dead; cat dead/a/two"), "abcda\non\ntwo");
    await session.prune("/dead/a");
    assertEquals(await sh("ls dead"), "on\n");
  }
});

Deno.test("a handler's busy thread stops a change of its branch, which can be made when it comes round, and no other", async () => {
  await using place = await openPlace();
  const { source, control, mounted: { path, session }, sh } = place;
  const reader = new Deno.Command("cat", { args: [`${path}/dead/spin`], stdout: "null", stderr: "null" }).spawn();
  await waitFor("the read", () => Atomics.load(control, WORD.begun) === 1);
  assertEquals(await refusal(() => session.graft("/dead/a", directory(`${source}/one`))), "ETIMEDOUT");
  assertEquals(descriptorsBelow(`${source}/one`), 0);
  // It is in nobody's way, and has all of these changes when it comes round.
  await session.graft("/way/x", directory(`${source}/one`));
  await session.graft("/y", directory(`${source}/one`));
  await (await session.prune("/way/x")).ended;
  await session.graft("/memory/z", directory(`${source}/two`));
  assertEquals(await sh("ls; cat y/one memory/z/two"), "dead\nmemory\nroot\ny\nonetwo");
  Atomics.store(control, WORD.gate, 1);
  await reader.status;
  await session.graft("/dead/way/x", directory(`${source}/one`));
  await session.graft("/dead/a", directory(`${source}/one`));
  assertEquals(await sh("ls dead; cat dead/a/one dead/way/x/one y/one"), "a\non\nway\noneoneone");
  await place.kill();
  assertEquals(await sh("ls dead; cat dead/a/one dead/way/x/one y/one"), "a\non\nway\noneoneone");
});
