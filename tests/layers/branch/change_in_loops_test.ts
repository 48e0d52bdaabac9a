/** Two trees of one mount, as two loops have them, that are changed alike and one after the other. */
import { assert, assertEquals, assertThrows } from "../../deps.ts";
import { NOT_ADDED } from "../../../src/fs/branches.ts";
import type { FileSystem } from "../../../src/fs/filesystem.ts";
import { O_RDONLY } from "../../../src/fs/flags.ts";
import { assertRefused, BranchTree, context } from "./branch_tree.ts";

/** A directory with one file, the same in all loops. */
function oneFile(ended: () => void = () => {}): FileSystem {
  const attributes = { mode: 0o100644, inode: 2, size: 4 };
  return {
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes } : undefined,
    getAttributes: (node) => node === 1 ? { mode: 0o40755, inode: 1 } : attributes,
    open: () => ({ handle: 7 }),
    release: () => {},
    read: () => new TextEncoder().encode("text"),
    forgetLookups: () => {},
    destroy: ended,
  };
}

/** Two trees with a branch at /old/way/a, and a change that is to take it away and bring /new/way/b. */
function twoTrees() {
  let ended = 0;
  const trees = [0, 1].map(() =>
    new BranchTree([{ path: "/old/way/a", filesystem: oneFile(() => ended++) }], { growing: true })
  );
  const branches = trees.map(({ filesystem }) => filesystem.branches!);
  const prepare = () => {
    for (const each of branches) {
      const added = [{ id: 2, path: "/new/way/b", filesystem: oneFile(() => ended++), generation: 0 }];
      each.prepare({ removed: ["/old/way/a"], added });
    }
  };
  return { trees, branches, prepare, ended: () => ended };
}

/** Every path on the way to `path`, and itself. */
function waysTo(path: string): string[] {
  const names = path.slice(1).split("/");
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}

Deno.test("a prepared branch has no name, and is gone when the change is abandoned", async () => {
  const { trees, branches, prepare, ended } = twoTrees();
  prepare();
  for (const tree of trees) {
    assertEquals(await tree.names("/"), "old");
    assertEquals(await tree.entry("/new"), undefined);
  }
  assertThrows(() => prepare(), Error, "not committed");
  await Promise.all(branches.map((each) => each.abandon()));
  assertEquals(ended(), 2);
  assertThrows(() => branches[0]!.commit(), Error, "none is prepared");
  prepare();
  assertEquals(branches.map((each) => each.commit().map(({ name }) => name).sort()), [["new", "old"], ["new", "old"]]);
  for (const tree of trees) assertEquals(await tree.read("/new/way/b/file"), "text");
});

Deno.test("while one tree has a change and the other has not, each knows all that the other hands out", async () => {
  const { trees, branches, prepare } = twoTrees();
  prepare();
  branches[0]!.commit();
  for (const [one, other, path] of [[0, 1, "/new/way/b/file"], [1, 0, "/old/way/a/file"]] as const) {
    for (const way of waysTo(path)) {
      const node = await trees[one]!.node(way);
      const mine = await trees[one]!.filesystem.getAttributes(node, undefined, context);
      const theirs = await trees[other]!.filesystem.getAttributes(node, undefined, context);
      assertEquals([theirs.inode, theirs.mode], [mine.inode, mine.mode], way);
      const below = path.slice(way.length + 1).split("/")[0]!;
      const found = below === "" ? undefined : await trees[other]!.filesystem.lookup(node, below, context);
      assertEquals(found === undefined, below === "", way);
    }
  }
  branches[1]!.commit();
  const old = await trees[0]!.node("/new");
  await Promise.all(branches.map((each) => each.drop([{ id: 1 }])));
  for (const tree of trees) {
    assertEquals(await tree.names("/"), "new");
    assertEquals(await tree.node("/new"), old);
    await assertRefused("ESTALE", () => tree.filesystem.getAttributes(2 ** 40 + 2, undefined, context), "/old/way/a");
  }
});

Deno.test("a branch that all loops drop lazily is unused when its last file is closed, in whichever loop", async () => {
  const { trees, branches, prepare, ended } = twoTrees();
  const node = await trees[0]!.node("/old/way/a/file");
  const open = (loop: number) => trees[loop]!.filesystem.open(node, O_RDONLY, context);
  const close = (loop: number) => trees[loop]!.filesystem.release(node, 7, 0, context);
  // Both of them opened in one loop; one is closed in the other.
  for (let count = 0; count < 2; count++) await open(0);
  await close(1);
  prepare();
  branches.forEach((each) => each.commit());
  let unused = 0;
  const lazy = { count: new Int32Array(new SharedArrayBuffer(4)).fill(2 * NOT_ADDED), unused: () => void unused++ };
  await branches[1]!.drop([{ id: 1, lazy }]);
  assertEquals(unused, 0);
  await branches[0]!.drop([{ id: 1, lazy }]);
  await open(1);
  await close(0);
  assertEquals([unused, ended()], [0, 0]);
  assertEquals(new TextDecoder().decode(await trees[1]!.filesystem.read(node, 7, 0, 4, context)), "text");
  await close(1);
  assertEquals([unused, ended()], [1, 0]);
  for (const each of branches) await each.drop([{ id: 1 }]);
  assertEquals(ended(), 2);
  assert(trees.every(({ filesystem }) => !filesystem.table.branches.has(1)));
});
