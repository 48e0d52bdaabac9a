/** Wrappers around memory, answering at once and late, without a kernel. */
import { assert, assertEquals, assertThrows } from "../../deps.ts";
import type { FileSystem, RequestContext } from "../../../src/fs/filesystem.ts";
import { O_NOATIME, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, R_OK, W_OK } from "../../../src/fs/flags.ts";
import { FsError } from "../../../src/fs/errors.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import {
  hideNames,
  limitSize,
  makeSizeUsage,
  mapOwners,
  readOnly,
  SIZE_USAGE_BYTES,
  sizeChangeOf,
  sizeChangesBytes,
} from "../../../src/layers/wrappers/mod.ts";
import { assertRefused, context, late, recordingConnection } from "../branch/branch_tree.ts";

type Whole = Required<FileSystem>;
const WRITE = { cached: false, killPrivileges: false };

const KINDS: Record<string, () => FileSystem> = {
  "at once": () => new MemoryFileSystem({ uid: 0, gid: 0 }),
  "late": () => late(new MemoryFileSystem({ uid: 0, gid: 0 })),
};

async function names(filesystem: Whole, method: "readDirectory" | "readDirectoryPlus" = "readDirectory") {
  const { handle = 0 } = await filesystem.openDirectory(1, 0, context);
  const found: string[] = [];
  for await (const { name } of await filesystem[method](1, handle, 0, context)) found.push(name);
  await filesystem.releaseDirectory(1, handle, 0, context);
  return found.filter((name) => !/^\.\.?$/.test(name)).sort();
}

async function make(filesystem: Whole, name: string, bytes = 0, as: RequestContext = context): Promise<number> {
  const { entry: { node }, opened: { handle = 0 } } = await filesystem.create(1, name, 0o644, O_RDWR, as);
  if (bytes > 0) await filesystem.write(node, handle, 0, new Uint8Array(bytes), WRITE, as);
  return node;
}

for (const [kind, inner] of Object.entries(KINDS)) {
  Deno.test(`readOnly, of a filesystem that answers ${kind}`, async (t) => {
    const plain = inner() as Whole;
    const file = await make(plain, "file", 10);
    const wrapped = readOnly(plain) as Whole;
    const changes: Record<string, () => unknown> = {
      setAttributes: () => wrapped.setAttributes(file, { mode: 0 }, undefined, context),
      makeNode: () => wrapped.makeNode(1, "a", 0o100644, 0, context),
      makeDirectory: () => wrapped.makeDirectory(1, "a", 0o755, context),
      makeSymbolicLink: () => wrapped.makeSymbolicLink(1, "a", "b", context),
      unlink: () => wrapped.unlink(1, "file", context),
      removeDirectory: () => wrapped.removeDirectory(1, "file", context),
      rename: () => wrapped.rename(1, "file", 1, "b", 0, context),
      link: () => wrapped.link(file, 1, "b", context),
      create: () => wrapped.create(1, "a", 0o644, O_RDWR, context),
      makeTemporaryFile: () => wrapped.makeTemporaryFile(1, 0o644, O_RDWR, context),
      write: () => wrapped.write(file, 0, 0, new Uint8Array(1), WRITE, context),
      setExtendedAttribute: () => wrapped.setExtendedAttribute(file, "user.a", new Uint8Array(), 0, context),
      removeExtendedAttribute: () => wrapped.removeExtendedAttribute(file, "user.a", context),
      allocate: () => wrapped.allocate(file, 0, 0, 0, 1, context),
      "open for writing": () => wrapped.open(file, O_WRONLY, context),
      "open with O_TRUNC": () => wrapped.open(file, O_RDONLY | O_TRUNC, context),
      "access for writing": () => wrapped.access(file, W_OK, context),
    };
    for (const [name, attempt] of Object.entries(changes)) {
      await t.step(`${name} is EROFS`, () => assertRefused("EROFS", attempt));
    }
    await t.step("reading goes on", async () => {
      const { handle = 0 } = await wrapped.open(file, O_RDONLY, context);
      assertEquals((await wrapped.read(file, handle, 0, 100, context)).length, 10);
      assertEquals(await names(wrapped), ["file"]);
      await wrapped.access(file, R_OK, context);
    });
    await t.step("reading moves no access time", async () => {
      const old = { seconds: 1000, nanoseconds: 0 };
      await plain.setAttributes(file, { atime: old, mtime: old }, undefined, context);
      const { handle = 0 } = await wrapped.open(file, O_RDONLY, context);
      await wrapped.read(file, handle, 0, 100, context);
      assertEquals((await wrapped.getAttributes(file, undefined, context)).atime, old);
    });
  });

  Deno.test(`hideNames, of a filesystem that answers ${kind}`, async (t) => {
    const plain = inner() as Whole;
    const visible = ["file", "a.out", "core", "ab", "😃"];
    const hidden = ["secret", ".git", "a.o", "x.o", "core.12", "[x]", "b", "😁"];
    for (const name of [...visible, ...hidden]) await make(plain, name);
    const wrapped = hideNames(plain, [
      "secret",
      ".g*",
      "*.o",
      "core.[0-9]?",
      "\\[x\\]",
      "[!ac-z0-9.😃]",
      "[😀-😂]",
    ]) as Whole;
    await t.step("they are in no listing", async () => {
      assertEquals(await names(wrapped), [...visible].sort());
      assertEquals(await names(wrapped, "readDirectoryPlus"), [...visible].sort());
    });
    await t.step("they are not found, and cannot be removed", async () => {
      for (const name of hidden) {
        assertEquals(await wrapped.lookup(1, name, context), undefined, name);
        await assertRefused("ENOENT", () => wrapped.unlink(1, name, context));
        await assertRefused("ENOENT", () => wrapped.rename(1, name, 1, "new", 0, context));
      }
      for (const name of visible) assert(await wrapped.lookup(1, name, context) !== undefined, name);
    });
    await t.step("to make one is EACCES", async () => {
      await assertRefused("EACCES", () => wrapped.create(1, "secret", 0o644, O_RDWR, context));
      await assertRefused("EACCES", () => wrapped.makeDirectory(1, "new.o", 0o755, context));
      await assertRefused("EACCES", () => wrapped.makeNode(1, "new.o", 0o100644, 0, context));
      await assertRefused("EACCES", () => wrapped.makeSymbolicLink(1, "new.o", "a", context));
      await assertRefused("EACCES", () => wrapped.rename(1, "file", 1, "file.o", 0, context));
      await assertRefused(
        "EACCES",
        async () => wrapped.link((await wrapped.lookup(1, "file", context))!.node, 1, "n.o", context),
      );
    });
    await t.step("others are made as ever", async () => {
      await make(wrapped, "new");
      assert((await names(wrapped)).includes("new"));
    });
  });

  Deno.test(`mapOwners, of a filesystem that answers ${kind}`, async (t) => {
    const alice = { ...context, uid: 1000, gid: 1000 };
    await t.step("a table shows one id as another, both ways", async () => {
      const plain = inner() as Whole;
      const ids = [{ shown: 0, stored: 5000, count: 1 }, { shown: 1000, stored: 6000, count: 10 }];
      const wrapped = mapOwners(plain, { uid: ids, gid: ids }) as Whole;
      const file = await make(wrapped, "file", 0, { ...context, uid: 1003, gid: 0 });
      const stored = await plain.getAttributes(file, undefined, context);
      assertEquals([stored.uid, stored.gid], [6003, 5000]);
      const shown = (await wrapped.lookup(1, "file", context))!.attributes;
      assertEquals([shown.uid, shown.gid], [1003, 0]);
      const root = await wrapped.getAttributes(1, undefined, context);
      assertEquals([root.uid, root.gid], [65534, 65534]);
      await wrapped.setAttributes(file, { uid: 0, gid: 1009 }, undefined, context);
      const changed = await plain.getAttributes(file, undefined, context);
      assertEquals([changed.uid, changed.gid], [5000, 6009]);
      await assertRefused("EINVAL", () => wrapped.setAttributes(file, { uid: 42 }, undefined, context));
      await assertRefused("EOVERFLOW", () => make(wrapped, "other", 0, { ...context, uid: 42 }));
    });
    await t.step("all are shown as one", async () => {
      const plain = inner() as Whole;
      const wrapped = mapOwners(plain, { uid: { shown: 1000, stored: 7 }, gid: { shown: 1000, stored: 8 } }) as Whole;
      const file = await make(wrapped, "file", 0, alice);
      const stored = await plain.getAttributes(file, undefined, context);
      assertEquals([stored.uid, stored.gid], [7, 8]);
      assertEquals((await wrapped.getAttributes(1, undefined, alice)).uid, 1000);
      const kept = await wrapped.setAttributes(file, { uid: 1000, gid: 1000 }, undefined, alice);
      assertEquals([kept.uid, kept.gid, (await plain.getAttributes(file, undefined, context)).uid], [1000, 1000, 7]);
      await assertRefused("EPERM", () => wrapped.setAttributes(file, { uid: 1001 }, undefined, alice));
    });
    await t.step("permission bits are shown alike, whatever is stored", async () => {
      const plain = inner() as Whole;
      const wrapped = mapOwners(plain, { fileMode: 0o600, directoryMode: 0o700 }) as Whole;
      const file = await make(wrapped, "file");
      const link = (await wrapped.makeSymbolicLink(1, "link", "file", context)).attributes.mode;
      assertEquals([(await wrapped.getAttributes(file, undefined, context)).mode, link], [0o100600, 0o120777]);
      assertEquals((await wrapped.getAttributes(1, undefined, context)).mode, 0o40700);
      await assertRefused("EPERM", () => wrapped.setAttributes(file, { mode: 0o644 }, undefined, context));
      assertEquals((await wrapped.setAttributes(file, { mode: 0o600 }, undefined, context)).mode, 0o100600);
      assertEquals((await plain.getAttributes(file, undefined, context)).mode, 0o100644);
      const others = mapOwners(plain, { directoryMode: 0o700 }) as Whole;
      assertEquals((await others.setAttributes(file, { mode: 0o640 }, undefined, context)).mode, 0o100640);
    });
  });

  Deno.test(`limitSize, of a filesystem that answers ${kind}`, async (t) => {
    const PAGE = 4096;
    const limited = (pages: number) => limitSize(inner(), { size: pages * PAGE }) as Whole;
    const free = async (filesystem: Whole) => (await filesystem.getStatistics(1, context)).blocksFree;
    const write = (filesystem: Whole, file: number, offset: number, length: number) =>
      filesystem.write(file, 0, offset, new Uint8Array(length), WRITE, context);

    await t.step("writing goes as far as there is room, then ENOSPC", async () => {
      const filesystem = limited(4);
      const file = await make(filesystem, "file", 1);
      assertEquals(await free(filesystem), 3);
      assertEquals(await write(filesystem, file, 0, 3 * PAGE), 3 * PAGE);
      assertEquals(await write(filesystem, file, 3 * PAGE, 2 * PAGE), PAGE);
      await assertRefused("ENOSPC", () => write(filesystem, file, 4 * PAGE, 1));
      assertEquals(await write(filesystem, file, 0, 4 * PAGE), 4 * PAGE);
      assertEquals(await free(filesystem), 0);
    });
    await t.step("truncating, allocating and copying count too", async () => {
      const filesystem = limited(4);
      const file = await make(filesystem, "file");
      await filesystem.setAttributes(file, { size: 3 * PAGE }, undefined, context);
      await assertRefused("ENOSPC", () => filesystem.setAttributes(file, { size: 5 * PAGE }, undefined, context));
      await assertRefused("ENOSPC", () => filesystem.allocate(file, 0, 0, 0, 5 * PAGE, context));
      assertEquals(await free(filesystem), 1);
      const other = await make(filesystem, "other");
      const range = (node: number) => ({ node, handle: 0, offset: 0 });
      assertEquals(await filesystem.copyFileRange(range(file), range(other), 3 * PAGE, 0, context), PAGE);
      await filesystem.setAttributes(file, { size: 0 }, undefined, context);
      assertEquals(await free(filesystem), 3);
      await filesystem.allocate(file, 0, 0, 0, 3 * PAGE, context);
      assertEquals(await free(filesystem), 0);
    });
    await t.step("a file counts until it has no name and was forgotten", async () => {
      const filesystem = limited(4);
      const file = await make(filesystem, "file", 3 * PAGE);
      await filesystem.unlink(1, "file", context);
      assertEquals(await free(filesystem), 1);
      filesystem.forget(file);
      for (let turn = 0; turn < 10 && await free(filesystem) !== 4; turn++) await Promise.resolve();
      assertEquals(await free(filesystem), 4);
      const kept = await make(filesystem, "kept", PAGE);
      filesystem.forget(kept);
      await new Promise((resolve) => setTimeout(resolve));
      assertEquals(await free(filesystem), 3);
    });
    await t.step("what fails takes no room", async () => {
      const failing = { ...inner(), write: () => Promise.reject(new FsError("EIO")) };
      const plain = inner() as Whole;
      const filesystem = limitSize(Object.assign(plain, { write: failing.write }), { size: 4 * PAGE }) as Whole;
      const file = await make(filesystem, "file");
      await assertRefused("EIO", () => write(filesystem, file, 0, PAGE));
      assertEquals(await free(filesystem), 4);
    });
  });
}

Deno.test("wrappers of what answers at once answer at once", () => {
  const memory = () => new MemoryFileSystem();
  const wrappers: Record<string, FileSystem> = {
    readOnly: readOnly(memory()),
    hideNames: hideNames(memory(), ["*.o"]),
    mapOwners: mapOwners(memory(), { uid: { shown: 1 } }),
    limitSize: limitSize(memory(), { size: 1e6 }),
  };
  for (const [name, filesystem] of Object.entries(wrappers)) {
    for (
      const result of [
        filesystem.lookup!(1, "a", context),
        filesystem.getAttributes!(1, undefined, context),
        filesystem.getStatistics!(1, context),
        filesystem.readDirectory!(1, filesystem.openDirectory!(1, 0, context) instanceof Promise ? 0 : 1, 0, context),
      ]
    ) assert(!(result instanceof Promise), name);
  }
});

Deno.test("limitSize counts what somebody was at who died, once another takes over", () => {
  const [PAGE, node] = [4096, 7];
  const memory = new SharedArrayBuffer(SIZE_USAGE_BYTES + sizeChangesBytes(2));
  const usage = makeSizeUsage(memory);
  let length = 0;
  /** All that is left of who dies before, or after, the change. */
  const left = { before: new Uint8Array(), after: new Uint8Array(), length };
  const change = (to: number) => {
    left.before = new Uint8Array(memory).slice();
    left.length = length;
    length = to;
    left.after = new Uint8Array(memory).slice();
  };
  const filesystem: FileSystem = {
    getAttributes: () => ({ mode: 0o100644, size: length }),
    setAttributes(_node, { size }) {
      change(size!);
      return { mode: 0o100644, size: length };
    },
    write(_node, _handle, offset, data) {
      change(Math.max(length, offset + data.length));
      return data.length;
    },
  };
  const start = () => {
    const limited = limitSize(filesystem, { size: 8 * PAGE, usage, change: sizeChangeOf(memory, SIZE_USAGE_BYTES, 1) });
    limited.initialize!(recordingConnection());
    return limited;
  };
  const changes: [what: string, pages: number, make: (limited: FileSystem) => unknown][] = [
    ["grows", 5, (limited) => limited.write!(node, 0, 0, new Uint8Array(5 * PAGE), WRITE, context)],
    ["is written over", 5, (limited) => limited.write!(node, 0, PAGE, new Uint8Array(PAGE), WRITE, context)],
    ["shrinks", 1, (limited) => limited.setAttributes!(node, { size: PAGE }, undefined, context)],
    ["is made longer", 3, (limited) => limited.setAttributes!(node, { size: 3 * PAGE }, undefined, context)],
  ];
  for (const [what, pages, make] of changes) {
    const limited = start();
    make(limited);
    assertEquals(usage[0], pages, what);
    new Uint8Array(memory).set(left.after);
    start();
    assertEquals(usage[0], pages, `${what}, and then who did it dies`);
    new Uint8Array(memory).set(left.before);
    const now = length;
    length = left.length;
    start();
    assertEquals(usage[0], length / PAGE, `${what} not, for who was to do it dies`);
    make(start());
    assertEquals([length, usage[0]], [now, pages], `${what} after all`);
  }
});

Deno.test("limitSize lets no feature be used under which files grow unseen", () => {
  let told: ReadonlySet<string> | undefined;
  const filesystem = limitSize({
    features: ["passthrough", "atomic-o-trunc", "posix-acl"],
    initialize: ({ features }) => void (told = features),
    getAttributes: () => ({ mode: 0o40755 }),
  }, { size: 1e6 });
  assertEquals(filesystem.features, ["posix-acl"]);
  filesystem.initialize!(recordingConnection(["passthrough", "posix-acl"]));
  assertEquals([...told!], ["posix-acl"]);
});

Deno.test("readOnly asks for O_NOATIME, and does without where only the owner may", async () => {
  const asked: number[] = [];
  const open = (_node: number, flags: number) => {
    asked.push(flags);
    if (flags & O_NOATIME) throw new FsError("EPERM");
    return { handle: 5 };
  };
  assertEquals(await readOnly({ open }).open!(2, O_RDONLY, context), { handle: 5 });
  assertEquals(asked, [O_NOATIME, 0]);
});

Deno.test("readOnly lets ioctls through that only read", async () => {
  const filesystem = readOnly({ ioctl: () => ({ result: 1 }) });
  const request = (command: number) => ({
    ...{ command, argument: 0n, input: new Uint8Array(), outputSize: 0, directory: false, compatible32: false },
  });
  // FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of linux/fs.h.
  assertEquals(await filesystem.ioctl!(2, 0, request(0x80086601), context), { result: 1 });
  await assertRefused("EROFS", () => filesystem.ioctl!(2, 0, request(0x40086602), context));
});

Deno.test("wrappers refuse what makes no sense", () => {
  assertThrows(() => hideNames({}, ["a/b"]), TypeError, "a/b");
  assertThrows(() => hideNames({}, ["[a"]), TypeError, 'names like "[a"');
  assertThrows(() => hideNames({}, ["[z-a]"]), TypeError, 'names like "[z-a]"');
  assertThrows(() => limitSize({ getAttributes: () => ({ mode: 0 }) }, { size: -1 }), RangeError, "-1");
  assertThrows(() => limitSize({}, { size: 1 }), TypeError, "getAttributes");
});
