/** Branches in handlers of their own that come and go while the tree is mounted, with their handlers. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type BranchModule, FsError, type LoopPlacement } from "../../mod.ts";
import { run, shell } from "../support/command.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { workerThreads } from "../support/growth.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import { DESTROYED, MADE, makeCounts, PREPARED, RELEASED } from "./counted_module.ts";
import type { PlacedOptions } from "./placed_module.ts";
import { WORD } from "./pool_module.ts";

const moduleAt = (path: string) => new URL(path, import.meta.url);

const MEMORY: BranchModule = { module: moduleAt("../../src/layers/memory/module.ts"), placement: "handler" };

function directory(source: string): BranchModule {
  return { module: moduleAt("../../src/layers/passthrough/module.ts"), options: { source } };
}

/** A tree in two loops, with a directory "root" at "/", and in a folder beside it a directory "one" with a file. */
interface Place extends AsyncDisposable {
  readonly source: string;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly log: string[];
  readonly mounted: Mounted;
  /** What a shell prints in the mountpoint, with what goes wrong. */
  sh(script: string): Promise<string>;
  /** A branch whose reads do what the file's name says; in a handler. */
  readonly pool: BranchModule;
}

/** With handlers 0 (at /memory and /dead/on/way) and 1 (at /dead), or with none. */
async function openPlace(handlers: boolean): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  earlierThreads = workerThreads();
  const { path: source } = undo.use(await temporaryFolder());
  for (const name of ["root", "one"]) {
    await Deno.mkdir(`${source}/${name}`);
    await Deno.writeTextFile(`${source}/${name}/${name}`, name);
  }
  const control = new Int32Array(new SharedArrayBuffer(64));
  const placed: PlacedOptions = { source: `${source}/root`, control };
  const branches = [{ path: "/", passthrough: { source: `${source}/root`, cache: "never" as const } }];
  const placement: LoopPlacement = handlers
    ? { module: moduleAt("placed_module.ts"), loops: 2, handlers: [{}, {}], options: placed }
    : {
      module: moduleAt("../support/branch_module.ts"),
      loops: 2,
      handlersLater: true,
      options: { branches, growing: true },
    };
  const log: string[] = [];
  const mounted = undo.use(await mountTemporarily(placement, { log: (message) => log.push(message) }));
  // A thread in an endless loop ends with it.
  undo.defer(() => void Atomics.store(control, WORD.gate, 1));
  const kept = undo.move();
  const environment = { LC_ALL: "C" };
  return {
    source,
    control,
    log,
    mounted,
    sh: async (script) => (await shell(`exec 2>&1; ${script}`, { cwd: mounted.path, env: environment })).stdout,
    pool: { module: moduleAt("pool_module.ts"), options: { control }, placement: "handler" },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function refusal(attempt: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(attempt);
  assert(error instanceof FsError, String(error));
  return error.code;
}

function startCat(path: string): Deno.ChildProcess {
  return new Deno.Command("cat", { args: [path], stdout: "null", stderr: "piped", env: { LC_ALL: "C" } }).spawn();
}

/** The last words of what `cat` complains. */
async function complaint(cat: Deno.ChildProcess): Promise<string> {
  const { stderr } = await cat.output();
  return new TextDecoder().decode(stderr).trim().split(": ").at(-1)!;
}

/** The threads of before the place: Deno may keep that of a worker which threw in an earlier test. */
let earlierThreads: ReadonlySet<string> = new Set();

/** How many threads there are beside the two loops; the notifier's has a name of its own. */
function handlerThreads(): number {
  return Math.max(0, workerThreads().difference(earlierThreads).size - 2);
}

/** From many processes, so that every loop is asked. */
const MANY = (command: string) => `for i in 1 2 3 4 5 6; do (for j in 1 2 3; do ${command}; done) & done; wait`;

for (const handlers of [true, false]) {
  const beside = handlers ? "beside others" : "where there was none";
  Deno.test(`a branch in a handler of its own comes, is replaced and goes, ${beside}`, async () => {
    await using place = await openPlace(handlers);
    const { source, mounted: { session }, sh } = place;
    for (const path of ["/h", "/way/to/h"]) {
      const at = `.${path}`;
      await session.graft(path, MEMORY);
      await sh(`echo text > ${at}/file; mkdir -p ${at}/a/b; head -c 300000 /dev/zero > ${at}/a/b/zeros`);
      assertEquals(await sh(MANY(`cat ${at}/file`)), "text\n".repeat(18));
      assertEquals(await sh(`ls ${at}; stat -c %s ${at}/a/b/zeros; ls -d ${at}/..`), `a\nfile\n300000\n${at}/..\n`);
      await session.graft(`${path}/a/one`, directory(`${source}/one`));
      await session.graft(`${path}/a/two`, MEMORY);
      await sh(`echo two > ${at}/a/two/file`);
      assertEquals(await sh(`cat ${at}/a/one/one ${at}/a/two/file; ls ${at}/a`), "onetwo\nb\none\ntwo\n");
      // Those below it stay.
      await session.replace(path, directory(`${source}/one`));
      assertEquals(await sh(MANY(`ls ${at} ${at}/a`)), `${at}:\na\none\n\n${at}/a:\none\ntwo\n`.repeat(18));
      await session.replace(path, MEMORY);
      assertEquals(await sh(`ls ${at}; cat ${at}/a/two/file`), "a\ntwo\n");
      const changed = await session.changeBranches(
        ["", "/a/one", "/a/two"].map((below) => ({ action: "prune", path: path + below })),
      );
      await changed.ended;
      assertEquals(await sh(MANY(`ls ${at} >/dev/null || echo none`)).then((said) => said.split("none").length), 19);
    }
    assertEquals(await sh("cat root"), "root");
    // A handler and its watcher each.
    await waitFor("the threads to end", () => handlerThreads() === (handlers ? 4 : 0));
    assertEquals(place.log, []);
  });
}

Deno.test("a branch that a handler served from the start goes, and the handler when it serves no other", async () => {
  await using place = await openPlace(true);
  const { source, mounted: { session }, sh } = place;
  await sh("echo kept > dead/on/way/file; echo lost > memory/file");
  await (await session.prune("/memory")).ended;
  assertEquals(await sh("ls; cat dead/on/way/file dead/plain"), "dead\nroot\nkept\nabcd");
  await session.replace("/dead", directory(`${source}/one`));
  assertEquals(await sh("ls; cat dead/one dead/on/way/file"), "dead\nroot\nonekept\n");
  await waitFor("one handler's end", () => handlerThreads() === 2);
  await (await session.prune("/dead/on/way")).ended;
  await waitFor("the other's end", () => handlerThreads() === 0);
  // The way of what comes is a new one.
  await session.graft("/memory", MEMORY);
  assertEquals(await sh("echo new > memory/file; cat memory/file; ls dead"), "new\none\n");
});

Deno.test("an open file of a handler's branch is ESTALE when that goes, or with lazy lives until it is closed", async (t) => {
  for (const lazy of [false, true]) {
    await t.step(lazy ? "lazy" : "at once", async () => {
      await using place = await openPlace(false);
      const { mounted: { path, session } } = place;
      const counts = makeCounts();
      await session.graft("/a", { module: moduleAt("counted_module.ts"), options: { counts }, placement: "handler" });
      await using client = await PosixClient.start();
      const file = await client.open(`${path}/a/file`, "O_RDONLY", 0);
      const { opened, ended } = await session.prune("/a", { lazy });
      assertEquals(opened, 1);
      assertEquals(await Deno.stat(`${path}/a`).catch((error) => error.code), "ENOENT");
      if (lazy) {
        for (let turn = 0; turn < 20; turn++) {
          assertEquals(new TextDecoder().decode(await client.pread(file, 4, 0)), "text");
        }
        assertEquals([counts[DESTROYED], counts[RELEASED]], [0, 0]);
      } else {
        await assertRejects(() => client.pread(file, 4, 0), PosixError, "ESTALE");
      }
      await client.close(file).catch(() => {});
      await ended;
      assertEquals([...counts], [1, 1, 1, 1]);
      await waitFor("the handler's end", () => handlerThreads() === 0);
    });
  }
});

Deno.test("a branch that goes lazily ends when its handler dies", async () => {
  await using place = await openPlace(false);
  const { mounted: { path, session }, pool } = place;
  await session.graft("/a", pool);
  await using client = await PosixClient.start();
  const file = await client.open(`${path}/a/plain`, "O_RDONLY", 0);
  const dying = await client.open(`${path}/a/throw`, "O_RDONLY", 0);
  const { opened, ended } = await session.prune("/a", { lazy: true });
  assertEquals(opened, 2);
  assertEquals(new TextDecoder().decode(await client.pread(file, 4, 0)), "abcd");
  await assertRejects(() => client.pread(dying, 4, 0), PosixError, "EIO");
  await ended;
  await assertRejects(() => client.pread(file, 4, 0), PosixError, "ESTALE");
  await session.graft("/a", MEMORY);
  assertEquals(await place.sh("ls a"), "");
});

Deno.test("a branch whose handler hangs goes, and who waits for it gets ESTALE", async (t) => {
  for (const how of ["never", "spin"]) {
    await t.step(how, async () => {
      await using place = await openPlace(false);
      const { control, mounted: { path, session }, pool, sh } = place;
      await session.graft("/a", pool);
      const cat = startCat(`${path}/a/${how}`);
      await waitFor("the read", () => Atomics.load(control, WORD.begun) === 1);
      // A lookup that holds the names of the directory.
      const other = how === "spin" ? startCat(`${path}/a/plain`) : undefined;
      let isGone = false;
      void session.prune("/a").then(({ ended }) => ended).then(() => isGone = true);
      await waitFor("the branch's end", () => isGone);
      assertEquals(await complaint(cat), "Stale file handle");
      if (other !== undefined) assert(/Stale file handle|No such file/.test(await complaint(other)));
      assertEquals(await sh("ls"), "root\n");
      await session.graft("/a", MEMORY);
      assertEquals(await sh("ls a; echo a > a/a; cat a/a"), "a\n");
    });
  }
});

Deno.test("a handler that came later is replaced when it dies, with the tree as it is by then", async () => {
  await using place = await openPlace(true);
  const { source, mounted: { path, session }, pool, sh } = place;
  const kill = async () => {
    await run(["cat", `${path}/a/throw`], { accept: [1] });
    assertEquals(await sh("cat a/plain"), "abcd");
  };
  await session.graft("/a", pool);
  await kill();
  await session.graft("/a/way/one", directory(`${source}/one`));
  await session.graft("/a/memory", MEMORY);
  await sh("echo 1 > a/memory/file");
  await session.prune("/memory");
  await kill();
  assertEquals(await sh("ls a; cat a/way/one/one a/memory/file"), "memory\nway\none1\n");
  const inodes = await sh("stat -c %i a a/way a/way/one a/memory");
  await session.prune("/a/memory");
  await kill();
  assertEquals(
    await sh("ls a; cat a/way/one/one; stat -c %i a a/way a/way/one"),
    `way\none${inodes.replace(/\d+\n$/, "")}`,
  );
});

Deno.test("a branch too many of whose handlers have died is EIO, and goes all the same", async () => {
  await using place = await openPlace(false);
  const { mounted: { path, session }, pool, sh } = place;
  await session.graft("/a", pool);
  for (let death = 0; death < 4; death++) await run(["cat", `${path}/a/throw`], { accept: [1] });
  await waitFor("the last one's end", () => place.log.some((line) => line.includes("answers EIO")));
  assert((await sh("cat a/plain || :")).includes("Input/output error"));
  await (await session.prune("/a")).ended;
  assertEquals(await sh("ls"), "root\n");
});

Deno.test("a branch that cannot be made in a handler changes nothing, and leaves nothing", async (t) => {
  await using place = await openPlace(false);
  const { source, mounted: { session }, sh } = place;
  const counts = makeCounts();
  const counted: BranchModule = { module: moduleAt("counted_module.ts"), options: { counts }, placement: "handler" };
  const unchanged = async () => {
    assertEquals(await sh("ls"), "root\n");
    assertEquals([counts[MADE], counts[PREPARED]], [counts[DESTROYED], counts[RELEASED]]);
    await waitFor("the handler's end", () => handlerThreads() === 0);
  };
  await t.step("its module throws", async () => {
    const failing = { ...counted, options: { counts, failsIn: 0 } };
    const error = await assertRejects(() => session.graft("/a", failing));
    assert(String(error).includes("no room in this loop"), String(error));
    await unchanged();
  });
  await t.step("its source is not there", async () => {
    assertEquals(
      await refusal(() => session.graft("/a", { ...directory(`${source}/none`), placement: "handler" })),
      "ENOENT",
    );
    await unchanged();
  });
  await t.step("a loop refuses what comes with it", async () => {
    const failing = { ...counted, placement: "loop" as const, options: { counts, failsIn: 1 } };
    const steps = [["/a", counted], ["/b", failing]] as const;
    const error = await assertRejects(() =>
      session.changeBranches(steps.map(([path, branch]) => ({ action: "graft", path, branch })))
    );
    assert(String(error).includes("loop 1 of 2 refuses"), String(error));
    await unchanged();
  });
  await t.step("a path that cannot be, and limits that make no sense", async () => {
    assertEquals(await refusal(() => session.graft("a", counted)), "EINVAL");
    assertEquals(await refusal(() => session.graft("/", counted)), "EEXIST");
    await assertRejects(() => session.graft("/a", { ...counted, limits: { bounds: { data: 0 } } }), RangeError);
    await unchanged();
  });
});

Deno.test("a mount that takes long requests has no handlers later, and says so", async () => {
  await using source = await temporaryFolder();
  const branches = [{ path: "/", passthrough: { source: source.path } }];
  await using mounted = await mountTemporarily({
    module: moduleAt("../support/branch_module.ts"),
    options: { branches },
  });
  assertEquals(await refusal(() => mounted.session.graft("/a", MEMORY)), "EOPNOTSUPP");
});

Deno.test("limits are those of the branch's handler", async () => {
  await using place = await openPlace(false);
  await place.mounted.session.graft("/a", { ...place.pool, limits: { deadlines: { data: 200 } } });
  assert((await place.sh("cat a/never || :")).includes("Connection timed out"));
});

Deno.test("a branch in a handler that comes beside the end of the mount leaves nothing", async () => {
  for (const wait of [0, 20, 150]) {
    const counts = makeCounts();
    const counted: BranchModule = { module: moduleAt("counted_module.ts"), options: { counts }, placement: "handler" };
    const changes: Promise<unknown>[] = [];
    {
      await using place = await openPlace(false);
      const { mounted: { session } } = place;
      for (let turn = 0; turn < 3; turn++) {
        changes.push(session.graft("/a", counted), session.replace("/a", counted), session.prune("/a", { lazy: true }));
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      const outcomes = Promise.allSettled(changes);
      await session.unmount();
      await outcomes;
    }
    assertEquals(counts[PREPARED], counts[RELEASED]);
    await waitFor("the handlers' end", () => handlerThreads() === 0);
  }
});
