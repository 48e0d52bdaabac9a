/** A tree that changes while it is served. */
import { assert, assertEquals, assertRejects } from "../../deps.ts";
import type { FileSystem } from "../../../src/fs/filesystem.ts";
import { O_RDWR } from "../../../src/fs/flags.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import { assertRefused, BranchTree, context, late } from "./branch_tree.ts";

const growing = { growing: true };

/** A filesystem in memory that notes its end. */
function mortal(): FileSystem & { ended: boolean } {
  const filesystem = new MemoryFileSystem() as MemoryFileSystem & { ended: boolean };
  const destroy = filesystem.destroy.bind(filesystem);
  return Object.assign(filesystem, {
    ended: false,
    destroy: () => {
      filesystem.ended = true;
      destroy();
    },
  });
}

Deno.test("a grafted branch is there, and the kernel is told which name means something else", async () => {
  const tree = new BranchTree([{ path: "/", filesystem: new MemoryFileSystem() }], growing);
  await tree.makeDirectory("/way");
  await tree.filesystem.graft("/way/branch", new MemoryFileSystem());
  await tree.write("/way/branch/file", "text");
  assertEquals(await tree.read("/way/branch/file"), "text");
  assertEquals(await tree.names("/way"), "branch");
  const way = await tree.node("/way");
  await tree.filesystem.graft("/way/other", new MemoryFileSystem());
  assertEquals(tree.connection.told, ["invalidateEntry 1 way", `invalidateEntry ${way} other`]);
  assertEquals(await tree.node("/way"), way);
});

Deno.test("a table is a value: the one from before stays as it was, and is cloned whole", async () => {
  const tree = new BranchTree([{ path: "/a", filesystem: new MemoryFileSystem() }], growing);
  const { table } = tree.filesystem;
  await tree.filesystem.graft("/a/way/b", new MemoryFileSystem());
  assertEquals([...table.branches.values()].map(({ path }) => path).sort(), ["/", "/a"]);
  const clone = structuredClone(tree.filesystem.table);
  assertEquals(clone, tree.filesystem.table);
  assert(clone.root.children.get("a")!.children.get("way")!.parent === clone.root.children.get("a"));
});

Deno.test("a pruned branch is gone at once: its nodes are ESTALE, and closing still works", async () => {
  const filesystem = mortal();
  const tree = new BranchTree([{ path: "/", filesystem: new MemoryFileSystem() }, { path: "/a", filesystem }], growing);
  const file = await tree.write("/a/file", "text");
  await tree.filesystem.open(file, O_RDWR, context);
  await tree.filesystem.prune("/a");
  assert(filesystem.ended);
  assertEquals(tree.connection.told, ["invalidateEntry 1 a"]);
  assertEquals(await tree.entry("/a"), undefined);
  await assertRefused("ESTALE", () => tree.filesystem.read(file, 0, 0, 10, context), '"/a"');
  await assertRefused("ESTALE", () => tree.filesystem.getAttributes(file, undefined, context));
  await tree.filesystem.release(file, 0, 0, context);
  await tree.makeDirectory("/a");
});

Deno.test("a branch that is pruned lazily lives until its last file is closed", async () => {
  const filesystem = mortal();
  const tree = new BranchTree([{ path: "/a", filesystem }], growing);
  const root = await tree.node("/a");
  const file = await tree.write("/a/file", "text");
  await tree.filesystem.open(file, O_RDWR, context);
  const pruned = tree.filesystem.prune("/a", { lazy: true });
  assertEquals(await tree.entry("/a"), undefined);
  assertEquals((await tree.filesystem.read(file, 0, 0, 10, context)).length, 4);
  tree.filesystem.forgetLookups(root, 2);
  assert(!filesystem.ended);
  await tree.filesystem.release(file, 0, 0, context);
  assert(filesystem.ended);
  await pruned;
  await assertRefused("ESTALE", () => tree.filesystem.getAttributes(file, undefined, context));
});

Deno.test("a branch whose files are open when the mount ends ends with it", async () => {
  const filesystem = mortal();
  const tree = new BranchTree([{ path: "/a", filesystem }], growing);
  await tree.filesystem.open(await tree.write("/a/file", "text"), O_RDWR, context);
  const pruned = tree.filesystem.prune("/a", { lazy: true });
  assert(!filesystem.ended);
  await tree.filesystem.destroy();
  assert(filesystem.ended);
  await pruned;
});

Deno.test("what runs in a branch when it is pruned runs to its end before the filesystem is destroyed", async () => {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const order: string[] = [];
  const slow: FileSystem = { read: () => promise, destroy: () => void order.push("destroyed") };
  const tree = new BranchTree([{ path: "/a", filesystem: slow }], growing);
  const node = await tree.node("/a");
  const reading = Promise.resolve(tree.filesystem.read(node, 0, 0, 1, context)).then(() => order.push("read"));
  const pruned = tree.filesystem.prune("/a");
  assertEquals(order, []);
  resolve(new Uint8Array());
  await Promise.all([reading, pruned]);
  assertEquals(order.sort(), ["destroyed", "read"]);
});

Deno.test("ids are used again only when the kernel holds nothing of the branch, and with another generation", async () => {
  const tree = new BranchTree([], growing);
  await tree.filesystem.graft("/a", new MemoryFileSystem());
  const first = await tree.entry("/a");
  await tree.filesystem.prune("/a");
  await tree.filesystem.graft("/b", new MemoryFileSystem());
  const second = await tree.entry("/b");
  assert(second!.node !== first!.node);
  tree.filesystem.forgetLookups(first!.node, 1);
  await tree.filesystem.graft("/c", new MemoryFileSystem());
  const third = await tree.entry("/c");
  assertEquals(third!.node, first!.node);
  assert(third!.generation !== first!.generation);
});

Deno.test("trees of several loops that are changed alike with the same ids have the same table", async () => {
  const branches = () => [{ path: "/a", filesystem: new MemoryFileSystem() }];
  const trees = [new BranchTree(branches(), growing), new BranchTree(branches(), growing)];
  // One of them has more to do.
  const first = await trees[0]!.entry("/a");
  for (const { filesystem } of trees) {
    await filesystem.prune("/a");
    await filesystem.graft("/way/b", new MemoryFileSystem(), { id: 7 });
    await filesystem.graft("/a", new MemoryFileSystem(), { id: 2 });
  }
  assertEquals(trees[0]!.filesystem.table, trees[1]!.filesystem.table);
  assertEquals(trees.map(({ filesystem }) => filesystem.held.get(1)!.lookups), [1, 0]);
  trees[1]!.filesystem.forgetLookups(first!.node, 1);
  assertEquals(trees.map(({ filesystem }) => filesystem.held.get(1)!.lookups), [1, -1]);
  await assertRefused("EBUSY", () => trees[0]!.filesystem.graft("/c", {}, { id: 7 }), "branch 7");
  await assertRefused("EINVAL", () => trees[0]!.filesystem.graft("/c", {}, { id: 4095 }), "4095");
});

Deno.test("a branch is replaced by another, and those below it stay", async () => {
  const old = mortal();
  const below = mortal();
  const tree = new BranchTree([{ path: "/a", filesystem: old }, { path: "/a/way/b", filesystem: below }], growing);
  await tree.write("/a/old", "");
  await tree.write("/a/way/b/file", "text");
  await tree.filesystem.replace("/a", new MemoryFileSystem());
  assert(old.ended && !below.ended);
  assertEquals(await tree.names("/a"), "way");
  assertEquals(await tree.read("/a/way/b/file"), "text");
  await tree.filesystem.prune("/a");
  assertEquals(await tree.read("/a/way/b/file"), "text");
  await assertRefused("EROFS", () => tree.makeDirectory("/a/new"));
  await tree.filesystem.prune("/a/way/b");
  assertEquals(await tree.names("/"), "");
});

Deno.test("a directory that led to a branch is the enclosing branch's again after the prune", async () => {
  for (const make of [() => new MemoryFileSystem(), () => late(new MemoryFileSystem())]) {
    const tree = new BranchTree([{ path: "/", filesystem: make() }], growing);
    await tree.makeDirectory("/way");
    const before = await tree.node("/way");
    await tree.filesystem.graft("/way/b", new MemoryFileSystem());
    const during = await tree.node("/way");
    assert(during !== before);
    await tree.filesystem.prune("/way/b");
    assertEquals(await tree.node("/way"), before);
    // Whoever stands in it still sees it.
    assertEquals((await tree.filesystem.getAttributes(during, undefined, context)).mode & 0o777, 0o755);
    tree.filesystem.forgetLookups(during, 1);
    await assertRefused("ESTALE", () => tree.filesystem.getAttributes(during, undefined, context));
    await tree.removeDirectory("/way");
  }
});

Deno.test("what cannot be grafted or pruned is refused and changes nothing", async () => {
  const tree = new BranchTree([{ path: "/a", filesystem: { features: ["writeback-cache"] } }]);
  const { filesystem } = tree;
  const { table } = filesystem;
  await assertRefused("EEXIST", () => filesystem.graft("/a", {}), "branch 1");
  await assertRefused("EINVAL", () => filesystem.graft("a", {}));
  await assertRefused("EINVAL", () => filesystem.graft("/..", {}));
  await assertRefused("EOPNOTSUPP", () => filesystem.graft("/b", {}), "writeback-cache");
  await assertRefused("ENOENT", () => filesystem.prune("/b"), "/b");
  await assertRefused("ENOENT", () => filesystem.replace("/b", {}), "/b");
  await assertRefused("EBUSY", () => filesystem.prune("/"));
  // Not thrown at who asks, who may wait for the promise later.
  const promises = [
    filesystem.graft("/a", {}),
    filesystem.graft("a", {}),
    filesystem.prune("/"),
    filesystem.replace("/b", {}),
  ];
  assertEquals((await Promise.allSettled(promises)).map(({ status }) => status), promises.map(() => "rejected"));
  const failing: FileSystem = {
    features: ["writeback-cache"],
    initialize: () => {
      throw new Error("no");
    },
  };
  await assertRejects(async () => await filesystem.graft("/b", failing), Error, "no");
  assertEquals(filesystem.table, table);
});

Deno.test("prune reports what the filesystem's destroy throws", async () => {
  const destroy = () => {
    throw new Error("did not end well");
  };
  const tree = new BranchTree([{ path: "/a", filesystem: { destroy } }], growing);
  await assertRejects(() => tree.filesystem.prune("/a"), Error, "did not end well");
  assertEquals(await tree.entry("/a"), undefined);
});

Deno.test("a thousand branches come and go, and nothing is left of them", async () => {
  const tree = new BranchTree([{ path: "/", filesystem: new MemoryFileSystem() }], growing);
  let ended = 0;
  for (let turn = 0; turn < 1000; turn++) {
    const destroy = () => void ended++;
    await tree.filesystem.graft(`/way${turn % 7}/b`, Object.assign(new MemoryFileSystem(), { destroy }));
    const known = [...await Promise.all([tree.node(`/way${turn % 7}`), tree.node(`/way${turn % 7}/b`)])];
    const file = await tree.write(`/way${turn % 7}/b/file`, "text");
    void tree.filesystem.prune(`/way${turn % 7}/b`);
    for (const node of [...known, file, ...known, known[0]!]) tree.filesystem.forgetLookups(node, 1);
  }
  assertEquals(ended, 1000);
  assertEquals(tree.filesystem.table.branches.size, 1);
  await tree.filesystem.graft("/last", new MemoryFileSystem());
  assertEquals(tree.filesystem.table.branches.get(1)?.path, "/last");
});
