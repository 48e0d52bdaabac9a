/** Attributes in the memory filesystem: changes, privileges, and which operation renews which time. */
import type { NodeId } from "../../../src/fs/filesystem.ts";
import { O_NOATIME, O_RDONLY, O_RDWR, O_WRONLY, S_IFDIR, S_IFREG } from "../../../src/fs/flags.ts";
import { assert, assertEquals } from "../../deps.ts";
import { LONG_AGO, MemoryMount } from "./memory_mount.ts";

Deno.test("chmod, chown and utimens change what they name and nothing else", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  mount.filesystem.setAttributes(file, { mode: 0o4711 });
  assertEquals(mount.stat(file).mode, S_IFREG | 0o4711);
  mount.filesystem.setAttributes(file, { uid: 5 });
  mount.filesystem.setAttributes(file, { gid: 6 });
  assertEquals([mount.stat(file).uid, mount.stat(file).gid], [5, 6]);
  const time = { seconds: -5, nanoseconds: 123_456_789 };
  mount.filesystem.setAttributes(file, { atime: time });
  assertEquals(mount.stat(file).atime, time);
  mount.filesystem.setAttributes(file, { atime: LONG_AGO, mtime: "now" });
  assertEquals(mount.stat(file).atime, LONG_AGO);
  assert(Math.abs(mount.stat(file).mtime.seconds - Date.now() / 1000) < 60);
});

Deno.test("the birth time stays", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  const { birthTime } = mount.filesystem.getExtendedStatus(file);
  mount.age(file);
  assertEquals(mount.filesystem.getExtendedStatus(file).birthTime, birthTime);
});

Deno.test("each operation renews the times that POSIX says", async (test) => {
  const operations: [string, (mount: MemoryMount, file: NodeId) => void, string, string][] = [
    ["write", ({ filesystem }, file) => write(filesystem, file, 1), "mtime ctime", ""],
    ["write nothing", ({ filesystem }, file) => write(filesystem, file, 0), "", ""],
    ["truncate", ({ filesystem }, file) => filesystem.setAttributes(file, { size: 1 }), "mtime ctime", ""],
    ["truncate, same size", ({ filesystem }, file) => filesystem.setAttributes(file, { size: 9 }), "mtime ctime", ""],
    ["open", (mount, file) => mount.filesystem.open(file, O_RDWR), "", ""],
    ["allocate", ({ filesystem }, file) => filesystem.allocate(file, 0, 0, 0, 9), "mtime ctime", ""],
    ["chmod", ({ filesystem }, file) => filesystem.setAttributes(file, { mode: 0o600 }), "ctime", ""],
    ["chown", ({ filesystem }, file) => filesystem.setAttributes(file, { uid: 1 }), "ctime", ""],
    ["chown of nothing", ({ filesystem }, file) => filesystem.setAttributes(file, {}), "ctime", ""],
    ["utimens", ({ filesystem }, file) => filesystem.setAttributes(file, { atime: "now" }), "atime ctime", ""],
    ["setxattr", ({ filesystem }, file) => set(filesystem, file), "ctime", ""],
    ["link", ({ filesystem }, file) => filesystem.link(file, 1, "link"), "ctime", "mtime ctime"],
    ["unlink", ({ filesystem }) => filesystem.unlink(1, "file"), "ctime", "mtime ctime"],
    ["rename", (mount) => mount.rename(1, "file", 1, "moved"), "ctime", "mtime ctime"],
    ["rename over it", (mount) => mount.rename(1, "other", 1, "file"), "ctime", "mtime ctime"],
    ["create", (mount) => mount.file("new"), "", "mtime ctime"],
    ["mkdir", (mount) => mount.directory("new"), "", "mtime ctime"],
    ["O_TMPFILE", (mount) => mount.filesystem.makeTemporaryFile(1, 0o600, 0, mount.context), "", ""],
    ["lookup", (mount) => mount.find("file"), "", ""],
    ["read", (mount, file) => mount.read(file, 0, 1), "atime", ""],
    ["read with O_NOATIME", (mount, file) => readWithout(mount, file), "", ""],
    ["readdir", (mount) => mount.list(), "", "atime"],
  ];
  for (const [name, operate, ofFile, ofDirectory] of operations) {
    await test.step(name, () => {
      const mount = new MemoryMount();
      const file = mount.file("file");
      mount.file("other");
      write(mount.filesystem, file, 9);
      const [agedFile, agedDirectory] = [mount.age(file), mount.age(1)];
      operate(mount, file);
      assertEquals([agedFile.renewed(), agedDirectory.renewed()], [ofFile, ofDirectory]);
    });
  }
});

function write(filesystem: MemoryMount["filesystem"], file: NodeId, size: number): void {
  filesystem.write(file, 0, 0, new Uint8Array(size), { cached: false, killPrivileges: false });
}

function set(filesystem: MemoryMount["filesystem"], file: NodeId): void {
  filesystem.setExtendedAttribute(file, "user.name", new Uint8Array(1), 0);
}

function readWithout({ filesystem, context }: MemoryMount, file: NodeId): void {
  const { handle } = filesystem.open(file, O_RDONLY | O_NOATIME);
  filesystem.read(file, handle!, 0, 1, context);
}

Deno.test("reading renews the access time only once after a change, and once a day", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  mount.write(file, 0, new Uint8Array(1));
  const hourAgo = { seconds: Math.floor(Date.now() / 1000) - 3600, nanoseconds: 0 };
  const dayAgo = { ...hourAgo, seconds: hourAgo.seconds - 24 * 3600 };
  const read = (atime: typeof hourAgo) => {
    mount.filesystem.setAttributes(file, { atime, mtime: LONG_AGO, ctime: LONG_AGO });
    mount.read(file, 0, 1);
    return mount.stat(file).atime;
  };
  assertEquals(read(hourAgo), hourAgo);
  assert(read(dayAgo).seconds > hourAgo.seconds);
  mount.filesystem.setAttributes(file, { atime: hourAgo, mtime: hourAgo, ctime: LONG_AGO });
  mount.read(file, 0, 1);
  assert(mount.stat(file).atime.seconds > hourAgo.seconds);
});

Deno.test("the page cache is kept unless a read would have to renew the access time", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  const keeps = (flags: number) => mount.filesystem.open(file, flags).keepCache;
  assertEquals([keeps(O_RDONLY), keeps(O_WRONLY), keeps(O_RDONLY | O_NOATIME)], [false, true, true]);
  mount.filesystem.setAttributes(file, { atime: "now", mtime: LONG_AGO, ctime: LONG_AGO });
  assertEquals(keeps(O_RDONLY), true);
});

Deno.test("setuid, setgid and capabilities are lost when owner or content change", async (test) => {
  const changes: [string, number, (mount: MemoryMount, file: NodeId) => void, number][] = [
    ["chown", 0o6755, ({ filesystem }, file) => filesystem.setAttributes(file, { uid: 1 }), 0o755],
    ["chown of a file that its group cannot run", 0o6745, (m, f) => m.filesystem.setAttributes(f, { gid: 1 }), 0o2745],
    ["chown to nobody new", 0o6755, ({ filesystem }, file) => filesystem.setAttributes(file, {}), 0o755],
    ["chmod", 0o6755, ({ filesystem }, file) => filesystem.setAttributes(file, { mode: 0o6711 }), 0o6711],
    ["truncate by root", 0o6755, ({ filesystem }, file) => filesystem.setAttributes(file, { size: 0 }), 0o6755],
    ["truncate", 0o6755, (m, f) => m.filesystem.setAttributes(f, { size: 0, killPrivileges: true }), 0o755],
    ["write by root", 0o6755, ({ filesystem }, file) => write(filesystem, file, 1), 0o6755],
    ["write", 0o6755, ({ filesystem }, file) => writeAsStranger(filesystem, file), 0o755],
    ["open", 0o6755, ({ filesystem }, file) => filesystem.open(file, O_RDWR), 0o6755],
  ];
  for (const [name, mode, change, expected] of changes) {
    await test.step(name, () => {
      const mount = new MemoryMount();
      const file = mount.file("file", 1, mode);
      mount.filesystem.setExtendedAttribute(file, "security.capability", new Uint8Array(20), 0);
      change(mount, file);
      assertEquals((mount.stat(file).mode & 0o7777).toString(8), expected.toString(8));
      assertEquals(mount.filesystem.listExtendedAttributes(file).length, (expected & 0o4000) === 0 ? 0 : 1);
    });
  }
});

function writeAsStranger(filesystem: MemoryMount["filesystem"], file: NodeId): void {
  filesystem.write(file, 0, 0, new Uint8Array(1), { cached: false, killPrivileges: true });
}

Deno.test("a directory keeps its bits when its owner changes", () => {
  const mount = new MemoryMount();
  const directory = mount.directory("directory", 1, 0o6755);
  mount.filesystem.setAttributes(directory, { uid: 1, gid: 1 });
  assertEquals(mount.stat(directory).mode, S_IFDIR | 0o6755);
});
