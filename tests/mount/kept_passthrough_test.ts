/** A directory shown by servers that are killed: what is open, locked and under way outlives them. */
import { mount } from "../../src/mount.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { checkModel } from "../model/mod.ts";
import { MountProcess } from "../support/cli_process.ts";
import { run } from "../support/command.ts";
import { keepSource, NO_STORE, testKept } from "../support/kept_source.ts";
import { waitFor } from "../support/mounted.ts";
import { readStart } from "../support/open_file.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { killServer, replaceServer, replaceServerOf } from "../support/server_killer.ts";

const text = new TextEncoder();

testKept("files that are open outlive the server: with a name, without one, moved, and locked", async () => {
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
  assertEquals(await readStart(file), "first");
  assertEquals(await readStart(deleted), "without a name");
  await Deno.rename(`${path}/one`, `${path}/two`);
  await appending.write(text.encode("b"));
  await replaceServer(mounted);
  await file.write(text.encode(", then more"));
  await deleted.truncate(7);
  await appending.write(text.encode("c"));
  assertEquals(await Deno.readTextFile(`${source}/two/file`), "first, then more");
  assertEquals(await Deno.readTextFile(`${source}/two/log`), "abc");
  assertEquals(await readStart(deleted), "without");
  assertEquals((await deleted.stat()).nlink, 0);
  const { code } = await run(["flock", "-n", `${source}/two/file`, "true"], { accept: [0, 1] });
  assertEquals(code, 1, "the lock was lost with a server");
});

testKept("a directory goes on being listed where its reader was", async () => {
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

testKept("a server is replaced on request, and no operation fails", async () => {
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

testKept("another directory at the source's path is not taken for the source", async () => {
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

testKept("memory is empty after its server, and works", async () => {
  const path = await Deno.makeTempDir();
  const module = new URL("../../src/layers/memory/module.ts", import.meta.url);
  {
    await using kept = await mount({ module, options: {} }, path, { process: "separate", log: () => {} });
    await Deno.writeTextFile(`${path}/one`, "gone with the server");
    using file = await Deno.open(`${path}/one`);
    await replaceServer({ kept });
    await assertRejects(() => file.read(new Uint8Array(1)));
    await waitFor("the name to be forgotten", () => Deno.stat(`${path}/one`).then(() => false, () => true));
    await Deno.writeTextFile(`${path}/two`, "new");
    assertEquals(await Deno.readTextFile(`${path}/two`), "new");
  }
  await Deno.remove(path);
});

testKept("files are found again by their names where an ordinary user serves", async () => {
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
    await replaceServerOf(mounted.pid);
  }
  await working;
}, NO_STORE ?? NO_ORDINARY_USER);
