/** The union without a kernel, over branches in memory that answer at once and over ones that answer later. */
import type { Opened } from "../../../src/fs/filesystem.ts";
import { O_RDONLY, O_RDWR, S_IFCHR, S_IFMT } from "../../../src/fs/flags.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../src/fs/flags.ts";
import { makeUnion } from "../../../src/layers/union/mod.ts";
import { assertEquals, assertRejects, assertThrows } from "../../deps.ts";
import { FsError } from "../../../src/fs/errors.ts";
import { Paths, unionOf, type UnionUnderTest } from "./union_mount.ts";

type Word = "rw" | "ro";

async function refuses(code: string, action: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(action, FsError);
  assertEquals(error.code, code);
}

/** Tests `body` twice. */
function test(name: string, words: Word[], body: (under: UnionUnderTest) => Promise<void>): void {
  Deno.test(`union: ${name}`, async (t) => {
    await t.step("over branches that answer at once", () => body(unionOf(words, false)));
    await t.step("over branches that answer later", () => body(unionOf(words, true)));
  });
}

test("the first branch that has a name shows it, and directories are merged", ["rw", "ro", "ro"], async (under) => {
  const { union, branches: [upper, middle, lower] } = under;
  await lower!.mkdir("/d");
  await lower!.write("/d/low", "lower");
  await lower!.write("/both", "lower");
  await middle!.mkdir("/d");
  await middle!.write("/d/mid", "middle");
  await middle!.write("/both", "middle");
  await upper!.write("/up", "upper");
  assertEquals(await union.list(), ["both", "d", "up"]);
  assertEquals(await union.list("/d"), ["low", "mid"]);
  assertEquals(await union.read("/both"), "middle");
  // A file hides the directories below it, and the reverse.
  await upper!.write("/d2", "a file");
  await lower!.mkdir("/d2");
  assertEquals(await union.read("/d2"), "a file");
});

test("a file is copied up before its first change, with all that belongs to it", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.mkdir("/d", 0o750);
  await lower!.write("/d/f", "lower", 0o640);
  await lower!.setAttribute("/d/f", "user.tag", "kept");
  const node = await lower!.node("/d/f");
  const times = { atime: { seconds: 5, nanoseconds: 6 }, mtime: { seconds: 7, nanoseconds: 8 } };
  await lower!.filesystem.setAttributes(node, { uid: 12, gid: 34, ...times }, undefined, lower!.context);
  const before = await union.stat("/d/f");
  await union.filesystem.setAttributes(await union.node("/d/f"), { mode: 0o604 }, undefined, union.context);
  const copy = await upper!.stat("/d/f");
  assertEquals([copy.mode! & 0o7777, copy.uid, copy.gid], [0o604, 12, 34]);
  assertEquals([copy.atime, copy.mtime], [times.atime, times.mtime]);
  assertEquals(await upper!.attribute("/d/f", "user.tag"), "kept");
  assertEquals((await upper!.stat("/d")).mode & 0o7777, 0o750);
  assertEquals(await upper!.read("/d/f"), "lower");
  assertEquals((await union.stat("/d/f")).inode, before.inode, "the inode number stays");
  // The lower branch is as it was.
  assertEquals((await lower!.stat("/d/f")).mode & 0o7777, 0o640);
  await union.write("/d/f", "changed");
  assertEquals([await union.read("/d/f"), await lower!.read("/d/f")], ["changed", "lower"]);
});

test("what was open before it was copied up reads the copy", ["rw", "ro"], async ({ union, branches: [, lower] }) => {
  await lower!.write("/f", "lower");
  const node = await union.node("/f");
  const { handle } = await union.filesystem.open(node, 0, union.context);
  await union.write("/f", "new");
  const read = () => union.filesystem.read(node, handle!, 0, 100, union.context);
  // Two at once: each may find the old part still open.
  const texts = await Promise.all([read(), read()].map(async (data) => new TextDecoder().decode(await data)));
  assertEquals(texts, ["new", "new"]);
  await union.filesystem.release?.(node, handle!, 0, union.context);
});

test("holes stay holes when a file is copied up", ["rw", "ro"], async ({ union, branches: [upper, lower] }) => {
  await lower!.write("/f", "x");
  const node = await lower!.node("/f");
  await lower!.filesystem.setAttributes(node, { size: 10_000_000 }, undefined, lower!.context);
  await union.filesystem.setAttributes(await union.node("/f"), { mode: 0o600 }, undefined, union.context);
  const { size, blocks } = await upper!.stat("/f");
  assertEquals(size, 10_000_000);
  assertEquals(blocks! < 1000, true, `${blocks} blocks`);
});

test("what is deleted is hidden by a whiteout, and can be made anew", ["rw", "ro"], async (under) => {
  const { union, branches: [upper, lower] } = under;
  await lower!.write("/f", "lower");
  await union.unlink("/f");
  assertEquals(await union.list(), []);
  const { mode, device } = await upper!.stat("/f");
  assertEquals([mode & S_IFMT, device], [S_IFCHR, 0]);
  assertEquals(await lower!.read("/f"), "lower");
  await union.write("/f", "again");
  assertEquals([await union.read("/f"), await upper!.read("/f")], ["again", "again"]);
  await union.unlink("/f");
  assertEquals(await union.exists("/f"), false);
});

test("a directory made where one was deleted is empty", ["rw", "ro"], async ({ union, branches: [upper, lower] }) => {
  await lower!.mkdir("/d");
  await lower!.write("/d/old", "old");
  await refuses("ENOTEMPTY", () => union.rmdir("/d"));
  await union.unlink("/d/old");
  await union.rmdir("/d");
  assertEquals(await union.exists("/d"), false);
  await union.mkdir("/d");
  assertEquals(await union.list("/d"), []);
  assertEquals(await upper!.attribute("/d", "user.overlay.opaque"), "y");
});

test("a directory of a lower branch is renamed with all that is in it", ["rw", "ro", "ro"], async (under) => {
  const { union, branches: [, middle, lower] } = under;
  await middle!.mkdir("/d");
  await middle!.write("/d/a", "middle");
  await lower!.mkdir("/d");
  await lower!.mkdir("/d/e");
  await lower!.write("/d/e/b", "lower");
  await union.rename("/d", "/moved");
  assertEquals([await union.list(), await union.list("/moved")], [["moved"], ["a", "e"]]);
  assertEquals(await union.read("/moved/e/b"), "lower");
  await union.rename("/moved", "/d");
  assertEquals([await union.list(), await union.list("/d")], [["d"], ["a", "e"]]);
  await union.mkdir("/other");
  await union.rename("/d/e", "/other", 0);
  assertEquals([await union.list("/d"), await union.list("/other")], [["a"], ["b"]]);
});

test("renames over something, with flags, and where they cannot be", ["rw", "ro"], async (under) => {
  const { union, branches: [, lower] } = under;
  await lower!.write("/a", "a");
  await lower!.write("/b", "b");
  await lower!.mkdir("/d");
  await lower!.write("/d/x", "x");
  await refuses("EEXIST", () => union.rename("/a", "/b", RENAME_NOREPLACE));
  await refuses("EISDIR", () => union.rename("/a", "/d"));
  await refuses("ENOTDIR", () => union.rename("/d", "/a"));
  await refuses("ENOENT", () => union.rename("/none", "/a"));
  await refuses("ENOENT", () => union.rename("/a", "/none", RENAME_EXCHANGE));
  await union.rename("/a", "/b", RENAME_EXCHANGE);
  assertEquals([await union.read("/a"), await union.read("/b")], ["b", "a"]);
  await union.rename("/a", "/b");
  assertEquals([await union.list(), await union.read("/b")], [["b", "d"], "b"]);
  await union.mkdir("/e");
  await refuses("ENOTEMPTY", () => union.rename("/e", "/d"));
  await union.unlink("/d/x");
  await union.rename("/e", "/d");
  assertEquals([await union.list(), await union.list("/d")], [["b", "d"], []]);
});

test("all names of a file that were seen get the copy", ["rw", "ro"], async ({ union, branches: [upper, lower] }) => {
  await lower!.write("/one", "old");
  await lower!.link("/one", "/two");
  await lower!.link("/one", "/three");
  await Promise.all([union.node("/one"), union.node("/two")]);
  await union.write("/one", "new");
  assertEquals([await union.read("/two"), await union.read("/three")], ["new", "new"]);
  const nodes = await Promise.all(["/one", "/two", "/three"].map((path) => upper!.node(path)));
  assertEquals(new Set(nodes).size, 1);
  assertEquals((await union.stat("/one")).links, 3);
  await union.rename("/two", "/four");
  assertEquals([await union.read("/four"), await union.list()], ["new", ["four", "one", "three"]]);
});

test("where a file comes from is an attribute that is not listed", ["rw", "ro"], async (under) => {
  const { union, branches: [, lower] } = under;
  await lower!.mkdir("/d");
  await lower!.write("/d/f", "x");
  assertEquals(await union.attribute("/d/f", "user.trellis.origin"), "/branch1/d/f");
  assertEquals(await union.attribute("/d/f", "user.trellis.branch"), "1");
  await union.write("/d/f", "y");
  assertEquals(await union.attribute("/d/f", "user.trellis.origin"), "/branch0/d/f");
  const names = await union.filesystem.listExtendedAttributes(await union.node("/d/f"), union.context);
  assertEquals(names, []);
  for (const name of ["user.trellis.origin", "user.overlay.opaque"]) {
    await refuses("EPERM", () => union.setAttribute("/d/f", name, "z"));
  }
  assertEquals(await union.attribute("/", "user.trellis.origin"), "/branch0");
});

test("without a writable branch in front nothing changes", ["ro", "rw", "ro"], async (under) => {
  const { union, branches: [first, second, third] } = under;
  await first!.write("/first", "1");
  await second!.write("/second", "2");
  await third!.write("/third", "3");
  await refuses("EROFS", () => union.write("/first", "x"));
  await refuses("EROFS", () => union.unlink("/first"));
  await refuses("EROFS", () => union.rename("/first", "/x"));
  await union.write("/second", "changed");
  await union.write("/third", "changed");
  assertEquals(await second!.read("/third"), "changed");
  await union.unlink("/third");
  assertEquals(await union.list(), ["first", "second"]);
  // A name that the first branch hides cannot be made below it.
  await union.write("/new", "n");
  assertEquals(await second!.read("/new"), "n");
});

test("names and files in the making are the union's own", ["rw", "ro"], async ({ union, branches: [upper, lower] }) => {
  await lower!.mkdir("/d");
  await upper!.mkdir("/d");
  await upper!.write("/d/.trellis-union-left-by-a-crash", "half");
  assertEquals([await union.list("/d"), await union.exists("/d/.trellis-union-left-by-a-crash")], [[], false]);
  await refuses("EPERM", () => union.write("/.trellis-union-x", "x"));
  await union.rmdir("/d");
  assertEquals(await union.list(), []);
});

test("forgotten files leave nothing behind on the branches", ["rw", "ro"], async ({ union, branches: [, lower] }) => {
  await lower!.write("/f", "x");
  const node = await union.node("/f");
  await union.write("/f", "y");
  const { filesystem } = union;
  filesystem.forget(node);
  await refuses("ESTALE", async () => await filesystem.getAttributes(node, undefined, union.context));
  assertEquals(await union.read("/f"), "y");
});

Deno.test("union: reading a directory goes on where it was, while names come and go", async () => {
  const { union, branches: [upper, lower] } = unionOf(["rw", "ro"], false);
  for (let index = 0; index < 20; index++) await (index % 2 ? upper : lower)!.write(`/f${index}`, "");
  const { handle } = await union.filesystem.openDirectory(1, 0, union.context);
  const read = async (offset: number) =>
    await Array.fromAsync(await union.filesystem.readDirectory(1, handle!, offset, union.context));
  const first = (await read(0)).slice(0, 10);
  await union.unlink("/f3");
  await union.write("/new", "");
  const names = [...first, ...await read(first.at(-1)!.offset)].map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  for (let index = 0; index < 20; index++) if (index !== 3) assertEquals(names.includes(`f${index}`), true);
  // From the start again it is what is there now.
  assertEquals((await read(0)).map(({ name }) => name).includes("new"), true);
});

Deno.test("union: what the kernel has read is kept for opens of the same branch's file alone", async () => {
  const { union, branches: [upper, lower] } = unionOf(["rw", "ro"], false);
  await lower!.write("/f", "lower");
  // Whatever a branch says of its own file.
  for (const { filesystem } of [upper!, lower!]) {
    const { open } = filesystem;
    filesystem.open = (...parameters) => ({ ...open.apply(filesystem, parameters) as Opened, keepCache: true });
  }
  const node = await union.node("/f");
  const keeps = async (flags: number) => (await union.filesystem.open(node, flags, union.context)).keepCache;
  assertEquals([await keeps(O_RDONLY), await keeps(O_RDONLY)], [false, true]);
  // To be written it is copied up.
  assertEquals([await keeps(O_RDWR), await keeps(O_RDONLY)], [false, true]);
});

Deno.test("union: a policy chooses where new files go", async () => {
  const { union, branches: [one, two] } = unionOf(["rw", "rw"], false, { createPolicy: "eprand", random: () => 0 });
  await two!.mkdir("/d");
  await union.write("/d/f", "x");
  assertEquals([await one!.list(), await two!.list("/d")], [[], ["f"]]);
  await union.write("/g", "x");
  assertEquals(await one!.list(), ["g"]);
});

test("newest makes a file where its directory was changed last", ["rw", "rw", "ro"], async ({ branches }) => {
  const members = branches.map(({ filesystem }, index) => ({ filesystem, writable: index < 2, name: `${index}` }));
  const union = new Paths(makeUnion(members, { createPolicy: "newest" }));
  for (const [index, branch] of branches.entries()) {
    await branch.mkdir("/d");
    const mtime = { seconds: 1000 + index, nanoseconds: 0 };
    await branch.filesystem.setAttributes(await branch.node("/d"), { mtime }, undefined, branch.context);
  }
  await union.write("/d/one", "x");
  assertEquals(await Promise.all(branches.map((branch) => branch.list("/d"))), [[], ["one"], []]);
  const later = { mtime: { seconds: 2 ** 33, nanoseconds: 0 } };
  await branches[0]!.filesystem.setAttributes(await branches[0]!.node("/d"), later, undefined, union.context);
  await union.write("/d/two", "x");
  assertEquals(await Promise.all(branches.map((branch) => branch.list("/d"))), [["two"], ["one"], []]);
});

Deno.test("union: of no branches there is none", () => {
  assertThrows(() => makeUnion([]), RangeError, "at least one");
});

Deno.test("a union in a dead one's place knows none of its files, open files and directories", async () => {
  const { union: dead } = unionOf(["rw", "ro"], false);
  const { union: next } = unionOf(["rw", "ro"], false, { restarts: 1 });
  await dead.write("/file", "text");
  const node = await dead.node("/file");
  const { handle: file } = await dead.filesystem.open(node, 0, dead.context);
  const { handle: directory } = await dead.filesystem.openDirectory(1, 0, dead.context);
  await next.write("/other", "other text");
  const other = await next.node("/other");
  await next.filesystem.open(other, 0, next.context);
  await next.filesystem.openDirectory(1, 0, next.context);
  await refuses("ESTALE", async () => await next.filesystem.getAttributes(node, undefined, next.context));
  await refuses("EBADF", async () => await next.filesystem.read(node, file!, 0, 10, next.context));
  await refuses("EBADF", async () => await next.filesystem.readDirectory(1, directory!, 0, next.context));
});
