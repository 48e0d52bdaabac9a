/** Making, finding, linking and removing names in the memory filesystem. */
import type { FileSystem } from "../../../src/fs/filesystem.ts";
import {
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from "../../../src/fs/flags.ts";
import makeFileSystem from "../../../src/layers/memory/module.ts";
import { assertEquals } from "../../deps.ts";
import { assertErrno } from "../../support/assert_errno.ts";
import { requestContext } from "../../support/request_context.ts";
import { MemoryMount } from "./memory_mount.ts";

Deno.test("a new filesystem is an empty root directory with two links", () => {
  const mount = new MemoryMount({ uid: 7, gid: 8, mode: 0o1777 });
  const { mode, links, uid, gid, inode } = mount.stat(1);
  assertEquals({ mode, links, uid, gid, inode }, { mode: S_IFDIR | 0o1777, links: 2, uid: 7, gid: 8, inode: 1 });
  assertEquals(mount.list().map(({ name }) => name), [".", ".."]);
  assertEquals(mount.find("nothing"), undefined);
});

Deno.test("the module serves one loop and refuses more", () => {
  const host = (loops: number) => ({ loop: 0, loops, shared: undefined });
  const filesystem: FileSystem = makeFileSystem({ size: 4096 }, host(1));
  assertEquals(filesystem.features?.includes("handle-killpriv-v2"), true);
  assertErrno("EINVAL", () => makeFileSystem(undefined, host(2)));
});

Deno.test("files of all kinds are made with their type, owner and device", async (test) => {
  const mount = new MemoryMount({}, { uid: 10, gid: 20 });
  for (const type of [S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK]) {
    await test.step(`type ${type.toString(8)}`, () => {
      const made = mount.filesystem.makeNode(1, `made-${type}`, type | 0o640, 0x801, mount.context).node;
      const { mode, links, uid, gid, device } = mount.stat(made);
      assertEquals({ mode, links, uid, gid }, { mode: type | 0o640, links: 1, uid: 10, gid: 20 });
      assertEquals(device, type === S_IFREG ? undefined : 0x801);
    });
  }
});

Deno.test("a symbolic link has its target's bytes as its size", () => {
  const mount = new MemoryMount();
  const link = mount.filesystem.makeSymbolicLink(1, "link", "zum Übel\udcff", mount.context).node;
  assertEquals(mount.filesystem.readLink(link), "zum Übel\udcff");
  assertEquals({ mode: mount.stat(link).mode, size: mount.stat(link).size }, { mode: S_IFLNK | 0o777, size: 10 });
  assertErrno("EINVAL", () => mount.filesystem.readLink(mount.file("file")));
  assertErrno("ENAMETOOLONG", () => mount.filesystem.makeSymbolicLink(1, "long", "x".repeat(4096), mount.context));
});

Deno.test("names have up to 255 bytes, and any but zero and the slash", () => {
  const mount = new MemoryMount();
  for (const name of ["ä".repeat(127) + "x", "x".repeat(255), "\udcff\udcfe", "日".repeat(85)]) {
    assertEquals(mount.find(name), undefined);
    assertEquals(mount.file(name), mount.find(name));
  }
  for (const name of ["ä".repeat(128), "x".repeat(256), "日".repeat(86)]) {
    assertErrno("ENAMETOOLONG", () => mount.find(name));
    assertErrno("ENAMETOOLONG", () => mount.file(name));
    assertErrno("ENAMETOOLONG", () => mount.rename(1, "x".repeat(255), 1, name));
  }
});

Deno.test("a name that is taken cannot be made, and names are only found in directories", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  assertErrno("EEXIST", () => mount.file("file"));
  assertErrno("EEXIST", () => mount.directory("file"));
  assertErrno("EEXIST", () => mount.filesystem.link(file, 1, "file"));
  assertErrno("ENOTDIR", () => mount.find("child", file));
  assertErrno("ENOTDIR", () => mount.file("child", file));
  assertErrno("ESTALE", () => mount.stat(file + 1));
});

Deno.test("dot and dot-dot are found from a node alone, so that file handles work", () => {
  const mount = new MemoryMount();
  const directory = mount.directory("directory");
  const file = mount.file("file", directory);
  assertEquals(mount.find(".", file), file);
  assertEquals(mount.find(".", directory), directory);
  assertEquals(mount.find("..", directory), 1);
  assertEquals(mount.find("..", 1), 1);
});

Deno.test("hard links count, and the file lives until the kernel has forgotten it", () => {
  const mount = new MemoryMount();
  const file = mount.file("one");
  mount.write(file, 0, new Uint8Array(100));
  assertEquals(mount.filesystem.link(file, 1, "two").node, file);
  assertEquals(mount.stat(file).links, 2);
  mount.filesystem.unlink(1, "one");
  mount.filesystem.forget(file);
  assertEquals(mount.find("two"), file);
  mount.filesystem.unlink(1, "two");
  assertEquals(mount.stat(file).links, 0);
  assertEquals(mount.read(file, 0, 200).length, 100);
  mount.filesystem.forget(file);
  assertErrno("ESTALE", () => mount.stat(file));
  assertErrno("EPERM", () => mount.filesystem.link(mount.directory("directory"), 1, "other"));
});

Deno.test("a temporary file has no name until it is linked", () => {
  const mount = new MemoryMount();
  const { entry } = mount.filesystem.makeTemporaryFile(1, 0o600, 0, mount.context);
  const file = entry.node;
  assertEquals({ mode: mount.stat(file).mode, links: mount.stat(file).links }, { mode: S_IFREG | 0o600, links: 0 });
  assertEquals(mount.list().length, 2);
  mount.filesystem.link(file, 1, "named");
  mount.filesystem.forget(file);
  assertEquals(mount.stat(mount.find("named")!).links, 1);
});

Deno.test("what was unlinked and never forgotten is freed at the end", () => {
  const mount = new MemoryMount({ inodes: 10 });
  mount.file("file");
  mount.filesystem.unlink(1, "file");
  assertEquals(mount.filesystem.getStatistics().filesFree, 8);
  mount.filesystem.destroy();
  assertEquals(mount.filesystem.getStatistics().filesFree, 9);
});

Deno.test("directories count the directories in them", () => {
  const mount = new MemoryMount();
  const directory = mount.directory("directory");
  mount.directory("inner", directory);
  mount.file("file", directory);
  assertEquals([mount.stat(1).links, mount.stat(directory).links], [3, 3]);
  mount.rename(directory, "inner", 1, "outer");
  assertEquals([mount.stat(1).links, mount.stat(directory).links], [4, 2]);
  mount.filesystem.removeDirectory(1, "outer");
  assertEquals(mount.stat(1).links, 3);
});

Deno.test("unlink and rmdir refuse what is not theirs", () => {
  const mount = new MemoryMount();
  const directory = mount.directory("directory");
  mount.file("file", directory);
  assertErrno("EISDIR", () => mount.filesystem.unlink(1, "directory"));
  assertErrno("ENOTDIR", () => mount.filesystem.removeDirectory(directory, "file"));
  assertErrno("ENOTEMPTY", () => mount.filesystem.removeDirectory(1, "directory"));
  assertErrno("ENOENT", () => mount.filesystem.unlink(1, "nothing"));
  assertErrno("ENOENT", () => mount.filesystem.removeDirectory(1, "nothing"));
});

Deno.test("nothing can be made in a removed directory that is still open", () => {
  const mount = new MemoryMount();
  const directory = mount.directory("directory");
  const file = mount.file("file");
  const handle = mount.filesystem.openDirectory(directory).handle!;
  mount.filesystem.removeDirectory(1, "directory");
  assertEquals(mount.stat(directory).links, 0);
  assertErrno("ENOENT", () => mount.file("child", directory));
  assertErrno("ENOENT", () => mount.filesystem.link(file, directory, "child"));
  assertErrno("ENOENT", () => mount.rename(1, "file", directory, "child"));
  assertEquals([...mount.filesystem.readDirectory(directory, handle, 0)].map(({ name }) => name), [".", ".."]);
});

Deno.test("in a setgid directory new files have its group, and new directories pass it on", () => {
  const mount = new MemoryMount({ gid: 50, mode: 0o2777 }, { uid: 10, gid: 20 });
  const file = mount.file("file");
  const directory = mount.directory("directory");
  assertEquals([mount.stat(file).gid, mount.stat(file).mode], [50, S_IFREG | 0o644]);
  assertEquals([mount.stat(directory).gid, mount.stat(directory).mode], [50, S_IFDIR | 0o2755]);
});

Deno.test("rename moves, replaces and refuses by the rules of POSIX", async (test) => {
  const rules: [string, (mount: MemoryMount) => void][] = [
    ["a file to a new name", (mount) => {
      const file = mount.file("file");
      mount.rename(1, "file", 1, "moved");
      assertEquals([mount.find("file"), mount.find("moved")], [undefined, file]);
    }],
    ["a file over another", (mount) => {
      const file = mount.file("file");
      const other = mount.file("other");
      mount.rename(1, "file", 1, "other");
      assertEquals([mount.find("file"), mount.find("other"), mount.stat(other).links], [undefined, file, 0]);
    }],
    ["a directory over an empty one", (mount) => {
      const directory = mount.directory("directory");
      const empty = mount.directory("empty");
      mount.file("file", directory);
      mount.rename(1, "directory", 1, "empty");
      assertEquals([mount.find("empty"), mount.stat(empty).links, mount.stat(1).links], [directory, 0, 3]);
    }],
    ["between two names of one file nothing happens", (mount) => {
      const file = mount.file("file");
      mount.filesystem.link(file, 1, "link");
      mount.rename(1, "file", 1, "link");
      assertEquals([mount.find("file"), mount.find("link"), mount.stat(file).links], [file, file, 2]);
    }],
    ["a directory takes its dot-dot along", (mount) => {
      const directory = mount.directory("directory");
      const parent = mount.directory("parent");
      mount.rename(1, "directory", parent, "moved");
      assertEquals(mount.find("..", directory), parent);
    }],
    ["a directory into itself is EINVAL", (mount) => {
      const directory = mount.directory("directory");
      const inner = mount.directory("inner", directory);
      assertErrno("EINVAL", () => mount.rename(1, "directory", inner, "moved"));
      assertErrno("EINVAL", () => mount.rename(1, "directory", directory, "moved"));
      assertErrno("ENOTEMPTY", () => mount.rename(directory, "inner", 1, "directory"));
    }],
    ["kinds that do not fit", (mount) => {
      mount.file("child", mount.directory("full"));
      mount.directory("directory");
      mount.file("file");
      assertErrno("ENOTEMPTY", () => mount.rename(1, "directory", 1, "full"));
      assertErrno("EISDIR", () => mount.rename(1, "file", 1, "directory"));
      assertErrno("ENOTDIR", () => mount.rename(1, "directory", 1, "file"));
      assertErrno("ENOENT", () => mount.rename(1, "nothing", 1, "file"));
    }],
    ["flags that contradict each other or are not known", (mount) => {
      mount.file("file");
      for (const flags of [8, RENAME_EXCHANGE | RENAME_NOREPLACE, RENAME_EXCHANGE | RENAME_WHITEOUT]) {
        assertErrno("EINVAL", () => mount.rename(1, "file", 1, "file", flags));
      }
    }],
    ["RENAME_NOREPLACE keeps what is there", (mount) => {
      const file = mount.file("file");
      mount.file("other");
      assertErrno("EEXIST", () => mount.rename(1, "file", 1, "other", RENAME_NOREPLACE));
      mount.rename(1, "file", 1, "new", RENAME_NOREPLACE);
      assertEquals(mount.find("new"), file);
    }],
    ["RENAME_EXCHANGE swaps a file and a directory", (mount) => {
      const parent = mount.directory("parent");
      const [file, directory] = [mount.file("file", parent), mount.directory("directory")];
      mount.rename(parent, "file", 1, "directory", RENAME_EXCHANGE);
      assertEquals([mount.find("file", parent), mount.find("directory")], [directory, file]);
      assertEquals([mount.stat(1).links, mount.stat(parent).links, mount.find("..", directory)], [3, 3, parent]);
      assertErrno("ENOENT", () => mount.rename(1, "directory", 1, "nothing", RENAME_EXCHANGE));
      assertErrno("EINVAL", () => mount.rename(1, "parent", parent, "file", RENAME_EXCHANGE));
      assertErrno("EINVAL", () => mount.rename(parent, "file", 1, "parent", RENAME_EXCHANGE));
    }],
    ["RENAME_WHITEOUT leaves a whiteout", (mount) => {
      const file = mount.file("file");
      mount.rename(1, "file", 1, "moved", RENAME_WHITEOUT);
      const { mode, device, links } = mount.stat(mount.find("file")!);
      assertEquals([mode, device, links, mount.find("moved")], [S_IFCHR, 0, 1, file]);
    }],
  ];
  for (const [name, rule] of rules) await test.step(name, () => rule(new MemoryMount()));
});

Deno.test("new files belong to their caller", () => {
  const mount = new MemoryMount();
  const made = mount.filesystem.create(1, "file", 0o100600, 0, requestContext({ uid: 1000, gid: 100 }));
  const { uid, gid, mode } = mount.stat(made.entry.node);
  assertEquals([uid, gid, mode], [1000, 100, S_IFREG | 0o600]);
});
