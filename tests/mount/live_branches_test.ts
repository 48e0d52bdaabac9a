/** Branches of a tree in several loops that change while it is mounted. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { BranchFileSystem, type BranchModule, FsError, type MountOptions } from "../../mod.ts";
import type { PassthroughOptions } from "../../src/layers/passthrough/options.ts";
import type { TreeOptions } from "../support/branch_module.ts";
import { run, shell } from "../support/command.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { descriptorsBelow } from "../support/growth.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { NO_URING, withUring } from "../support/uring.ts";
import { DESTROYED, MADE, makeCounts, PREPARED, RELEASED } from "./counted_module.ts";

const SKIPPED = NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : "";

const TREE = new URL("../support/branch_module.ts", import.meta.url);
const COUNTED = new URL("./counted_module.ts", import.meta.url);
const MEMORY = new URL("../../src/layers/memory/module.ts", import.meta.url);

/** A directory of the host as a branch. */
function directory(source: string, options: Partial<PassthroughOptions> = {}): BranchModule {
  return {
    module: new URL("../../src/layers/passthrough/module.ts", import.meta.url),
    options: { source, ...options },
  };
}

/** Directories "root", "one" and "two", "root" mounted as the root of a tree. */
interface Place extends AsyncDisposable {
  readonly source: string;
  readonly mounted: Mounted;
}

/** `more`: which of the others are branches of their names from the start. */
async function openPlace(loops: number, options: MountOptions = {}, more: readonly string[] = []): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  const { path: source } = undo.use(await temporaryFolder());
  for (const name of ["root", "one", "two"]) {
    await Deno.mkdir(`${source}/${name}`);
    await Deno.writeTextFile(`${source}/${name}/${name}`, name);
  }
  const first = more.map((name) => ({ path: `/${name}`, passthrough: { source: `${source}/${name}` } }));
  const branches = [{ path: "/", passthrough: { source: `${source}/root` } }, ...first];
  const tree: TreeOptions = { branches, growing: true };
  const mounted = undo.use(await mountTemporarily({ module: TREE, options: tree, loops }, options));
  const kept = undo.move();
  return { source, mounted, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function refusal(attempt: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(attempt);
  assert(error instanceof FsError, String(error));
  return error.code;
}

const TRANSPORTS: Record<string, { skipped: string | undefined; open: (loops: number) => Promise<Place> }> = {
  "the device": { skipped: undefined, open: (loops) => openPlace(loops, { transport: "device" }) },
  "io_uring": {
    skipped: NO_URING,
    open: (loops) => withUring(() => openPlace(loops, { transport: "uring" })),
  },
};

for (const [name, { skipped, open }] of Object.entries(TRANSPORTS)) {
  Deno.test({
    name: `loops over ${name} have a grafted branch when the call returns, and none has a pruned one` +
      (skipped === undefined ? "" : ` (skipped: ${skipped})`),
    ignore: skipped !== undefined,
    fn: async () => {
      await using place = await open(3);
      const { source, mounted: { path, session } } = place;
      const all = (command: string) =>
        shell(`for i in 1 2 3 4 5 6; do (for j in 1 2 3 4 5; do ${command}; done) & done; wait`, {
          env: { T: path },
        });
      for (let turn = 0; turn < 5; turn++) {
        await session.graft("/way/one", directory(`${source}/one`));
        assertEquals((await all("cat $T/way/one/one")).stdout, "one".repeat(30));
        await session.replace("/way/one", directory(`${source}/two`));
        assertEquals((await all("ls $T/way/one")).stdout, "two\n".repeat(30));
        const { opened, ended } = await session.prune("/way/one");
        assertEquals(opened, 0);
        await ended;
        assertEquals((await all("ls $T")).stdout, "root\n".repeat(30));
        assertEquals(descriptorsBelow(`${source}/one`), 0);
        assertEquals(descriptorsBelow(`${source}/two`), 0);
      }
      assertEquals((await all("cat $T/root")).stdout, "root".repeat(30));
    },
  });
}

Deno.test("an open file of a branch that loops remove is ESTALE, or with lazy lives until it is closed", async (t) => {
  for (const lazy of [false, true]) {
    await t.step(lazy ? "lazy" : "at once", async () => {
      await using place = await openPlace(2, { attributesTimeout: 0 });
      const { source, mounted: { path, session } } = place;
      await session.graft("/a", directory(`${source}/one`, { kernelPassthrough: false, cache: "never" }));
      await using client = await PosixClient.start();
      await using other = await PosixClient.start();
      const file = await client.open(`${path}/a/one`, "O_RDWR", 0);
      const second = await other.open(`${path}/a/one`, "O_RDWR", 0);
      const { opened, ended } = await session.prune("/a", { lazy });
      assertEquals(opened, 2);
      assertEquals(await Deno.stat(`${path}/a`).catch((error) => error.code), "ENOENT");
      let over = false;
      void ended.then(() => over = true);
      if (lazy) {
        await client.close(file);
        for (let turn = 0; turn < 50; turn++) {
          await other.write(second, "more");
          assertEquals(new TextDecoder().decode(await other.pread(second, 4, 4 * turn)), "more");
        }
        assert(!over);
      } else {
        for (let turn = 0; turn < 20; turn++) {
          await assertRejects(() => other.write(second, "more"), PosixError, "ESTALE");
          await assertRejects(() => client.fstat(file), PosixError, "ESTALE");
        }
      }
      await other.close(second).catch(() => {});
      await waitFor("the branch's end", () => over);
      assertEquals(descriptorsBelow(`${source}/one`), 0);
    });
  }
});

Deno.test("a branch from the start goes with all that it had open, and its id is used again", async () => {
  await using place = await openPlace(2, { entryTimeout: 0, attributesTimeout: 0 }, ["one", "two"]);
  const { source, mounted: { path, session } } = place;
  const before = (await Deno.stat(`${path}/two`)).ino;
  assert(descriptorsBelow(`${source}/two`) > 0);
  await (await session.prune("/two")).ended;
  assertEquals(descriptorsBelow(`${source}/two`), 0);
  await waitFor("the id to be free", async () => {
    await session.graft("/again", directory(`${source}/two`));
    const { ino } = await Deno.stat(`${path}/again`);
    assertEquals((await shell(`cat ${path}/again/two ${path}/one/one`)).stdout, "twoone");
    if (ino === before) return true;
    await session.prune("/again");
    return false;
  });
});

Deno.test("a branch that goes lazily ends with the mount, when its files are still open", async () => {
  const counts = makeCounts();
  const { promise, resolve } = Promise.withResolvers<void>();
  {
    await using place = await openPlace(2);
    const { mounted: { path, session } } = place;
    await session.graft("/a", { module: COUNTED, options: { counts } });
    await using client = await PosixClient.start();
    await client.open(`${path}/a/file`, "O_RDONLY", 0);
    const { opened, ended } = await session.prune("/a", { lazy: true });
    assertEquals(opened, 1);
    assertEquals([counts[MADE], counts[DESTROYED], counts[RELEASED]], [2, 0, 0]);
    ended.then(resolve);
    await session.unmount();
  }
  await promise;
  assertEquals([...counts], [1, 2, 2, 1]);
});

Deno.test("a change beside the end of the mount is made or refused, and leaves nothing open", async () => {
  for (const wait of [0, 4, 16]) {
    const counts = makeCounts();
    const changes: Promise<unknown>[] = [];
    {
      await using place = await openPlace(2);
      const { source, mounted: { session } } = place;
      for (let turn = 0; turn < 5; turn++) {
        changes.push(session.graft("/a", { module: COUNTED, options: { counts } }));
        changes.push(session.replace("/a", directory(`${source}/one`)), session.prune("/a", { lazy: true }));
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      const outcomes = Promise.allSettled(changes);
      await session.unmount();
      await outcomes;
      assertEquals(descriptorsBelow(`${source}/one`), 0);
      await assertRejects(() => session.graft("/b", directory(`${source}/one`)), Error, "has ended");
    }
    assertEquals([counts[PREPARED], counts[MADE]], [counts[RELEASED], counts[DESTROYED]]);
  }
});

Deno.test("a change that cannot be made changes nothing", async (t) => {
  await using place = await openPlace(2);
  const { source, mounted: { path, session } } = place;
  const one = directory(`${source}/one`);
  const counts = makeCounts();
  const unchanged = async () => {
    assertEquals((await shell(`ls -A ${path}`)).stdout, "root\n");
    assertEquals([counts[MADE], counts[PREPARED]], [counts[DESTROYED], counts[RELEASED]]);
    assertEquals(descriptorsBelow(`${source}/one`), 0);
  };

  await t.step("paths that cannot be", async () => {
    assertEquals(await refusal(() => session.graft("/", one)), "EEXIST");
    assertEquals(await refusal(() => session.graft("relative", one)), "EINVAL");
    assertEquals(await refusal(() => session.graft("/a/../b", one)), "EINVAL");
    assertEquals(await refusal(() => session.prune("/a")), "ENOENT");
    assertEquals(await refusal(() => session.replace("/a", one)), "ENOENT");
    assertEquals(await refusal(() => session.prune("/")), "EBUSY");
    assertEquals(await refusal(() => session.replace("/", one)), "EBUSY");
    await unchanged();
  });

  await t.step("a source that is not there", async () => {
    assertEquals(await refusal(() => session.graft("/a", directory(`${source}/none`))), "ENOENT");
    await unchanged();
  });

  await t.step("a filesystem that cannot be in several loops", async () => {
    const error = await assertRejects(() => session.graft("/a", { module: MEMORY }));
    assert(String(error).includes("2 loops"), String(error));
    await unchanged();
  });

  await t.step("one loop fails, and the other takes it back", async () => {
    for (const failsIn of [0, 1]) {
      const error = await assertRejects(() => session.graft("/a", { module: COUNTED, options: { counts, failsIn } }));
      assert(String(error).includes(`loop ${failsIn} of 2 refuses`), String(error));
      assert(String(error).includes("no room in this loop"), String(error));
      await unchanged();
    }
    assertEquals(counts[MADE], 2);
  });

  await t.step("of several steps one fails", async () => {
    const steps = [
      { action: "graft", path: "/a", branch: { module: COUNTED, options: { counts } } },
      { action: "graft", path: "/b", branch: one },
    ] as const;
    assertEquals(
      await refusal(() => session.changeBranches([...steps, { action: "graft", path: "/a", branch: one }])),
      "EEXIST",
    );
    assertEquals(await refusal(() => session.changeBranches([...steps, { action: "prune", path: "/c" }])), "ENOENT");
    await unchanged();
    await session.changeBranches(steps);
    assertEquals((await shell(`cat ${path}/a/file ${path}/b/one`)).stdout, "textone");
    await session.changeBranches([
      { action: "prune", path: "/b" },
      { action: "replace", path: "/a", branch: one },
    ]);
    assertEquals((await shell(`ls ${path}; ls ${path}/a`)).stdout, "a\nroot\none\n");
  });
});

Deno.test("a change that finds a loop at a request which does not end is refused, and names the loop", async () => {
  await using place = await openPlace(2);
  const { source, mounted: { path, session } } = place;
  const words = new Int32Array(new SharedArrayBuffer(8));
  await session.graft("/slow", { module: new URL("./stalling_module.ts", import.meta.url), options: { words } });
  const cat = new Deno.Command("cat", { args: [`${path}/slow/file`] }).spawn();
  try {
    await waitFor("the read", () => Atomics.load(words, 0) === 1);
    const error = await assertRejects(() => session.graft("/a", directory(`${source}/one`)), FsError);
    assertEquals(error.code, "ETIMEDOUT");
    assert(/loop [01] of 2 has not come round/.test(error.message), error.message);
    assertEquals(descriptorsBelow(`${source}/one`), 0);
    assertEquals((await shell(`ls ${path}`)).stdout, "root\nslow\n");
  } finally {
    Atomics.store(words, 1, 1);
    Atomics.notify(words, 1);
    await cat.status;
  }
  await session.changeBranches([
    { action: "prune", path: "/slow" },
    { action: "graft", path: "/a", branch: directory(`${source}/one`) },
  ]);
  assertEquals((await shell(`cat ${path}/a/one`)).stdout, "one");
});

Deno.test({
  name: `a loop that acts as a caller loads a module as the server${SKIPPED}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async () => {
    await using place = await openPlace(1, { allowOther: true });
    const { source, mounted: { path, session } } = place;
    await Deno.chmod(`${source}/root`, 0o777);
    await using hidden = await temporaryFolder();
    await Deno.chmod(hidden.path, 0o700);
    const module = `${hidden.path}/branch.ts`;
    await Deno.writeTextFile(
      module,
      'export default () => ({ features: ["handle-killpriv-v2"], getAttributes: () => ({ mode: 0o40755, links: 7 }) });',
    );
    await run(["touch", `${path}/theirs`], { user: { uid: 65534, gid: 65534 } });
    await session.graft("/a", { module: `file://${module}` });
    assertEquals((await Deno.stat(`${path}/a`)).nlink, 7);
    await run(["touch", `${path}/theirs-too`], { user: { uid: 65534, gid: 65534 } });
    assertEquals((await Deno.stat(`${source}/root/theirs-too`)).uid, 65534);
  },
});

Deno.test("what is no tree in loops says why its branches do not change", async () => {
  const branch = directory("/");
  const why = async (filesystem: Parameters<typeof mountTemporarily>[0]) => {
    await using mounted = await mountTemporarily(filesystem);
    return (await assertRejects(() => mounted.session.graft("/a", branch), TypeError)).message;
  };
  assert((await why(new BranchFileSystem([]))).includes("it is an object of this isolate"));
  assert((await why({ module: MEMORY })).includes("no tree of branches"));
  assert((await why({ module: MEMORY, placement: "handler" })).includes("handler workers"));
});
