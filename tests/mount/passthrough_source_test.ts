/** A live mount and its source: what is changed, removed or lost behind the mount. */
import { assertEquals } from "../deps.ts";
import { expectError, readFile, writeFile } from "../conformance/subject.ts";
import { MountProcess, run, temporaryFolder } from "../support/cli_process.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import { type MountedSource, mountSource } from "./mounted_source.ts";

/** A change of the source, and what a process then finds in the mount. */
interface Change {
  /** What the mount's user asks, before and after. */
  ask(client: PosixClient, path: (name: string) => string): Promise<unknown>;
  change(path: (name: string) => string): Promise<unknown>;
  before: unknown;
  after: unknown;
}

/** What became of a call: the value, or the errno's name. */
function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error) => {
    if (error instanceof PosixError) return error.code;
    throw error;
  });
}

async function fillSource(source: string): Promise<void> {
  for (const name of ["written", "replaced", "removed", "changed", "linked", "read"]) {
    await Deno.writeTextFile(`${source}/${name}`, "before");
  }
  await Deno.symlink("before", `${source}/pointer`);
  await Deno.mkdir(`${source}/listed`);
}

const CHANGES: Record<string, Change> = {
  "content": {
    ask: (client, path) => readFile(client, path("written")),
    // As long as it was: only the times tell.
    change: (path) => Deno.writeTextFile(path("written"), "after!"),
    before: "before",
    after: "after!",
  },
  "another file put in its place": {
    ask: (client, path) => readFile(client, path("replaced")),
    async change(path) {
      await Deno.writeTextFile(path("new"), "after");
      await Deno.rename(path("new"), path("replaced"));
    },
    before: "before",
    after: "after",
  },
  "removal": {
    ask: (client, path) => outcome(client.stat(path("removed")).then(() => "there")),
    change: (path) => Deno.remove(path("removed")),
    before: "there",
    after: "ENOENT",
  },
  "a new file": {
    ask: (client, path) => outcome(client.stat(path("made")).then(() => "there")),
    change: (path) => Deno.writeTextFile(path("made"), ""),
    before: "ENOENT",
    after: "there",
  },
  "permissions": {
    ask: (client, path) => client.stat(path("changed")).then(({ mode }) => (mode & 0o777).toString(8)),
    change: (path) => Deno.chmod(path("changed"), 0o600),
    before: "644",
    after: "600",
  },
  "a hard link": {
    ask: (client, path) => client.stat(path("linked")).then(({ linkCount }) => linkCount),
    change: (path) => Deno.link(path("linked"), path("another")),
    before: 1,
    after: 2,
  },
  "where a symlink points": {
    ask: (client, path) => client.readlink(path("pointer")),
    async change(path) {
      await Deno.remove(path("pointer"));
      await Deno.symlink("after", path("pointer"));
    },
    before: "before",
    after: "after",
  },
  "what is in a directory": {
    async ask(client, path) {
      const directory = await client.open(path("listed"), "O_RDONLY|O_DIRECTORY");
      const names = (await client.getdents(directory)).map(({ name }) => name);
      await client.close(directory);
      return names.sort();
    },
    change: (path) => Deno.writeTextFile(path("listed/new"), ""),
    before: [".", ".."],
    after: [".", "..", "new"],
  },
};

/** How long after a change at most it may be seen, in milliseconds: a second, and what a busy machine takes. */
const COHERENT_WITHIN = 1000 + 2000;

/** Makes all changes, and looks at each until it is seen or `limit` milliseconds have passed. */
async function makeChanges(t: Deno.TestContext, { source, shown }: MountedSource, limit: number): Promise<void> {
  await using client = await PosixClient.start();
  for (const { ask, before } of Object.values(CHANGES)) assertEquals(await ask(client, shown), before);
  for (const { change } of Object.values(CHANGES)) await change(source);
  const deadline = performance.now() + limit;
  for (const [name, { ask, after }] of Object.entries(CHANGES)) {
    await t.step(name, async () => {
      let seen: unknown;
      let late: boolean;
      // The last look begins after the deadline, however long this process is held up.
      do {
        late = performance.now() >= deadline;
        seen = await ask(client, shown);
      } while (!equal(seen, after) && !late);
      assertEquals(seen, after);
    });
  }
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

Deno.test("with cache=auto a change behind the mount is seen within a second", async (t) => {
  await using mounted = await mountSource("cache=auto,loops=2", fillSource);
  await makeChanges(t, mounted, COHERENT_WITHIN);
});

Deno.test("with cache=never a change behind the mount is seen at once", async (t) => {
  await using mounted = await mountSource("cache=never,loops=2", fillSource);
  await makeChanges(t, mounted, 0);
});

Deno.test("an explicit timeout counts for what a lookup brings too, not that of the caching mode", async () => {
  await using mounted = await mountSource("cache=always,attr_timeout=0,entry_timeout=0", fillSource);
  await using client = await PosixClient.start();
  const mode = async () => ((await client.stat(mounted.shown("changed"))).mode & 0o777).toString(8);
  assertEquals(await mode(), "644");
  await Deno.chmod(mounted.source("changed"), 0o600);
  assertEquals(await mode(), "600");
  await Deno.rename(mounted.source("linked"), mounted.source("changed"));
  assertEquals(await mode(), "644");
});

Deno.test("with cache=never an open file and a held directory show a change at once too", async () => {
  await using mounted = await mountSource("cache=never", fillSource);
  await using client = await PosixClient.start();
  const file = await client.open(mounted.shown("read"), "O_RDONLY");
  assertEquals(new TextDecoder().decode(await client.pread(file, 100, 0)), "before");
  await Deno.writeTextFile(mounted.source("read"), "quite another text");
  assertEquals(new TextDecoder().decode(await client.pread(file, 100, 0)), "quite another text");
  assertEquals((await client.fstat(file)).size, 18);
  await client.chdir(mounted.shown("listed"));
  await Deno.writeTextFile(mounted.source("listed/new"), "text");
  assertEquals(await readFile(client, "new"), "text");
});

Deno.test("hard links share an inode number, whichever side made them, and the source's own", async () => {
  await using mounted = await mountSource("cache=never", async (source) => {
    await Deno.writeTextFile(`${source}/first`, "text");
    await Deno.link(`${source}/first`, `${source}/second`);
  });
  await using client = await PosixClient.start();
  await client.link(mounted.shown("second"), mounted.shown("third"));
  await Deno.link(mounted.source("third"), mounted.source("fourth"));
  const own = await Deno.stat(mounted.source("first"));
  for (const name of ["first", "second", "third", "fourth"]) {
    const { inode, linkCount } = await client.stat(mounted.shown(name));
    assertEquals([inode, linkCount], [BigInt(own.ino!), 4], name);
  }
});

Deno.test("a source that is removed while it is mounted answers ENOENT, and the mount lives on to its end", async () => {
  await using mounted = await mountSource("cache=never", async (source) => {
    await Deno.mkdir(`${source}/directory`);
    await Deno.writeTextFile(`${source}/directory/file`, "text");
  });
  await using client = await PosixClient.start();
  const file = await client.open(mounted.shown("directory/file"), "O_RDWR");
  await client.chdir(mounted.shown("directory"));
  await Deno.remove(mounted.source(""), { recursive: true });
  await expectError("ENOENT", client.stat(mounted.shown("directory")));
  await expectError("ENOENT", client.stat("file"));
  await expectError("ENOENT", client.mkdir("new"));
  await expectError("ENOENT", client.open(mounted.shown("new"), "O_RDWR|O_CREAT"));
  // Who has a file open keeps it, as everywhere.
  assertEquals(new TextDecoder().decode(await client.pread(file, 10, 0)), "text");
  await client.pwrite(file, "more", 4);
  assertEquals((await client.stat(mounted.shown(""))).linkCount, 0);
  await client.close(file);
  await client.chdir("/");
  assertEquals(await run("umount", mounted.mount.mountpoint), 0);
  assertEquals(await mounted.mount.ended(), { code: 0, stdout: mounted.mount.readyLine + "\n", stderr: "" });
});

Deno.test("a source that is full or read-only says so through the mount", async (t) => {
  const room = (client: PosixClient, path: string) => client.open(path, "O_RDWR|O_CREAT");
  const cases: Record<string, [options: string, (client: PosixClient, shown: string) => Promise<void>]> = {
    "no room for content": ["size=4K", async (client, shown) => {
      const file = await room(client, `${shown}/file`);
      await client.pwrite(file, "all there is", 0);
      await expectError("ENOSPC", client.pwrite(file, "more", 8192));
      await client.close(file);
    }],
    "no room for files": ["inodes=2", async (client, shown) => {
      await client.close(await room(client, `${shown}/file`));
      await expectError("ENOSPC", room(client, `${shown}/another`));
      await expectError("ENOSPC", client.mkdir(`${shown}/directory`));
    }],
    "read-only": ["ro", async (client, shown) => {
      await expectError("EROFS", room(client, `${shown}/file`));
      await expectError("EROFS", client.mkdir(`${shown}/directory`));
    }],
  };
  for (const [name, [options, check]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using folder = await temporaryFolder();
      await using below = await MountProcess.start(`${folder.path}/below`, ["-o", options]);
      await using above = await MountProcess.start([below.mountpoint, `${folder.path}/above`]);
      await using client = await PosixClient.start();
      await check(client, above.mountpoint);
    });
  }
});

Deno.test("a source whose own server goes away answers ENOTCONN, and the mount lives on to its end", async () => {
  await using folder = await temporaryFolder();
  await using below = await MountProcess.start(`${folder.path}/below`);
  await using client = await PosixClient.start();
  await writeFile(client, `${below.mountpoint}/file`, "text");
  await using above = await MountProcess.start([below.mountpoint, `${folder.path}/above`], ["-o", "cache=never"]);
  const path = `${above.mountpoint}/file`;
  const file = await client.open(path, "O_RDONLY");
  assertEquals(new TextDecoder().decode(await client.pread(file, 10, 0)), "text");
  await run("kill", "-KILL", `${below.pid}`);
  await below.ended();
  await expectError("ENOTCONN", client.stat(path));
  await expectError("ENOTCONN", client.mkdir(`${above.mountpoint}/new`));
  await client.close(file);
  assertEquals(await run("umount", above.mountpoint), 0);
  assertEquals((await above.ended()).code, 0);
});
