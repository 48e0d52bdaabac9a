/** Trees with branches in handlers beside their loops that outlive their servers. */
import { mount } from "../../src/mount.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { graftOf, keepTree, type KeptTree } from "../support/kept_tree.ts";
import { testKept } from "../support/kept_source.ts";
import { waitFor } from "../support/mounted.ts";
import { describePauses, killDuring, replaceServer } from "../support/server_killer.ts";
import { prepareWorks } from "../support/storm_works.ts";

const KILLS = Number(Deno.env.get("TRELLIS_KILLS") ?? 10);
const PLACED = new URL("kept_placed_module.ts", import.meta.url);
const text = new TextEncoder();

/** A directory in the loops, and in a handler each of the kinds of branches. */
const TREE = `
  [[branch]]
  path = "/"
  type = "passthrough"
  source = "root"
  [[branch]]
  path = "/memory"
  type = "memory"
  keep_content = true
  max_size = "64M"
  placement = "handler"
  [[branch]]
  path = "/directory"
  type = "passthrough"
  source = "directory"
  placement = "handler"
  [[branch]]
  path = "/directory/union"
  type = "union"
  sources = ["upper", "lower:ro"]
  placement = "handler"
`;
const SOURCES = ["root", "directory", "upper", "lower"];
const PLACES = ["", "/memory", "/directory", "/directory/union"];

const keepPlaced = (): Promise<KeptTree> => keepTree(TREE, SOURCES);

testKept("servers killed at random moments, under work in branches of loops and handlers", async () => {
  await using tree = await keepPlaced();
  await using resources = new AsyncDisposableStack();
  const works = [];
  for (const place of PLACES) works.push(resources.use(await prepareWorks(tree.path + place)));
  const [root, memory, directory, union] = works;
  const { count, pauses } = await killDuring([root!.oneFile, memory!.model, directory!.mixed, union!.model], {
    ...{ mountpoint: tree.path, keeper: tree.kept.keeper, kills: KILLS, longest: 300 },
  });
  console.log(`${count} servers killed: ${describePauses(pauses)}`);
  const left = await Promise.all(PLACES.map((place) => Array.fromAsync(Deno.readDir(tree.path + place))));
  assertEquals(left.flat().map(({ name }) => name).sort(), ["directory", "memory", "union"]);
});

testKept("files of branches in handlers outlive the server: open, deleted and renamed", async () => {
  await using tree = await keepPlaced();
  const { path } = tree;
  const open = { create: true, read: true, write: true };
  const files = await Promise.all(PLACES.map((place) => Deno.open(`${path}${place}/file`, open)));
  try {
    for (const [index, place] of PLACES.entries()) {
      await files[index]!.write(text.encode(`file ${index}`));
      if (index % 2 === 1) await Deno.remove(`${path}${place}/file`);
    }
    for (let time = 0; time < 2; time++) {
      await replaceServer(tree);
      for (const [index, place] of PLACES.entries()) {
        const bytes = new Uint8Array(100);
        await files[index]!.seek(0, Deno.SeekMode.Start);
        const length = await files[index]!.read(bytes);
        assertEquals(new TextDecoder().decode(bytes.subarray(0, length ?? 0)), `file ${index}`);
        const there = await Deno.lstat(`${path}${place}/file`).then(() => true, () => false);
        assertEquals(there, index % 2 === 0);
      }
    }
  } finally {
    for (const file of files) file.close();
  }
  assertEquals(tree.log.filter((line) => !line.includes("another takes its place")), []);
});

testKept("the next servers have a tree that has changed, in handlers too; none come to it", async () => {
  await using tree = await keepPlaced();
  const { path, kept, folder } = tree;
  await Deno.mkdir(`${folder}/later`);
  for (const place of PLACES) await Deno.writeTextFile(`${path}${place}/file`, place);
  await kept.changeBranches([{ action: "prune", path: "/memory" }, graftOf("/later", `${folder}/later`)]);
  await kept.changeBranches([{ action: "prune", path: "/directory/union" }]);
  for (let time = 0; time < 2; time++) {
    await replaceServer(tree);
    await Deno.writeTextFile(`${path}/later/file`, "later");
    assertEquals(await Deno.readTextFile(`${path}/directory/file`), "/directory");
    for (const gone of ["/memory", "/directory/union"]) {
      await assertRejects(() => Deno.lstat(path + gone), Deno.errors.NotFound);
    }
  }
  const graft = graftOf("/more", `${folder}/later`);
  if (graft.action !== "graft") throw new Error("graftOf grafts");
  const inHandler = { ...graft, branch: { ...graft.branch, placement: "handler" as const } };
  const refused = await assertRejects(
    () => kept.changeBranches([inHandler]),
    Error,
    "the handlers that it had at first",
  );
  assertEquals((refused as { code?: string }).code, "EOPNOTSUPP");
});

Deno.test("a slow branch and one that hangs: other branches are served, and what they had the next server answers", async () => {
  const [path, folder] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  const log: string[] = [];
  {
    await using kept = await mount({ module: PLACED, handlers: [{}], options: { folder } }, path, {
      ...{ process: "separate", restarts: 100, hangTimeout: 3, log: (message, detail) => log.push(message, detail) },
    });
    const asked = (name: string) =>
      waitFor(`"${name}" to be asked for`, async () => {
        const names = await Deno.readTextFile(`${folder}/asked-${kept.server.pid}`).catch(() => "");
        return names.includes(name);
      });
    const lookUp = (name: string) => Deno.lstat(`${path}/slow/${name}`).then(() => "there", (error) => error.name);
    const slow = lookUp("slow");
    await asked("slow");
    assertEquals((await Deno.stat(`${path}/42`)).size, 3);
    const stuck = lookUp("stuck");
    await waitFor("the server to be ended", () => log.some((line) => line.includes("handler in place 1 has not come")));
    assertEquals((await Deno.stat(`${path}/43`)).size, 3);
    await asked("slow");
    await replaceServer({ kept });
    await asked("slow");
    await Deno.writeTextFile(`${folder}/release`, "");
    assertEquals(await Promise.all([slow, stuck]), ["NotFound", "NotFound"]);
  }
  await Deno.remove(path);
  await Deno.remove(folder, { recursive: true });
});
