/** Files and directories that are open but have no name any more. */

import { assertEquals } from "../deps.ts";
import { decode, expectAbsent, expectContent, expectError, list, type Subject, test, writeFile } from "./subject.ts";

export const handlesAfterUnlink: Subject = {
  "an unlinked file is read and written until it is closed": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDWR");
    await client.unlink("file");
    await expectAbsent(client, "file");
    assertEquals(decode(await client.pread(file, 10, 0)), "data");
    await client.pwrite(file, " and more", 4);
    assertEquals(decode(await client.pread(file, 100, 0)), "data and more");
    const status = await client.fstat(file);
    assertEquals([status.linkCount, status.size], [0, 13]);
  }),

  "all that a handle does still works": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.unlink("file");
    await client.pwritePattern(file, 0, 100_000);
    await client.ftruncate(file, 50_000);
    assertEquals(await client.differsFromPattern(file, 0, 50_000), undefined);
    await client.fchmod(file, 0o600);
    await client.futimens(file, 5n, 6n);
    await client.fsync(file);
    await client.fallocate(file, 0, 0, 60_000);
    assertEquals(await client.lseek(file, 0, "SEEK_END"), 60_000);
    const status = await client.fstat(file);
    assertEquals([status.mode, status.size, status.linkCount], [0o100600, 60_000, 0]);
  }),

  "a new file of the same name is another file": test(async ({ client }) => {
    await writeFile(client, "file", "old");
    const old = await client.open("file", "O_RDWR");
    await client.unlink("file");
    await writeFile(client, "file", "new");
    await client.pwrite(old, "OLD", 0);
    await expectContent(client, "file", "new");
    assertEquals(decode(await client.pread(old, 10, 0)), "OLD");
    assertEquals((await client.fstat(old)).inode !== (await client.stat("file")).inode, true);
  }),

  "two processes share an unlinked file through their handles": test(async ({ client, start }) => {
    await using other = await start();
    const mine = await client.open("file", "O_RDWR|O_CREAT");
    const theirs = await other.open("file", "O_RDWR");
    await other.unlink("file");
    await client.write(mine, "from one");
    assertEquals(decode(await other.pread(theirs, 100, 0)), "from one");
    await client.close(mine);
    assertEquals(decode(await other.pread(theirs, 100, 0)), "from one");
  }),

  "of several names only the last one counts": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.link("file", "second");
    await client.unlink("file");
    assertEquals((await client.fstat(file)).linkCount, 1);
    await client.write(file, "data");
    await expectContent(client, "second", "data");
    await client.unlink("second");
    assertEquals((await client.fstat(file)).linkCount, 0);
    assertEquals(decode(await client.pread(file, 10, 0)), "data");
  }),

  "an unlinked file does not come back by its handle's path": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDWR");
    await client.unlink("file");
    await expectError("ENOENT", client.linkat("AT_FDCWD", `/proc/self/fd/${file}`, "back", "AT_SYMLINK_FOLLOW"));
    const again = await client.open(`/proc/self/fd/${file}`, "O_RDONLY");
    assertEquals(decode(await client.read(again, 10)), "data");
  }),

  "a directory with open files in it is removed once they are unlinked": test(async ({ client }) => {
    await client.mkdir("directory");
    const file = await client.open("directory/file", "O_RDWR|O_CREAT");
    await client.unlink("directory/file");
    await client.rmdir("directory");
    await client.write(file, "data");
    assertEquals(decode(await client.pread(file, 10, 0)), "data");
    assertEquals(await list(client, "."), []);
  }),

  "a mapping outlives name and handle": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 8192);
    const first = await client.pread(file, 16, 4096);
    const mapping = await client.mmap(file, 0, 8192, "PROT_READ|PROT_WRITE", "MAP_SHARED");
    await client.unlink("file");
    await client.close(file);
    assertEquals(await client.peek(mapping, 4096, 16), first);
    await client.poke(mapping, 0, "changed");
    assertEquals(decode(await client.peek(mapping, 0, 7)), "changed");
    await client.munmap(mapping);
  }),
};
