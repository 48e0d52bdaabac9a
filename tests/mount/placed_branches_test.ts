/** A tree whose branches are served apart, on live mounts: by two loops, and by handlers that answer late, never, or die. */
import { assert, assertEquals } from "../deps.ts";
import { run, shell } from "../support/command.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import type { LimitOptions } from "../../src/handler/limits.ts";
import type { PlacedOptions } from "./placed_module.ts";
import { NO_URING, withUring } from "../support/uring.ts";
import { WORD } from "./pool_module.ts";
import { runSuites } from "./suites.ts";

const SKIPPED = NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : "";
const MODULE = new URL("placed_module.ts", import.meta.url);

interface Placed extends Mounted {
  readonly source: string;
  readonly log: string[];
  word(name: keyof typeof WORD): number;
  openGate(): void;
  /** How many requests of an operation are not answered yet. */
  inFlight(operation: string): number;
}

interface PlacedTest extends Partial<PlacedOptions> {
  /** The limits of the handler of /dead. */
  readonly limits?: LimitOptions;
  readonly timeout?: number;
}

async function mountPlaced({ limits = {}, timeout = 0, ...special }: PlacedTest = {}): Promise<Placed> {
  const folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/file`, "of the host");
  const control = new Int32Array(new SharedArrayBuffer(64));
  const log: string[] = [];
  const options: PlacedOptions = { source: folder.path, control, ...special };
  const mounted = await mountTemporarily({ module: MODULE, loops: 2, handlers: [{}, limits], options }, {
    entryTimeout: timeout,
    attributesTimeout: timeout,
    defaultPermissions: true,
    allowOther: true,
    log: (message, detail) => log.push(`${message}: ${detail}`),
  });
  const openGate = () => Atomics.store(control, WORD.gate, 1);
  return {
    path: mounted.path,
    session: mounted.session,
    source: folder.path,
    log,
    word: (name) => Atomics.load(control, WORD[name]),
    openGate,
    inFlight: (operation) => mounted.session.metrics()[operation]?.inFlight ?? 0,
    async [Symbol.asyncDispose]() {
      await mounted[Symbol.asyncDispose]();
      // A thread in an endless loop ends with it.
      openGate();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What `cat` says of a file: its contents, or the error. */
async function cat(path: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("cat", { args: [path], env: { LC_ALL: "C" } }).output();
  return new TextDecoder().decode(stdout) + (new TextDecoder().decode(stderr).split(": ").at(-1) ?? "").trim();
}

function startCat(path: string): Deno.ChildProcess {
  return new Deno.Command("cat", { args: [path], stdout: "null", stderr: "null" }).spawn();
}

Deno.test({
  name: `a branch in a handler of a tree in two loops: every suite${SKIPPED}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using placed = await mountPlaced({ timeout: 1 });
    await runSuites(t, `${placed.path}/memory`, { only: ["conformance", "model"] });
  },
});

Deno.test("branches of loops and of handlers are one tree", async () => {
  await using placed = await mountPlaced();
  const { path } = placed;
  const sh = async (script: string) => (await shell(script, { cwd: "/", env: { T: path, LC_ALL: "C" } })).stdout;
  assertEquals(await sh(`ls -a $T`), ".\n..\ndead\nfile\nmemory\n");
  assertEquals(
    await sh(`cd $T; echo 1 > memory/a; mkdir memory/d; mv memory/a memory/d/b; cat memory/d/b file`),
    "1\nof the host",
  );
  assertEquals(
    await sh(`cd $T; mv file memory/file; ls; cat memory/file; mv memory/file file`),
    "dead\nmemory\nof the host",
  );
  assertEquals(
    await sh(`ln $T/file $T/memory/link 2>&1 || true`).then((said) => /Invalid cross-device link/.test(said)),
    true,
  );
  assertEquals(await sh(`rmdir $T/memory 2>&1 || true`).then((said) => /busy/.test(said)), true);
  // A branch of one handler below one of another, and the directory between.
  assertEquals(
    await sh(`cd $T/dead; ls; ls on; echo 2 > on/way/c; cat on/way/c; cd on/way/../..; cat plain`),
    "on\nway\n2\nabcd",
  );
  assertEquals(
    (await sh(`stat -c %i $T $T/memory $T/memory/.. $T/memory/d/.. $T/dead/on/way/../..`)).split("\n").length,
    6,
  );
  assertEquals(
    await sh(`cd $T; head -c 1000000 /dev/urandom > memory/big; cp memory/big big; cmp memory/big big && echo same`),
    "same\n",
  );
  await sh(`sync -f $T/file; stat -f $T/memory $T; rm -r $T/memory/*`);
  assertEquals(placed.log, []);
});

Deno.test({
  name: "loops with handlers beside them take the device, where every core could have a ring" +
    (NO_URING === undefined ? "" : ` (skipped: ${NO_URING})`),
  ignore: NO_URING !== undefined,
  fn: async () => {
    const options = { source: "/tmp", control: new Int32Array(new SharedArrayBuffer(64)) };
    const placement = { module: MODULE, loops: navigator.hardwareConcurrency, handlers: [{}, {}], options };
    await using mounted = await withUring(() => mountTemporarily(placement));
    assertEquals(mounted.session.transport, "device");
    await Deno.writeTextFile(`${mounted.path}/memory/a`, "b");
    assertEquals(await Deno.readTextFile(`${mounted.path}/memory/a`), "b");
  },
});

Deno.test("a branch that never answers, and one whose thread hangs, hold up nobody else", async (t) => {
  for (const how of ["never", "spin"]) {
    await t.step(how, async () => {
      await using placed = await mountPlaced();
      const { path } = placed;
      const reader = startCat(`${path}/dead/${how}`);
      await waitFor("the read", () => placed.word("begun") === 1);
      assertEquals(await cat(`${path}/file`), "of the host");
      assertEquals((await run(["ls", path])).stdout, "dead\nfile\nmemory\n");
      await Deno.writeTextFile(`${path}/memory/a`, "b");
      assertEquals(await Deno.readTextFile(`${path}/memory/a`), "b");
      // Many more than fit on the way to a thread that reads none of them.
      const lookups = new Deno.Command("sh", {
        args: ["-c", `for i in $(seq 600); do stat "$0/dead/$i" & done 2>/dev/null >&2; wait`, path],
      }).spawn();
      if (how === "spin") await waitFor("many lookups", () => placed.inFlight("LOOKUP") >= 500);
      else await lookups.status;
      assertEquals(await cat(`${path}/file`), "of the host");
      assertEquals(await Deno.readTextFile(`${path}/memory/a`), "b");
      if (how === "spin") {
        placed.openGate();
        await lookups.status;
        assertEquals(placed.inFlight("LOOKUP"), 0);
      }
      // What a handler has the kernel waits for, whatever befalls the caller; but not after the end.
      if (how === "never") await placed.session.unmount();
      await reader.status;
    });
  }
});

Deno.test("a handler that dies: its requests are EIO, another takes its place, and the other branches live on", async () => {
  await using placed = await mountPlaced();
  const { path } = placed;
  await Deno.writeTextFile(`${path}/memory/a`, "b");
  const waiting = startCat(`${path}/dead/never`);
  await waitFor("the read", () => placed.word("begun") === 1);
  for (const how of ["throw", "exit", "close"]) {
    assertEquals(await cat(`${path}/dead/${how}`), "Input/output error");
    assertEquals(await cat(`${path}/dead/plain`), "abcd");
  }
  assertEquals((await waiting.status).code, 1);
  assertEquals(await Deno.readTextFile(`${path}/memory/a`), "b");
  assertEquals(placed.log.length, 3, placed.log.join("\n"));
  assertEquals(await cat(`${path}/dead/throw`), "Input/output error");
  await waitFor("the log line", () => placed.log.some((line) => line.includes("what handler 1 serves answers EIO")));
  assertEquals(await cat(`${path}/dead/plain`), "Input/output error");
  assertEquals(await cat(`${path}/file`), "of the host");
  assertEquals(await Deno.readTextFile(`${path}/memory/a`), "b");
  assertEquals((await run(["ls", path])).stdout, "dead\nfile\nmemory\n");
  await waitFor(
    "nothing to be in flight",
    () => Object.keys(placed.session.metrics()).every((name) => placed.inFlight(name) === 0),
  );
});

Deno.test("deadlines are each handler's; one that hangs is replaced", async () => {
  await using placed = await mountPlaced({ limits: { deadlines: { data: 2000 } } });
  const { path } = placed;
  assertEquals(await cat(`${path}/dead/never`), "Connection timed out");
  assertEquals(await cat(`${path}/dead/spin`), "Connection timed out");
  assertEquals(await cat(`${path}/dead/plain`), "abcd");
  assert(placed.log.some((line) => line.includes("It hangs")), placed.log.join("\n"));
});

Deno.test("a thousand reads beside deaths of their handler: each has one outcome", async () => {
  await using placed = await mountPlaced();
  // Each outcome is said in one write: what cat complains it writes in pieces, between which another may write.
  const script = `
    read_one() { said=$(cat "$0/$1" 2>&1); echo "\${said##*: }"; }
    for i in $(seq 1000); do
      read_one plain; case $i in 250|500|750) read_one throw & esac
    done; wait`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, `${placed.path}/dead`], env: { LC_ALL: "C" } })
    .output();
  const outcomes = Map.groupBy(new TextDecoder().decode(stdout).trimEnd().split("\n"), (outcome) => outcome);
  const read = outcomes.get("abcd")?.length ?? 0;
  const refused = outcomes.get("Input/output error")?.length ?? 0;
  assertEquals([read + refused, outcomes.size], [1003, 2], [...outcomes.keys()].join());
  assert(refused >= 3);
  assertEquals(placed.word("restarts"), 6);
});

Deno.test("an interrupt finds its request in a handler, whichever loop reads it", async () => {
  await using placed = await mountPlaced();
  const readers = Array.from({ length: 20 }, () => startCat(`${placed.path}/dead/slow`));
  await waitFor("twenty reads", () => placed.word("begun") === 20);
  for (const reader of readers) reader.kill("SIGTERM");
  for (const reader of readers) assertEquals((await reader.status).success, false);
  assertEquals(placed.word("aborted"), 20);
});

Deno.test("an unmount does not wait for ever for a handler", async (t) => {
  for (const how of ["never", "spin", "released"]) {
    await t.step(how, async () => {
      const placed = await mountPlaced();
      let reader: Deno.ChildProcess;
      {
        await using _ = placed;
        reader = startCat(`${placed.path}/dead/${how}`);
        await waitFor("the request", () => placed.word(how === "released" ? "released" : "begun") > 0);
      }
      await reader.status;
    });
  }
});

Deno.test("what is forgotten reaches the handler, alone and many at a time", async () => {
  await using placed = await mountPlaced({ timeout: 60 });
  const { path } = placed;
  // A file without a name is freed when it is forgotten, and only then.
  const used = async () =>
    Number(
      (await run(["stat", "-f", "-c", "%c %d", `${path}/memory`])).stdout.split(" ").reduce((all, free) =>
        String(Number(all) - Number(free))
      ),
    );
  const before = await used();
  await shell(`cd "$0/memory" && for i in $(seq 3000); do : > $i; done && rm -f *`.replaceAll("$0", path));
  await waitFor("the files to be freed", async () => await used() === before);
});
