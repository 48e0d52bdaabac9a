/** Making and removing directories. */

import { assert, assertEquals } from "../deps.ts";
import {
  ALICE,
  BOB,
  expectAbsent,
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

export const directories: Subject = {
  "mkdir makes a directory with the mode asked for less the umask": test(async ({ client }) => {
    const cases = [[0o755, 0], [0o777, 0o022], [0o151, 0], [0o151, 0o077], [0o700, 0o070], [0o1777, 0]] as const;
    for (const [mode, mask] of cases) {
      await client.umask(mask);
      await client.mkdir("directory", mode);
      assertEquals((await client.stat("directory")).mode, 0o040000 | (mode & ~mask));
      await client.rmdir("directory");
    }
  }),

  "mkdir refuses a name that is taken by anything": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await expectError("EEXIST", client.mkdir(kind));
    }
    for (const name of [".", "..", "/"]) await expectError("EEXIST", client.mkdir(name));
  }),

  "mkdir marks the parent changed": test(async ({ client }) => {
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.mkdir("directory"));
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.rmdir("directory"));
  }),

  "a refused mkdir changes nothing": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectTimes(client, ".", [], () => expectError("EEXIST", client.mkdir("file")));
  }),

  "each subdirectory adds a link to its parent": test(async ({ client }) => {
    await client.mkdir("parent");
    const empty = (await client.stat("parent")).linkCount;
    // Some filesystems (btrfs) do not count and say 1 always.
    const counted = empty === 1 ? 0 : 1;
    assert(empty <= 2, `${empty} links of an empty directory`);
    await client.mkdir("parent/one");
    await client.mkdir("parent/two");
    await writeFile(client, "parent/file", "");
    assertEquals((await client.stat("parent")).linkCount, empty + 2 * counted);
    await client.rmdir("parent/one");
    assertEquals((await client.stat("parent")).linkCount, empty + counted);
  }),

  "a new directory has the caller's user and group": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.chmod(".", 0o777);
    await alice.mkdir("hers");
    const status = await client.stat("hers");
    assertEquals([status.uid, status.gid], [ALICE.uid, ALICE.gid]);
  }),

  "in a setgid directory new things take its group, and directories its bit": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("shared");
    await client.chown("shared", ALICE.uid, BOB.gid);
    await client.chmod("shared", 0o2777);
    await alice.mkdir("shared/directory", 0o755);
    await writeFile(alice, "shared/file", "");
    await alice.symlink("target", "shared/link");
    await alice.mknod("shared/fifo", "S_IFIFO");
    for (const name of ["directory", "file", "link", "fifo"]) {
      const status = await client.lstat(`shared/${name}`);
      assertEquals([status.uid, status.gid], [ALICE.uid, BOB.gid], name);
    }
    assertEquals((await client.stat("shared/directory")).mode, 0o042755);
    assertEquals((await client.stat("shared/file")).mode, 0o100644);
  }),

  "rmdir removes an empty directory only": test(async ({ client }) => {
    await client.mkdir("directory");
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, "directory/inner");
      await expectError(["ENOTEMPTY", "EEXIST"], client.rmdir("directory"));
      await (kind === "directory" ? client.rmdir("directory/inner") : client.unlink("directory/inner"));
    }
    await client.rmdir("directory");
    await expectAbsent(client, "directory");
  }),

  "rmdir refuses what is not a directory": test(async ({ client }) => {
    await client.mkdir("real");
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "directory") continue;
      await make(client, kind, kind);
      await expectError("ENOTDIR", client.rmdir(kind));
    }
    await client.symlink("real", "link");
    await expectError("ENOTDIR", client.rmdir("link"));
  }),

  "rmdir refuses dot and dot-dot": test(async ({ client }) => {
    await client.mkdir("directory");
    await client.mkdir("directory/inner");
    await expectError("EINVAL", client.rmdir("directory/."));
    await expectError(["ENOTEMPTY", "EEXIST"], client.rmdir("directory/inner/.."));
  }),

  "a removed directory that is still open is empty and takes nothing new": test(async ({ client }) => {
    await client.mkdir("directory");
    const directory = await client.open("directory", "O_RDONLY|O_DIRECTORY");
    await client.rmdir("directory");
    assertEquals((await client.fstat(directory)).linkCount, 0);
    await expectError("ENOENT", client.openat(directory, "file", "O_WRONLY|O_CREAT"));
    const left = await client.getdents(directory).catch(() => []);
    assertEquals(left.filter(({ name }) => name !== "." && name !== ".."), []);
  }),

  "nothing is made in a removed working directory": test(async ({ client, directory }) => {
    await client.mkdir("directory");
    await client.chdir("directory");
    await client.rmdir(`${directory}/directory`);
    await expectError("ENOENT", client.mkdir("inner"));
    await expectError("ENOENT", client.symlink("x", "link"));
    await expectError("ENOENT", client.mknod("fifo", "S_IFIFO"));
    await expectError("ENOENT", client.getcwd());
  }),

  "dot is the directory itself and dot-dot its parent": test(async ({ client }) => {
    await client.mkdir("a");
    await client.mkdir("a/b");
    const [here, inner] = [await client.stat("."), await client.stat("a")];
    assertEquals((await client.stat("a/.")).inode, inner.inode);
    assertEquals((await client.stat("a/b/..")).inode, inner.inode);
    assertEquals((await client.stat("a/b/../..")).inode, here.inode);
  }),

  "getcwd names the working directory, also after a rename": test(async ({ client, directory }) => {
    await client.mkdir("a");
    await client.mkdir("a/b");
    await client.chdir("a/b");
    assertEquals((await client.getcwd()).endsWith(`${directory.split("/").at(-1)}/a/b`), true);
    await client.rename("../../a", "../../c");
    assertEquals((await client.getcwd()).endsWith("/c/b"), true);
  }),

  "unlink refuses a directory": test(async ({ client }) => {
    await client.mkdir("directory");
    await expectError(["EISDIR", "EPERM"], client.unlink("directory"));
    assertEquals(await list(client, "."), ["directory"]);
  }),

  "a tree twenty levels deep is made, used and removed": test(async ({ client }) => {
    const levels = Array.from({ length: 20 }, (_, level) => `level${level}`);
    for (let depth = 1; depth <= levels.length; depth++) await client.mkdir(levels.slice(0, depth).join("/"));
    await writeFile(client, `${levels.join("/")}/file`, "deep");
    assertEquals((await client.stat(`${levels.join("/")}/file`)).size, 4);
    await client.removeTree("level0");
    assertEquals(await list(client, "."), []);
  }),

  "mkdir needs write and search permission on the parent": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("parent");
    await client.chown("parent", ALICE.uid, ALICE.gid);
    for (const mode of [0o500, 0o600, 0o000]) {
      await client.chmod("parent", mode);
      await expectError("EACCES", alice.mkdir("parent/inner"));
    }
    await client.chmod("parent", 0o300);
    await alice.mkdir("parent/inner");
    await client.chmod("parent", 0o500);
    await expectError("EACCES", alice.rmdir("parent/inner"));
    await client.chmod("parent", 0o300);
    await alice.rmdir("parent/inner");
  }),
};
