/** Files without a name: O_TMPFILE, and linkat(2) that gives them one. */

import { assertEquals } from "../deps.ts";
import {
  decode,
  expectContent,
  expectError,
  list,
  type Subject,
  test,
  testAsRoot,
  tick,
  writeFile,
} from "./subject.ts";

export const temporaryFiles: Subject = {
  "O_TMPFILE opens a file that no name shows": test(async ({ client }) => {
    const file = await client.open(".", "O_TMPFILE|O_RDWR", 0o640);
    await client.write(file, "data");
    assertEquals(decode(await client.pread(file, 10, 0)), "data");
    const status = await client.fstat(file);
    assertEquals([status.mode, status.linkCount, status.size], [0o100640, 0, 4]);
    assertEquals(await list(client, "."), []);
  }),

  "the mode is cut by the umask": test(async ({ client }) => {
    await client.umask(0o027);
    const file = await client.open(".", "O_TMPFILE|O_RDWR", 0o666);
    assertEquals((await client.fstat(file)).mode, 0o100640);
  }),

  "linkat gives it a name, through its handle's path": test(async ({ client }) => {
    const file = await client.open(".", "O_TMPFILE|O_RDWR", 0o644);
    await client.write(file, "data");
    await client.linkat("AT_FDCWD", `/proc/self/fd/${file}`, "named", "AT_SYMLINK_FOLLOW");
    assertEquals(await list(client, "."), ["named"]);
    assertEquals((await client.stat("named")).linkCount, 1);
    assertEquals((await client.stat("named")).inode, (await client.fstat(file)).inode);
    await client.close(file);
    await expectContent(client, "named", "data");
  }),

  "linkat gives it a name with AT_EMPTY_PATH": testAsRoot(async ({ client }) => {
    const file = await client.open(".", "O_TMPFILE|O_WRONLY", 0o644);
    await client.write(file, "data");
    await client.linkat(file, "", "named", "AT_EMPTY_PATH");
    await client.linkat(file, "", "second", "AT_EMPTY_PATH");
    assertEquals((await client.fstat(file)).linkCount, 2);
    await expectContent(client, "second", "data");
  }),

  "linkat does not replace a name": test(async ({ client }) => {
    await writeFile(client, "taken", "old");
    const file = await client.open(".", "O_TMPFILE|O_RDWR", 0o644);
    const linked = client.linkat("AT_FDCWD", `/proc/self/fd/${file}`, "taken", "AT_SYMLINK_FOLLOW");
    await expectError("EEXIST", linked);
    assertEquals((await client.fstat(file)).linkCount, 0);
    await expectContent(client, "taken", "old");
  }),

  "with O_EXCL it never gets a name": test(async ({ client }) => {
    const file = await client.open(".", "O_TMPFILE|O_RDWR|O_EXCL", 0o644);
    const linked = client.linkat("AT_FDCWD", `/proc/self/fd/${file}`, "named", "AT_SYMLINK_FOLLOW");
    await expectError("ENOENT", linked);
    assertEquals(await list(client, "."), []);
  }),

  "it needs a directory and a way to write": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectError("ENOTDIR", client.open("file", "O_TMPFILE|O_RDWR"));
    await expectError("ENOENT", client.open("missing", "O_TMPFILE|O_RDWR"));
    await expectError("EINVAL", client.open(".", "O_TMPFILE|O_RDONLY"));
  }),

  "it leaves the directory's times alone until it is named": test(async ({ client }) => {
    const before = await client.stat(".");
    await tick(client);
    const file = await client.open(".", "O_TMPFILE|O_RDWR", 0o644);
    await client.write(file, "data");
    assertEquals((await client.stat(".")).mtime, before.mtime);
    await client.linkat("AT_FDCWD", `/proc/self/fd/${file}`, "named", "AT_SYMLINK_FOLLOW");
    assertEquals((await client.stat(".")).mtime > before.mtime, true);
  }),

  "many at once have inodes of their own": test(async ({ client }) => {
    const files = await Promise.all(Array.from({ length: 50 }, () => client.open(".", "O_TMPFILE|O_RDWR")));
    await Promise.all(files.map((file, index) => client.write(file, `content ${index}`)));
    const inodes = await Promise.all(files.map(async (file) => (await client.fstat(file)).inode));
    assertEquals(new Set(inodes).size, 50);
    for (const [index, file] of files.entries()) {
      assertEquals(decode(await client.pread(file, 100, 0)), `content ${index}`);
    }
  }),
};
