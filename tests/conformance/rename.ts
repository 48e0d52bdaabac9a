/** Moving things: rename(2) and renameat2(2). */

import { assertEquals } from "../deps.ts";
import {
  ALICE,
  BOB,
  decode,
  expectAbsent,
  expectContent,
  expectError,
  expectTimes,
  KINDS_FOR_ALL,
  list,
  make,
  remove,
  type Subject,
  test,
  testAsRoot,
  writeFile,
} from "./subject.ts";

export const rename: Subject = {
  "rename moves anything and keeps all of it": test(async ({ client }) => {
    await client.mkdir("target");
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind, 0o640);
      const before = await client.lstat(kind);
      await client.rename(kind, `target/${kind}`);
      await expectAbsent(client, kind);
      const after = await client.lstat(`target/${kind}`);
      assertEquals([after.inode, after.mode, after.linkCount, after.mtime, after.size], [
        before.inode,
        before.mode,
        before.linkCount,
        before.mtime,
        before.size,
      ]);
      await remove(client, kind, `target/${kind}`);
    }
  }),

  "rename replaces what is not a directory by what is not": test(async ({ client }) => {
    const kinds = KINDS_FOR_ALL.filter((kind) => kind !== "directory");
    for (const from of kinds) {
      for (const to of kinds) {
        await make(client, from, "from");
        await make(client, to, "to");
        const { inode } = await client.lstat("from");
        await client.rename("from", "to");
        assertEquals((await client.lstat("to")).inode, inode);
        assertEquals(await list(client, "."), ["to"]);
        await client.unlink("to");
      }
    }
  }),

  "a directory replaces an empty directory only": test(async ({ client }) => {
    await client.mkdir("from");
    await writeFile(client, "from/file", "data");
    await client.mkdir("to");
    await client.rename("from", "to");
    await expectContent(client, "to/file", "data");
    await client.mkdir("empty");
    await expectError(["ENOTEMPTY", "EEXIST"], client.rename("empty", "to"));
    await expectContent(client, "to/file", "data");
    assertEquals(await list(client, "."), ["empty", "to"]);
  }),

  "a directory does not replace a file, nor a file a directory": test(async ({ client }) => {
    await client.mkdir("directory");
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "directory") continue;
      await make(client, kind, kind);
      await expectError("ENOTDIR", client.rename("directory", kind));
      await expectError("EISDIR", client.rename(kind, "directory"));
    }
  }),

  "a directory does not go below itself": test(async ({ client }) => {
    await client.mkdir("a");
    await client.mkdir("a/b");
    await client.mkdir("a/b/c");
    await expectError("EINVAL", client.rename("a", "a/x"));
    await expectError("EINVAL", client.rename("a", "a/b/c/x"));
    await expectError(["ENOTEMPTY", "EEXIST"], client.rename("a/b/c", "a"));
    await expectError("EINVAL", client.renameat2("a", "a/b", "RENAME_EXCHANGE"));
    assertEquals(await list(client, "a/b"), ["c"]);
  }),

  "dot and dot-dot are not renamed": test(async ({ client }) => {
    await client.mkdir("directory");
    await client.mkdir("directory/inner");
    for (const name of ["directory/.", "directory/inner/.."]) {
      await expectError(["EINVAL", "EBUSY"], client.rename(name, "new"));
      await expectError(["EINVAL", "EBUSY", "ENOTEMPTY", "EEXIST"], client.rename("directory/inner", name));
    }
  }),

  "rename of what is missing is ENOENT": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectError("ENOENT", client.rename("missing", "new"));
    await expectError("ENOENT", client.rename("missing", "file"));
    await expectError("ENOENT", client.rename("file", "missing/new"));
    await expectError("ENOENT", client.rename("missing/file", "new"));
  }),

  "rename onto itself or another link of the same file does nothing": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.link("file", "link");
    await client.rename("file", "file");
    await client.rename("file", "link");
    assertEquals(await list(client, "."), ["file", "link"]);
    assertEquals((await client.stat("file")).linkCount, 2);
    await client.mkdir("directory");
    await client.rename("directory", "directory");
    assertEquals((await client.stat("directory")).mode, 0o040755);
  }),

  "a replaced file loses a link": test(async ({ client }) => {
    await writeFile(client, "from", "new");
    await writeFile(client, "to", "old");
    await client.link("to", "other");
    await expectTimes(client, "other", ["ctime"], () => client.rename("from", "to"));
    assertEquals((await client.stat("other")).linkCount, 1);
    await expectContent(client, "other", "old");
    await expectContent(client, "to", "new");
  }),

  "a replaced file that is open is still read": test(async ({ client }) => {
    await writeFile(client, "from", "new");
    await writeFile(client, "to", "old");
    const file = await client.open("to", "O_RDWR");
    await client.rename("from", "to");
    assertEquals(decode(await client.pread(file, 10, 0)), "old");
    assertEquals((await client.fstat(file)).linkCount, 0);
    await client.write(file, "OLD");
    await expectContent(client, "to", "new");
  }),

  "an open file follows its rename": test(async ({ client }) => {
    await client.mkdir("directory");
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.rename("file", "directory/renamed");
    await client.write(file, "data");
    await expectContent(client, "directory/renamed", "data");
  }),

  "rename of a symlink moves the link itself": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.symlink("file", "link");
    await client.symlink("elsewhere", "other");
    await client.rename("link", "moved");
    assertEquals(await client.readlink("moved"), "file");
    await client.rename("moved", "other");
    assertEquals(await client.readlink("other"), "file");
    await client.rename("other", "file");
    assertEquals(await client.readlink("file"), "file");
  }),

  "rename changes the times of both directories": test(async ({ client }) => {
    await client.mkdir("one");
    await client.mkdir("two");
    await writeFile(client, "one/file", "");
    await expectTimes(client, "one", ["mtime", "ctime"], () => client.rename("one/file", "two/file"));
    await expectTimes(client, "one", ["mtime", "ctime"], () => client.rename("two/file", "one/file"));
    await expectTimes(client, "one", ["mtime", "ctime"], () => client.rename("one/file", "one/again"));
    await expectTimes(client, "two", [], () => expectError("ENOENT", client.rename("one/missing", "two/file")));
  }),

  "rename changes the ctime of what is moved": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, "old");
      const before = await client.lstat("old");
      await expectTimes(client, ".", ["mtime", "ctime"], () => client.rename("old", "new"));
      const after = await client.lstat("new");
      assertEquals([after.ctime > before.ctime, after.mtime], [true, before.mtime], kind);
      await remove(client, kind, "new");
    }
  }),

  "moving a directory moves its link to the parent, and dot-dot follows": test(async ({ client }) => {
    for (const name of ["one", "two", "one/moved"]) await client.mkdir(name);
    const counts = async () => [(await client.stat("one")).linkCount, (await client.stat("two")).linkCount];
    const [one, two] = await counts() as [number, number];
    await client.rename("one/moved", "two/moved");
    // Filesystems that do not count directories say 1 always.
    assertEquals(await counts(), one === 1 ? [1, 1] : [one - 1, two + 1]);
    assertEquals((await client.stat("two/moved/..")).inode, (await client.stat("two")).inode);
  }),

  "replacing an empty directory takes its link from the parent": test(async ({ client }) => {
    for (const name of ["parent", "parent/from", "parent/to"]) await client.mkdir(name);
    const before = (await client.stat("parent")).linkCount;
    await client.rename("parent/from", "parent/to");
    assertEquals((await client.stat("parent")).linkCount, before === 1 ? 1 : before - 1);
  }),

  "a tree moves with everything in it": test(async ({ client, start }) => {
    await using other = await start();
    for (const name of ["a", "a/b", "a/b/c", "z"]) await client.mkdir(name);
    await writeFile(client, "a/b/c/file", "data");
    await expectContent(other, "a/b/c/file", "data");
    await client.rename("a/b", "z/b");
    await expectContent(other, "z/b/c/file", "data");
    await expectError("ENOENT", other.stat("a/b/c/file"));
  }),

  "a trailing slash is for directories": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.mkdir("directory");
    await expectError("ENOTDIR", client.rename("file/", "new"));
    await expectError("ENOTDIR", client.rename("file", "new/"));
    await client.rename("directory/", "new/");
    assertEquals(await list(client, "."), ["file", "new"]);
  }),

  "RENAME_NOREPLACE refuses a taken name": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) await make(client, kind, kind);
    await writeFile(client, "file", "data");
    for (const kind of KINDS_FOR_ALL) {
      await expectError("EEXIST", client.renameat2("file", kind, "RENAME_NOREPLACE"));
    }
    await client.renameat2("file", "new", "RENAME_NOREPLACE");
    await expectContent(client, "new", "data");
    await expectAbsent(client, "file");
  }),

  "RENAME_EXCHANGE swaps any two things": test(async ({ client }) => {
    await client.mkdir("one");
    await client.mkdir("two");
    for (const first of KINDS_FOR_ALL) {
      for (const second of KINDS_FOR_ALL) {
        await make(client, first, "one/x");
        await make(client, second, "two/y");
        const inodes = [(await client.lstat("two/y")).inode, (await client.lstat("one/x")).inode];
        await client.renameat2("one/x", "two/y", "RENAME_EXCHANGE");
        assertEquals([(await client.lstat("one/x")).inode, (await client.lstat("two/y")).inode], inodes);
        await remove(client, second, "one/x");
        await remove(client, first, "two/y");
      }
    }
  }),

  "RENAME_EXCHANGE swaps directories that are not empty": test(async ({ client }) => {
    for (const name of ["one", "two", "two/inner"]) await client.mkdir(name);
    await writeFile(client, "one/file", "data");
    await client.renameat2("one", "two", "RENAME_EXCHANGE");
    assertEquals([await list(client, "one"), await list(client, "two")], [["inner"], ["file"]]);
    assertEquals((await client.stat("one/inner/..")).inode, (await client.stat("one")).inode);
  }),

  "RENAME_EXCHANGE counts subdirectories where they are": test(async ({ client }) => {
    for (const name of ["one", "two", "one/directory"]) await client.mkdir(name);
    await writeFile(client, "two/file", "");
    const counts = async () => [(await client.stat("one")).linkCount, (await client.stat("two")).linkCount];
    const [one, two] = await counts() as [number, number];
    await client.renameat2("one/directory", "two/file", "RENAME_EXCHANGE");
    assertEquals(await counts(), one === 1 ? [1, 1] : [one - 1, two + 1]);
  }),

  "RENAME_EXCHANGE needs both, and flags that contradict are refused": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await expectError("ENOENT", client.renameat2("file", "missing", "RENAME_EXCHANGE"));
    await expectError("ENOENT", client.renameat2("missing", "file", "RENAME_EXCHANGE"));
    await expectError("EINVAL", client.renameat2("file", "new", "RENAME_EXCHANGE|RENAME_NOREPLACE"));
    await expectError("EINVAL", client.renameat2("file", "new", 1 << 20));
    await expectContent(client, "file", "data");
  }),

  "rename needs write and search permission on both directories": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const name of ["from", "to"]) {
      await client.mkdir(name);
      await client.chown(name, ALICE.uid, ALICE.gid);
    }
    await writeFile(client, "from/file", "");
    for (const closed of ["from", "to"]) {
      for (const mode of [0o500, 0o600]) {
        await client.chmod(closed, mode);
        await expectError("EACCES", alice.rename("from/file", "to/file"));
      }
      await client.chmod(closed, 0o300);
    }
    await alice.rename("from/file", "to/file");
  }),

  "moving a directory elsewhere needs write permission on it": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const name of ["from", "to"]) {
      await client.mkdir(name);
      await client.chmod(name, 0o777);
    }
    await client.mkdir("from/directory");
    await client.chown("from/directory", BOB.uid, BOB.gid);
    await expectError("EACCES", alice.rename("from/directory", "to/directory"));
    await alice.rename("from/directory", "from/renamed");
    await client.chown("from/renamed", ALICE.uid, ALICE.gid);
    await alice.rename("from/renamed", "to/directory");
  }),

  "rename to another filesystem is EXDEV": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectError("EXDEV", client.rename("/proc/version", "file"));
    await expectError("EXDEV", client.link("/proc/version", "new"));
  }),
};
