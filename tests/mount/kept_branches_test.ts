/** Trees of branches shown by servers that are killed: what is open and known outlives them, and so do changes of the tree. */
import type { BranchStep } from "../../src/fs/branches.ts";
import { FsError } from "../../src/fs/errors.ts";
import { KeeperError } from "../../src/keeper/kept_mount.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { testKept as test } from "../support/kept_source.ts";
import { graftMemory, graftOf, keepTree, THREE } from "../support/kept_tree.ts";
import { waitFor } from "../support/mounted.ts";
import { readStart } from "../support/open_file.ts";
import { replaceServer } from "../support/server_killer.ts";

const text = new TextEncoder();

/** How much memory the keeper holds: in the files of branches, or for what else outlives servers. */
async function keptBytes(keeper: number, what: "file" | "state" = "file"): Promise<number> {
  const folder = `/proc/${keeper}/fd`;
  const held = await Array.fromAsync(Deno.readDir(folder), ({ name }) => `${folder}/${name}`);
  const file = held.find((descriptor) => Deno.readLinkSync(descriptor).startsWith(`/memfd:trellis-${what}`));
  return (await Deno.stat(file!)).blocks! * 512;
}

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

test("files of all branches outlive the server: open, deleted and renamed, and directories", async () => {
  await using tree = await keepTree(THREE, ["root", "one", "two"]);
  const { path, folder } = tree;
  const places = ["", "/one", "/one/made/two"];
  const open = { create: true, read: true, write: true };
  const files = await Promise.all(places.map((place) => Deno.open(`${path}${place}/file`, open)));
  const deleted = await Promise.all(places.map((place) => Deno.open(`${path}${place}/deleted`, open)));
  const inodes = await Promise.all(["/one/made", ...places].map(async (place) => (await Deno.stat(path + place)).ino));
  try {
    for (const [index, place] of places.entries()) {
      await files[index]!.write(text.encode(`file ${index}`));
      await deleted[index]!.write(text.encode(`deleted ${index}`));
      await Deno.remove(`${path}${place}/deleted`);
    }
    const sitting = new Deno.Command("sh", {
      args: ["-c", "read -r _; ls; pwd"],
      cwd: `${path}/one/made/two`,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    for (let time = 0; time < 2; time++) {
      await replaceServer(tree);
      for (const [index, place] of places.entries()) {
        assertEquals(await readStart(files[index]!), `file ${index}`);
        assertEquals(await readStart(deleted[index]!), `deleted ${index}`);
        await Deno.rename(`${path}${place}/file`, `${path}${place}/renamed`);
        await Deno.rename(`${path}${place}/renamed`, `${path}${place}/file`);
      }
      assertEquals(await namesIn(path), ["file", "one"]);
      assertEquals(await namesIn(`${path}/one`), ["file", "made"]);
      assertEquals(await namesIn(`${path}/one/made`), ["two"]);
      const after = await Promise.all(
        ["/one/made", ...places].map(async (place) => (await Deno.stat(path + place)).ino),
      );
      assertEquals(after, inodes);
    }
    const input = sitting.stdin.getWriter();
    await input.write(text.encode("\n"));
    await input.close();
    const { stdout } = await sitting.output();
    assertEquals(new TextDecoder().decode(stdout), `file\n${path}/one/made/two\n`);
    assertEquals(await Deno.readTextFile(`${folder}/two/file`), "file 2");
  } finally {
    [...files, ...deleted].forEach((file) => file.close());
  }
});

test("what outlives the server takes memory for what there is, not for what there could be", async () => {
  await using tree = await keepTree(THREE, ["root", "one", "two"]);
  const { path, kept } = tree;
  for (const place of ["", "/one", "/one/made/two"]) await Deno.writeTextFile(`${path}${place}/file`, "");
  await replaceServer(tree);
  const bytes = await keptBytes(kept.keeper, "state");
  assert(bytes < 3 << 20, `${bytes} bytes`);
});

test("branches that came later are there under the next servers, and those that went are not", async () => {
  await using tree = await keepTree(THREE, ["root", "one", "two", "three", "four"]);
  const { path, folder, kept } = tree;
  await kept.changeBranches([
    graftOf("/new/later", `${folder}/three`),
    { action: "prune", path: "/one" },
  ]);
  await Deno.remove(`${folder}/one`);
  const inodes = async () =>
    (await Promise.all(["/new", "/new/later", "/one"].map((at) => Deno.stat(path + at)))).map(({ ino }) => ino);
  const before = await inodes();
  const file = await Deno.open(`${path}/new/later/file`, { create: true, read: true, write: true });
  try {
    await file.write(text.encode("later"));
    for (let time = 0; time < 2; time++) {
      await replaceServer(tree);
      assertEquals(await readStart(file), "later");
      assertEquals(await namesIn(path), ["new", "one"]);
      assertEquals(await namesIn(`${path}/one/made`), ["two"]);
      assertEquals(await inodes(), before);
    }
    const { opened } = await kept.changeBranches([
      { action: "prune", path: "/new/later" },
      graftOf("/one", `${folder}/four`),
    ]);
    assert(opened <= 1);
    await assertRejects(() => file.stat());
    await Deno.writeTextFile(`${path}/one/four`, "");
    await replaceServer(tree);
    await assertRejects(() => file.stat());
    assertEquals(await namesIn(path), ["one"]);
    assertEquals(await namesIn(`${path}/one`), ["four", "made"]);
  } finally {
    file.close();
  }
});

test("a server that dies while branches change is no failure of the change, but one that dies again is", async () => {
  await using tree = await keepTree(THREE, ["root", "one", "two"]);
  const { path, folder, kept } = tree;
  const graft = (deaths: number): BranchStep => ({
    action: "graft",
    path: `/dies-${deaths}`,
    branch: { module: new URL("../support/dying_branch.ts", import.meta.url), options: { folder, deaths } },
  });
  await kept.changeBranches([graft(1)]);
  assertEquals(kept.server.restarts, 1);
  assertEquals(await namesIn(path), ["dies-1", "one"]);
  await assertRejects(() => kept.changeBranches([graft(2)]), KeeperError, "two servers");
  await replaceServer(tree);
  assertEquals(await namesIn(path), ["dies-1", "one"]);
  await assertRejects(() => kept.changeBranches([graftOf("/x", `${folder}/none`)]), FsError, "does not exist");
  await assertRejects(() => kept.changeBranches([graftOf("/one", `${folder}/two`)]), FsError, "is there");
  assertEquals(Object.keys(await kept.metrics()).length > 0, true);
});

test("wrapped branches, and branches in memory, go on under the next server", async () => {
  const wrapped = (path: string, ...lines: string[]) =>
    `[[branch]]\npath = "${path}"\ntype = "passthrough"\nsource = "one"\n${lines.join("\n")}\n`;
  await using tree = await keepTree(
    '[[branch]]\npath = "/"\ntype = "memory"\n' + wrapped("/limited", 'max_size = "16K"') +
      wrapped("/hiding", 'hidden = ["*.o"]', "map = { uid = 77 }") + wrapped("/still", "read_only = true"),
    ["one"],
  );
  const { path, folder } = tree;
  await Deno.writeTextFile(`${path}/gone`, "");
  using limited = await Deno.open(`${path}/limited/file`, { create: true, write: true });
  await limited.write(new Uint8Array(8192));
  const nameless = await Deno.open(`${path}/limited/nameless`, { create: true, write: true });
  await nameless.write(new Uint8Array(4096));
  await Deno.remove(`${path}/limited/nameless`);
  await Deno.writeTextFile(`${folder}/one/hidden.o`, "");
  using seen = await Deno.open(`${path}/hiding/file`);
  await replaceServer(tree);
  await waitFor("the names in memory to be forgotten", async () => !(await namesIn(path)).includes("gone"));
  assertEquals(await namesIn(path), ["hiding", "limited", "still"]);
  const said = tree.log.filter((line) => line.includes('Branch "/" is in memory, and empty'));
  assertEquals(said.length, 1, tree.log.join("\n"));
  await limited.write(new Uint8Array(4096));
  await assertRejects(() => limited.write(new Uint8Array(4096)), Error, "No space left");
  nameless.close();
  assertEquals(await namesIn(`${path}/hiding`), ["file"]);
  assertEquals([(await seen.stat()).uid, (await seen.stat()).size], [77, 12_288]);
  await assertRejects(() => Deno.writeTextFile(`${path}/still/new`, ""), Error, "Read-only");
  await Deno.writeTextFile(`${path}/new`, "in memory");
  assertEquals(await Deno.readTextFile(`${path}/new`), "in memory");
});

test("branches in memory keep their files apart, also those that come later, and free them when they go", async () => {
  const memory = (path: string) => `[[branch]]\npath = "${path}"\ntype = "memory"\nkeep_content = true\n`;
  await using tree = await keepTree(memory("/") + memory("/one") + memory("/two"), []);
  const { path, kept } = tree;
  await kept.changeBranches([graftMemory("/later")]);
  const places = ["", "/one", "/two", "/later"];
  const large = new Uint8Array(1 << 20).fill(7);
  for (const place of places) {
    await Deno.writeTextFile(`${path}${place}/file`, place);
    await Deno.writeFile(`${path}${place}/large`, large);
  }
  const open = { create: true, read: true, write: true };
  using deleted = await Deno.open(`${path}/later/deleted`, open);
  await deleted.write(text.encode("deleted"));
  await Deno.remove(`${path}/later/deleted`);
  for (let time = 0; time < 2; time++) {
    await replaceServer(tree);
    for (const place of places) {
      assertEquals(await Deno.readTextFile(`${path}${place}/file`), place);
      assertEquals(await Deno.readFile(`${path}${place}/large`), large);
    }
    assertEquals(await readStart(deleted), "deleted");
  }
  const before = await keptBytes(kept.keeper);
  await kept.changeBranches([{ action: "prune", path: "/two" }, { action: "prune", path: "/later" }]);
  assert(await keptBytes(kept.keeper) <= before - 2 * large.length);
  await kept.changeBranches([graftMemory("/two")]);
  assertEquals(await namesIn(`${path}/two`), []);
  await Deno.writeFile(`${path}/two/large`, large);
  // What goes lazily goes with its server.
  const held = await Deno.open(`${path}/two/large`);
  await kept.changeBranches([{ action: "prune", path: "/two" }], { lazy: true });
  const lazily = await keptBytes(kept.keeper);
  await replaceServer(tree);
  assert(await keptBytes(kept.keeper) <= lazily - large.length);
  held.close();
  for (const place of ["", "/one"]) assertEquals(await Deno.readTextFile(`${path}${place}/file`), place);
  assertEquals(tree.log.filter((line) => line.includes("empty")), []);
});

test("a limited branch in memory is as full as it was when the mount is made anew", async () => {
  const branch = '[[branch]]\npath = "/"\ntype = "memory"\nkeep_content = true\nmax_size = "16K"\n';
  await using tree = await keepTree(branch, [], { resend: false });
  const { path, kept } = tree;
  await Deno.writeFile(`${path}/file`, new Uint8Array(12_288));
  await replaceServer(tree);
  assertEquals(kept.server.mountedAnew, 1);
  assertEquals((await Deno.stat(`${path}/file`)).size, 12_288);
  await assertRejects(() => Deno.writeFile(`${path}/other`, new Uint8Array(8192)), Error, "No space left");
  await Deno.remove(`${path}/other`);
  // Its room is there when the kernel has forgotten it, which it says beside other requests.
  const write = () => Deno.writeFile(`${path}/other`, new Uint8Array(4096)).then(() => true, () => false);
  await waitFor("room for a page", write);
});

test("what goes lazily and is open lives as long as its server, also when that has not opened it", async () => {
  await using tree = await keepTree(THREE, ["root", "one", "two"]);
  const { path, folder, kept } = tree;
  await Deno.writeTextFile(`${folder}/one/file`, "one");
  using file = await Deno.open(`${path}/one/file`, { read: true });
  await replaceServer(tree);
  await kept.changeBranches([{ action: "prune", path: "/one" }], { lazy: true });
  assertEquals(await namesIn(`${path}/one`), ["made"]);
  {
    using _other = await Deno.open(`${path}/one/made/two`);
    assertEquals(await readStart(file), "one");
  }
  await kept.changeBranches([graftOf("/one", `${folder}/two`)]);
  assertEquals(await readStart(file), "one");
  await replaceServer(tree);
  await assertRejects(() => file.stat(), Error, "Stale");
  assertEquals(await namesIn(`${path}/one`), ["made"]);
});
