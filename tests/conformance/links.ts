/** Hard links, symbolic links, and unlinking. */

import { assertEquals } from "../deps.ts";
import {
  ALICE,
  expectAbsent,
  expectContent,
  expectError,
  expectTimes,
  KINDS_FOR_ALL,
  list,
  make,
  type Subject,
  test,
  testAsRoot,
  writeFile,
} from "./subject.ts";

export const links: Subject = {
  "a hard link is another name of the same file": test(async ({ client }) => {
    await writeFile(client, "file", "data", 0o640);
    await client.link("file", "second");
    const [file, second] = [await client.stat("file"), await client.stat("second")];
    assertEquals(second, file);
    assertEquals(file.linkCount, 2);
    await writeFile(client, "second", "changed");
    await expectContent(client, "file", "changed");
    await client.chmod("second", 0o600);
    assertEquals((await client.stat("file")).mode, 0o100600);
    await client.unlink("file");
    assertEquals((await client.stat("second")).linkCount, 1);
    await expectContent(client, "second", "changed");
  }),

  "everything but a directory can be linked": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      if (kind === "directory") {
        await expectError("EPERM", client.link(kind, "link"));
        continue;
      }
      await client.link(kind, "link");
      assertEquals(await client.lstat("link"), await client.lstat(kind));
      assertEquals((await client.lstat(kind)).linkCount, 2);
      await client.unlink("link");
      assertEquals((await client.lstat(kind)).linkCount, 1);
    }
  }),

  "a hundred links are counted": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const names = Array.from({ length: 99 }, (_, index) => `link${index}`);
    await Promise.all(names.map((name) => client.link("file", name)));
    assertEquals((await client.stat("link50")).linkCount, 100);
    await Promise.all(names.map((name) => client.unlink(name)));
    assertEquals((await client.stat("file")).linkCount, 1);
  }),

  "link changes the file's ctime and the directory's times": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await expectTimes(client, "file", ["ctime"], () => client.link("file", "second"));
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.link("file", "third"));
  }),

  "a refused link changes nothing": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await writeFile(client, "taken", "other");
    await expectTimes(client, "file", [], () => expectError("EEXIST", client.link("file", "taken")));
    await expectTimes(client, ".", [], () => expectError("EEXIST", client.link("file", "taken")));
    assertEquals((await client.stat("file")).linkCount, 1);
  }),

  "link refuses a taken name, whatever has it": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind === "regular" ? "other" : kind);
      await expectError("EEXIST", client.link("file", kind === "regular" ? "other" : kind));
    }
    await expectError("ENOENT", client.link("missing", "new"));
  }),

  "link makes a name for a symlink itself, linkat can follow it": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.symlink("file", "link");
    await client.link("link", "linked");
    assertEquals(await client.readlink("linked"), "file");
    await client.linkat("AT_FDCWD", "link", "followed", "AT_SYMLINK_FOLLOW");
    assertEquals((await client.lstat("followed")).inode, (await client.stat("file")).inode);
  }),

  "link needs write and search permission": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("to");
    await writeFile(client, "file", "data");
    await client.chown("file", ALICE.uid, ALICE.gid);
    await client.chown("to", ALICE.uid, ALICE.gid);
    for (const mode of [0o500, 0o600]) {
      await client.chmod("to", mode);
      await expectError("EACCES", alice.link("file", "to/link"));
    }
    await client.chmod("to", 0o300);
    await alice.link("file", "to/link");
  }),

  "a symlink holds any text and its length is its size": test(async ({ client }) => {
    for (const target of ["x", "../some where/./else", "/absolute", "ünïcode", "t".repeat(255), "p/".repeat(500)]) {
      await client.symlink(target, "link");
      assertEquals(await client.readlink("link", 5000), target);
      const status = await client.lstat("link");
      assertEquals([status.size, status.mode], [new TextEncoder().encode(target).length, 0o120777]);
      await client.unlink("link");
    }
  }),

  "a symlink's target may be as long as a path": test(async ({ client }) => {
    await client.symlink("p/".repeat(2047), "link");
    assertEquals(await client.readlink("link"), "p/".repeat(2047));
  }),

  "readlink fills a short buffer and refuses what is no symlink": test(async ({ client }) => {
    await client.symlink("0123456789", "link");
    assertEquals(await client.readlink("link", 4), "0123");
    await expectError("EINVAL", client.readlink("link", 0));
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "symlink") continue;
      await make(client, kind, kind);
      await expectError("EINVAL", client.readlink(kind));
    }
    await expectError("ENOENT", client.readlink("missing"));
  }),

  "symlinks are followed, through several and into directories": test(async ({ client }) => {
    await client.mkdir("directory");
    await writeFile(client, "directory/file", "data");
    await client.symlink("directory", "one");
    await client.symlink("one", "two");
    await client.symlink("../two/file", "directory/three");
    await expectContent(client, "two/three", "data");
    assertEquals((await client.stat("two/three")).inode, (await client.stat("directory/file")).inode);
    assertEquals(await list(client, "two"), ["file", "three"]);
  }),

  "a symlink to itself and a ring are ELOOP, a dangling one ENOENT": test(async ({ client }) => {
    await client.symlink("self", "self");
    await client.symlink("b", "a");
    await client.symlink("a", "b");
    await client.symlink("missing", "dangling");
    for (const name of ["self", "a"]) {
      await expectError("ELOOP", client.stat(name));
      await expectError("ELOOP", client.open(name, "O_RDONLY"));
      await expectError("ELOOP", client.stat(`${name}/inner`));
    }
    await expectError("ENOENT", client.stat("dangling"));
    assertEquals((await client.lstat("dangling")).mode, 0o120777);
  }),

  "symlink refuses a taken name and an empty target": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await expectError("EEXIST", client.symlink("target", kind));
    }
    await expectError("ENOENT", client.symlink("", "new"));
    await expectError("ENAMETOOLONG", client.symlink("x".repeat(4096), "new"));
  }),

  "symlink marks the directory changed": test(async ({ client }) => {
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.symlink("target", "link"));
  }),

  "unlink removes one name of anything but a directory": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      if (kind === "directory") continue;
      await client.unlink(kind);
      await expectAbsent(client, kind);
    }
    await expectError("ENOENT", client.unlink("regular"));
  }),

  "unlink of a symlink leaves its target": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.mkdir("directory");
    await client.symlink("file", "link");
    await client.symlink("directory", "directory link");
    await client.unlink("link");
    await client.unlink("directory link");
    assertEquals(await list(client, "."), ["directory", "file"]);
  }),

  "unlink changes the directory's times and the ctime of what has other names": test(async ({ client }) => {
    for (const name of ["one", "two", "three"]) {
      if (name === "one") await writeFile(client, "one", "");
      else await client.link("one", name);
    }
    await expectTimes(client, "one", ["ctime"], () => client.unlink("two"));
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.unlink("three"));
  }),

  "unlink needs write and search permission on the directory, none on the file": testAsRoot(
    async ({ client, start }) => {
      await using alice = await start(ALICE);
      await client.mkdir("directory");
      await client.chown("directory", ALICE.uid, ALICE.gid);
      await writeFile(client, "directory/file", "root's", 0o600);
      for (const mode of [0o500, 0o600]) {
        await client.chmod("directory", mode);
        await expectError("EACCES", alice.unlink("directory/file"));
      }
      await client.chmod("directory", 0o300);
      await alice.unlink("directory/file");
    },
  ),
};
