/** A tree of branches, without a kernel: branches in memory, answering at once and late. */
import { assert, assertEquals, assertNotEquals } from "../../deps.ts";
import type { Attributes, Entry } from "../../../src/fs/attributes.ts";
import type { FileSystem } from "../../../src/fs/filesystem.ts";
import { O_RDWR, RENAME_EXCHANGE, S_IFDIR, S_IFMT } from "../../../src/fs/flags.ts";
import { BranchFileSystem } from "../../../src/layers/branch/mod.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import { assertRefused, BranchTree, context, late, recordingConnection } from "./branch_tree.ts";

const memory = () => new MemoryFileSystem();

const KINDS: Record<string, () => FileSystem> = { "at once": memory, "late": () => late(memory()) };

for (const [kind, make] of Object.entries(KINDS)) {
  Deno.test(`a tree of branches that answer ${kind}`, async (t) => {
    const tree = () =>
      new BranchTree([
        { path: "/", filesystem: make() },
        { path: "/src", filesystem: make() },
        { path: "/src/vendor", filesystem: make() },
        { path: "/data/torrents", filesystem: make() },
      ]);

    await t.step("files are where they were made, in their branch alone", async () => {
      const subject = tree();
      for (const path of ["/file", "/src/file", "/src/vendor/file", "/data/torrents/file"]) {
        await subject.write(path, path);
      }
      for (const path of ["/file", "/src/file", "/src/vendor/file", "/data/torrents/file"]) {
        assertEquals(await subject.read(path), path);
      }
      assertEquals(await subject.names("/"), "data file src");
      assertEquals(await subject.names("/src"), "file vendor");
      assertEquals(await subject.names("/data"), "torrents");
    });

    await t.step("inode numbers are unique, and listings agree with stat", async () => {
      const subject = tree();
      const paths = ["/a", "/src/a", "/src/vendor/a", "/data/torrents/a"];
      for (const path of paths) await subject.write(path, "");
      const all = ["/", "/src", "/src/vendor", "/data", "/data/torrents", ...paths];
      const inodes = await Promise.all(all.map(async (path) => (await subject.stat(path)).inode!));
      assertEquals(new Set(inodes).size, all.length);
      assert(inodes.every((inode) => inode < 2 ** 53));
      for (const path of all) {
        const entry = (await subject.entry(path))!;
        assertEquals(entry.attributes.inode ?? entry.node, inodes[all.indexOf(path)], `looking up ${path}`);
      }
      for (const directory of ["/", "/src", "/src/vendor", "/data"]) {
        const entries = await subject.list(directory);
        const above = directory.slice(0, directory.lastIndexOf("/")) || "/";
        for (const { name, inode } of entries) {
          const path = name === "."
            ? directory
            : name === ".."
            ? above
            : `${directory === "/" ? "" : directory}/${name}`;
          assertEquals(inode, (await subject.stat(path)).inode, `${name} in ${directory}`);
        }
      }
    });

    await t.step(".. in a branch's directories is the branch point", async () => {
      const subject = tree();
      await subject.makeDirectory("/src/below");
      await subject.stat("/src");
      const up = (await subject.list("/src/below")).find(({ name }) => name === "..");
      assertEquals(up?.inode, (await subject.stat("/src")).inode);
    });

    await t.step("listings in any pieces show each entry once, places last, at steady offsets", async () => {
      const subject = tree();
      for (let index = 0; index < 20; index++) await subject.write(`/file${index}`, "");
      const whole = await subject.list("/");
      assertEquals(whole.slice(-2).map(({ name }) => name), ["src", "data"]);
      for (const atOnce of [1, 3, 7]) assertEquals(await subject.list("/", { atOnce }), whole);
      for (const atOnce of [1, 3, 7]) {
        const plus = await subject.list("/", { plus: true, atOnce });
        assertEquals(
          plus.map(({ name, inode, offset }) => [name, inode, offset]),
          whole.map(({ name, inode, offset }) => [name, inode, offset]),
        );
      }
    });

    await t.step("readDirectoryPlus gives the tree's nodes, and none for places", async () => {
      const subject = tree();
      await subject.write("/src/file", "text");
      const entries = await subject.list("/src", { plus: true });
      const file = entries.find(({ name }) => name === "file")!;
      assertEquals(file.entry!.node, await subject.node("/src/file"));
      assertEquals(entries.find(({ name }) => name === "vendor")!.entry, undefined);
    });

    await t.step("renaming and linking go within a branch; across they are EXDEV", async () => {
      const subject = tree();
      const file = await subject.write("/src/a", "text");
      await subject.rename("/src/a", "/src/b");
      assertEquals(await subject.read("/src/b"), "text");
      await assertRefused("EXDEV", () => subject.rename("/src/b", "/b"));
      await assertRefused("EXDEV", () => subject.rename("/src/b", "/src/vendor/b"));
      await assertRefused("EXDEV", () => subject.filesystem.link(file, 1, "b", context));
      const linked = await subject.filesystem.link(file, await subject.node("/src"), "c", context);
      assertEquals(linked.node, file);
      assertEquals((await subject.stat("/src/b")).inode, (await subject.stat("/src/c")).inode);
      const other = await subject.write("/other", "");
      const range = (node: number) => ({ node, handle: 0, offset: 0 });
      await assertRefused("EXDEV", () => subject.filesystem.copyFileRange(range(file), range(other), 4, 0, context));
      assertEquals(
        await subject.filesystem.copyFileRange(range(file), { ...range(file), offset: 4 }, 4, 0, context),
        4,
      );
      assertEquals(await subject.read("/src/c"), "texttext");
    });

    await t.step("branch points and the way to them cannot be changed", async () => {
      const subject = tree();
      await subject.makeDirectory("/directory");
      for (const place of ["/src", "/data", "/data/torrents", "/src/vendor"]) {
        await assertRefused("EBUSY", () => subject.removeDirectory(place), place);
        await assertRefused("EBUSY", () => subject.rename(place, "/moved"), place);
        await assertRefused("EBUSY", () => subject.rename("/directory", place), place);
        await assertRefused("EBUSY", () => subject.rename("/directory", place, RENAME_EXCHANGE), place);
        await assertRefused("EBUSY", () => subject.unlink(place), place);
        await assertRefused("EEXIST", () => subject.makeDirectory(place), place);
        await assertRefused("EEXIST", () => subject.write(place, ""), place);
      }
      await assertRefused("EROFS", () => subject.write("/data/file", ""));
      await assertRefused("EROFS", () => subject.makeDirectory("/data/directory"));
      const data = await subject.node("/data");
      await assertRefused("EROFS", () => subject.filesystem.setAttributes(data, { mode: 0 }, undefined, context));
    });

    await t.step("attributes, links and extended attributes reach their branch", async () => {
      const all = tree();
      const { filesystem } = all;
      const node = await all.write("/src/file", "text");
      const changed = await filesystem.setAttributes(node, { mode: 0o600, size: 2 }, undefined, context);
      assertEquals([changed.mode & 0o777, changed.size], [0o600, 2]);
      assertEquals((await filesystem.getExtendedStatus(node, undefined, context)).attributes.size, 2);
      await filesystem.setExtendedAttribute(node, "user.a", new Uint8Array([1]), 0, context);
      assertEquals(await filesystem.listExtendedAttributes(node, context), ["user.a"]);
      const link = await filesystem.makeSymbolicLink(await all.node("/src/vendor"), "link", "../file", context);
      assertEquals(await filesystem.readLink(link.node, context), "../file");
    });

    await t.step("a waypoint that its branch has is the branch's own directory", async () => {
      const [outside, inside] = [make(), make()];
      const plain = new BranchTree([{ path: "/", filesystem: outside }]);
      await plain.makeDirectory("/way");
      await plain.makeDirectory("/way/hidden");
      await plain.write("/way/hidden/old", "");
      await plain.write("/way/file", "text");
      const subject = new BranchTree([{ path: "/", filesystem: outside }, { path: "/way/hidden", filesystem: inside }]);
      assertEquals(await subject.read("/way/file"), "text");
      assertEquals(await subject.names("/way"), "file hidden");
      assertEquals(await subject.names("/way/hidden"), "");
      await subject.write("/way/second", "2");
      assertEquals(await plain.read("/way/second"), "2");
      await subject.rename("/way/second", "/second");
      await assertRefused("EBUSY", () => subject.rename("/way", "/elsewhere"));
      assertEquals((await subject.entry("/way"))!.attributes.inode, await subject.node("/way"));
      const names = (await subject.list("/way")).map(({ name }) => name);
      assertEquals(new Set(names).size, names.length);
    });
  });
}

Deno.test("what is no tree is refused, and the branch is named", async (t) => {
  const cases: [string, { path: string; id?: number }[], string][] = [
    ["a relative path", [{ path: "src" }], "branch 1"],
    ["a path with ..", [{ path: "/a/../b" }], '".."'],
    ["a path with .", [{ path: "/./b" }], '"."'],
    ["an empty name", [{ path: "/a//b" }], "empty name"],
    ["a slash at the end", [{ path: "/a/" }], "empty name"],
    ["a zero byte", [{ path: "/a\0" }], "zero byte"],
    ["a name that is too long", [{ path: `/${"n".repeat(256)}` }], "longer than 255"],
    ["a gap", [{ path: "/a", id: 1 }, { path: "/b", id: 3 }], "branch 3"],
    ["an id twice", [{ path: "/a", id: 1 }, { path: "/b", id: 1 }], "branch 1"],
    ["a root that is not 0", [{ path: "/", id: 1 }], "branch 1"],
    ["a branch 0 that is not the root", [{ path: "/a", id: 0 }], "branch 0"],
  ];
  for (const [name, branches, words] of cases) {
    await t.step(name, () => {
      const make = () => new BranchFileSystem(branches.map((branch) => ({ ...branch, filesystem: memory() })));
      return assertRefused("EINVAL", make, words);
    });
  }
  await t.step("but ids may come in any order, or only for some", () => {
    const branches = [{ path: "/b", id: 2 }, { path: "/c" }, { path: "/" }, { path: "/a" }, { path: "/d", id: 4 }];
    const { table } = new BranchFileSystem(branches.map((branch) => ({ ...branch, filesystem: memory() })));
    assertEquals([0, 1, 2, 3, 4].map((id) => table.branches.get(id)!.path), ["/", "/c", "/b", "/a", "/d"]);
  });
  await t.step("a path twice", () => {
    const twice = [{ path: "/a", filesystem: memory() }, { path: "/a", filesystem: memory() }];
    return assertRefused("EEXIST", () => new BranchFileSystem(twice), "branch 2");
  });
  await t.step("more branches than ids", () => {
    const many = Array.from({ length: 4095 }, (_, index) => ({ path: `/${index}`, filesystem: {} }));
    return assertRefused("ENOSPC", () => new BranchFileSystem(many), "branch 4095");
  });
  await t.step("a tree in a tree", () => {
    const inner = new BranchFileSystem([]);
    return assertRefused("EINVAL", () => new BranchFileSystem([{ path: "/a", filesystem: inner }]), '"/a"');
  });
});

Deno.test("nodes that no branch has are ESTALE", async () => {
  const tree = new BranchTree([{ path: "/a", filesystem: memory() }]);
  for (const node of [7 * 2 ** 40 + 1, 2 ** 40 + 99, 4095 * 2 ** 40 + 77]) {
    await assertRefused("ESTALE", () => tree.filesystem.getAttributes(node, undefined, context));
  }
});

Deno.test("a node id that does not fit is EOVERFLOW and names the branch", async () => {
  const wide: FileSystem = { lookup: () => ({ node: 2 ** 40, attributes: { mode: 0o100644 } }) };
  const tree = new BranchTree([{ path: "/wide", filesystem: wide }]);
  await assertRefused("EOVERFLOW", () => tree.node("/wide/file"), "branch 1");
});

Deno.test("an empty root is a directory that never changes", async () => {
  const tree = new BranchTree([{ path: "/a/b", filesystem: memory() }]);
  assertEquals((await tree.stat("/")).mode & S_IFMT, S_IFDIR);
  assertEquals((await tree.list("/")).map(({ name }) => name), [".", "..", "a"]);
  assertEquals(await tree.entry("/nothing"), undefined);
  const { create } = tree.filesystem;
  await assertRefused("EROFS", () => create(1, "file", 0o644, O_RDWR, context));
});

Deno.test("what a branch cannot do is never ENOSYS, and does not keep the others from it", async (t) => {
  const plain: FileSystem = {
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes: { mode: 0o100644, size: 10 } } : undefined,
    getAttributes: (node) => node === 1 ? { mode: 0o40755 } : { mode: 0o100644, size: 10 },
  };
  const tree = new BranchTree([{ path: "/plain", filesystem: plain }, { path: "/memory", filesystem: memory() }]);
  const { filesystem } = tree;
  const directory = await tree.node("/plain");
  const file = await tree.node("/plain/file");
  const refused: [string, string, () => unknown][] = [
    ["makeDirectory", "EPERM", () => filesystem.makeDirectory(directory, "a", 0, context)],
    ["create", "EPERM", () => filesystem.create(directory, "a", 0, 0, context)],
    ["unlink", "EPERM", () => filesystem.unlink(directory, "file", context)],
    [
      "write",
      "EINVAL",
      () => filesystem.write(file, 0, 0, new Uint8Array(1), { cached: false, killPrivileges: false }, context),
    ],
    [
      "setExtendedAttribute",
      "EOPNOTSUPP",
      () => filesystem.setExtendedAttribute(file, "user.a", new Uint8Array(), 0, context),
    ],
    ["allocate", "EOPNOTSUPP", () => filesystem.allocate(file, 0, 0, 0, 1, context)],
  ];
  for (const [name, code, attempt] of refused) {
    await t.step(`${name} is ${code}`, () => assertRefused(code as "EPERM", attempt));
  }
  await t.step("what has an answer without a method gets it", async () => {
    assertEquals(await filesystem.seek(file, 0, 3, 3, context), 3);
    assertEquals(await filesystem.seek(file, 0, 3, 4, context), 10);
    await assertRefused("ENXIO", () => filesystem.seek(file, 0, 10, 3, context));
    assertEquals((await filesystem.getExtendedStatus(file, undefined, context)).attributes.size, 10);
    assertEquals([...await filesystem.readDirectoryPlus(directory, 0, 0, context) as Iterable<unknown>], []);
    assertEquals(await filesystem.open(file, 0, context), {});
  });
  await t.step("what none has is missing", () => {
    assertEquals(filesystem.poll, undefined);
    assertEquals(filesystem.setLock, undefined);
  });
});

Deno.test("create is mknod and open where a branch has no create", async () => {
  const inner = memory();
  const without = { ...bound(inner), create: undefined } as unknown as FileSystem;
  const tree = new BranchTree([{ path: "/a", filesystem: without }, { path: "/b", filesystem: memory() }]);
  await tree.write("/a/file", "text");
  assertEquals(await tree.read("/a/file"), "text");
});

function bound(filesystem: MemoryFileSystem): FileSystem {
  const names = Object.getOwnPropertyNames(MemoryFileSystem.prototype).filter((name) => name !== "constructor");
  const methods = names.map((
    name,
  ) => [name, (filesystem as unknown as Record<string, () => void>)[name]!.bind(filesystem)]);
  return Object.fromEntries(methods);
}

Deno.test("locks are the tree's only when all branches have them", () => {
  const locking: FileSystem = { setLock: () => {}, getLock: () => undefined };
  assert(new BranchFileSystem([{ path: "/a", filesystem: locking }]).setLock !== undefined);
  const mixed = new BranchFileSystem([{ path: "/a", filesystem: locking }, { path: "/b", filesystem: memory() }]);
  assertEquals(mixed.setLock, undefined);
});

Deno.test("features: harmless ones if anybody asks, others if everybody does", () => {
  const asks = (...features: string[]): FileSystem => ({ features });
  const join = (...all: FileSystem[]) =>
    new BranchFileSystem(all.map((filesystem, index) => ({ path: `/${index}`, filesystem }))).features;
  assertEquals(join(asks("writeback-cache", "posix-acl"), asks("writeback-cache")), ["writeback-cache", "posix-acl"]);
  assertEquals(join(asks("writeback-cache", "posix-acl"), asks()), ["posix-acl"]);
  const growing = new BranchFileSystem([{ path: "/", filesystem: asks("writeback-cache", "posix-acl") }], {
    growing: true,
  });
  assertEquals(growing.features, ["posix-acl"]);
  assert(growing.makeDirectory !== undefined && growing.poll !== undefined);
});

Deno.test("the umask is applied for branches that did not ask to do it themselves", async () => {
  const asking = Object.assign(memory(), { features: ["dont-mask"] });
  const filesystem = new BranchFileSystem([{ path: "/asks", filesystem: asking }, {
    path: "/not",
    filesystem: memory(),
  }]);
  filesystem.initialize(recordingConnection(["dont-mask"]));
  const masks = { ...context, umask: 0o077 };
  const made = async (path: string) => {
    const { node } = (await filesystem.lookup!(1, path, context))!;
    return (await filesystem.makeDirectory!(node, "made", 0o777, masks)).attributes.mode & 0o777;
  };
  assertEquals(await made("not"), 0o700);
  assertEquals(await made("asks"), 0o777);
});

Deno.test("lookups are given back to the branch that they were of", async () => {
  const forgotten: number[] = [];
  const attributes = { mode: 0o100644 };
  const counting: FileSystem = {
    lookup: (_parent, name) => ({ node: Number(name), attributes }),
    forget: (node) => void forgotten.push(node),
  };
  const tree = new BranchTree([{ path: "/a", filesystem: counting }, { path: "/b", filesystem: {} }]);
  const node = await tree.node("/a/7");
  await tree.node("/a/7");
  tree.filesystem.forgetLookups(node, 1);
  assertEquals(forgotten, []);
  tree.filesystem.forgetLookups(node, 1);
  assertEquals(forgotten, [7]);
});

Deno.test("a lookup of a branch point asks that branch alone", async () => {
  const never: FileSystem = {
    getAttributes: () => new Promise(() => {}),
    lookup: () => new Promise(() => {}),
    readDirectory: () => new Promise(() => {}),
  };
  const tree = new BranchTree([{ path: "/", filesystem: memory() }, { path: "/dead", filesystem: never }]);
  await tree.write("/file", "text");
  assertEquals(await tree.names("/"), "dead file");
  assertEquals((await tree.list("/", { plus: true })).length, 4);
  assertEquals(await tree.read("/file"), "text");
});

Deno.test("an answer that is there at once is not made a promise, nor a new object", async () => {
  const tree = new BranchTree([{ path: "/a", filesystem: memory() }]);
  await tree.write("/a/file", "text");
  const directory = await tree.node("/a");
  const first = tree.filesystem.lookup(directory, "file", context);
  assert(!(first instanceof Promise));
  assert(tree.filesystem.lookup(directory, "file", context) === first);
  assert(!(tree.filesystem.getAttributes(directory, undefined, context) instanceof Promise));
  assertNotEquals(directory, 1);
});

Deno.test("all that a branch says of a file arrives, but for its numbers", async () => {
  const time = (seconds: number) => ({ seconds, nanoseconds: 1 });
  const attributes: Required<Attributes> = {
    ...{ mode: 0o100644, inode: 7, size: 8, blocks: 9, blockSize: 10, links: 11, uid: 12, gid: 13, device: 14 },
    ...{ atime: time(15), mtime: time(16), ctime: time(17), timeout: 18 },
  };
  const entry: Required<Entry> = { node: 5, generation: 6, attributes, entryTimeout: 19, attributesTimeout: 20 };
  const speaking: FileSystem = { lookup: () => entry, getAttributes: () => attributes };
  for (const filesystem of [speaking, late(speaking)]) {
    const tree = new BranchTree([{ path: "/a", filesystem }]);
    const branch = 2 ** 40;
    const shown = { ...attributes, inode: branch + 7 };
    assertEquals(await tree.entry("/a/file"), { ...entry, node: branch + 5, attributes: shown });
    assertEquals({ ...await tree.filesystem.getAttributes(branch + 5, undefined, context) }, shown);
  }
});

Deno.test("notifications of a branch name the tree's nodes", async () => {
  let notify!: ReturnType<typeof recordingConnection>["notifier"];
  const inner = memory();
  const filesystem: FileSystem = Object.assign(inner, {
    initialize: (connection: ReturnType<typeof recordingConnection>) => void (notify = connection.notifier),
  });
  const tree = new BranchTree([{ path: "/a", filesystem }, { path: "/a/way/b", filesystem: memory() }]);
  const { node } = inner.makeDirectory(1, "way", 0o755, context);
  const way = await tree.node("/a/way");
  await notify.invalidateNode(5, 1, 2);
  await notify.invalidateEntry(1, "name");
  await notify.invalidateEntry(node, "name");
  await notify.deleteEntry(1, 6, "name");
  await notify.prune([5, 6]);
  await notify.wakePoll(3);
  const branch = 2 ** 40;
  assertEquals(tree.connection.told, [
    `invalidateNode ${branch + 5} 1 2`,
    `invalidateEntry ${branch + 1} name`,
    `invalidateEntry ${way} name`,
    `deleteEntry ${branch + 1} ${branch + 6} name`,
    `prune ${branch + 5},${branch + 6}`,
    "wakePoll 3",
  ]);
});

Deno.test("all branches are ended, also when one throws", async () => {
  const ended: string[] = [];
  const ending = (name: string, fails: boolean): FileSystem => ({
    destroy: () => {
      ended.push(name);
      if (fails) throw new Error(`${name} failed`);
    },
  });
  const tree = new BranchTree([
    { path: "/a", filesystem: ending("a", true) },
    { path: "/b", filesystem: ending("b", false) },
  ]);
  let message = "";
  try {
    await tree.filesystem.destroy();
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals([ended, message], [["a", "b"], "a failed"]);
});

Deno.test("a branch without ACLs has none, also for a kernel that asks every file", async () => {
  const asking: FileSystem = { features: ["posix-acl"], getExtendedAttribute: () => new Uint8Array(4) };
  const filesystem = new BranchFileSystem([{ path: "/asks", filesystem: asking }, { path: "/not", filesystem: {} }]);
  filesystem.initialize(recordingConnection(["posix-acl"]));
  const read = async (path: string, name: string) => {
    const { node } = (await filesystem.lookup!(1, path, context))!;
    return await filesystem.getExtendedAttribute!(node, name, context);
  };
  assertEquals((await read("asks", "system.posix_acl_access"))?.length, 4);
  assertEquals(await read("not", "system.posix_acl_access"), undefined);
  await assertRefused("EOPNOTSUPP", () => read("not", "user.a"));
});

Deno.test("a directory on the way that the branch gets later is found, and one opened before is read to its end", async () => {
  const around = memory();
  const tree = new BranchTree([{ path: "/", filesystem: around }, { path: "/way/b", filesystem: memory() }]);
  const { filesystem } = tree;
  const way = await tree.node("/way");
  const { handle = 0 } = await filesystem.openDirectory(way, 0, context);
  const { node } = around.makeDirectory(1, "way", 0o700, context);
  around.makeDirectory(node, "found", 0o700, context);
  assertEquals(await tree.node("/way"), way);
  assertEquals((await tree.stat("/way")).mode & 0o777, 0o700);
  assertEquals(await tree.names("/way"), "b found");
  const listed = await filesystem.readDirectory(way, handle, 0, context) as Iterable<{ name: string }>;
  assertEquals(Array.from(listed, ({ name }) => name), [".", "..", "b"]);
  await filesystem.releaseDirectory(way, handle, 0, context);
  around.removeDirectory(node, "found");
  around.removeDirectory(1, "way");
  assertEquals(await tree.node("/way"), way);
  assertEquals(await tree.names("/way"), "b");
  assert([...filesystem.held.values()].every(({ opened }) => opened === 0));
});

Deno.test("a file that has the name of a directory on the way is hidden", async () => {
  const around = memory();
  around.create(1, "way", 0o644, O_RDWR, context);
  const tree = new BranchTree([{ path: "/", filesystem: around }, { path: "/way/b", filesystem: memory() }]);
  assertEquals((await tree.stat("/way")).mode & S_IFMT, S_IFDIR);
  assertEquals(await tree.names("/way"), "b");
  assertEquals((await tree.list("/")).filter(({ name }) => name === "way").length, 1);
});
