/** open(2): what its flags promise, and what it refuses. */

import { assertEquals } from "../deps.ts";
import {
  ALICE,
  BOB,
  decode,
  expectContent,
  expectError,
  expectTimes,
  permissions,
  type Subject,
  test,
  testAsRoot,
  writeFile,
} from "./subject.ts";

export const opening: Subject = {
  "O_CREAT makes an empty file with the mode asked for less the umask": test(async ({ client }) => {
    const cases = [[0o755, 0o000], [0o644, 0o022], [0o777, 0o077], [0o666, 0o027], [0o151, 0o070], [0o000, 0o000]];
    for (const [mode, mask] of cases as [number, number][]) {
      await client.umask(mask);
      await client.close(await client.open("file", "O_WRONLY|O_CREAT", mode));
      const status = await client.stat("file");
      assertEquals([status.mode, status.size, status.linkCount], [0o100000 | (mode & ~mask), 0, 1]);
      await client.unlink("file");
    }
  }),

  "O_CREAT gives the file the caller's user and group": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.chmod(".", 0o777);
    await writeFile(alice, "hers", "");
    await writeFile(client, "ours", "");
    const hers = await client.stat("hers");
    assertEquals([hers.uid, hers.gid], [ALICE.uid, ALICE.gid]);
    assertEquals((await client.stat("ours")).uid, 0);
  }),

  "O_CREAT marks the directory changed, and only when it makes something": test(async ({ client }) => {
    const create = async () => await client.close(await client.open("file", "O_WRONLY|O_CREAT"));
    await expectTimes(client, ".", ["mtime", "ctime"], create);
    await expectTimes(client, ".", [], create);
    await expectTimes(client, "file", [], create);
  }),

  "O_CREAT leaves an existing file as it is": test(async ({ client }) => {
    await writeFile(client, "file", "data", 0o640);
    await client.close(await client.open("file", "O_RDWR|O_CREAT", 0o777));
    await expectContent(client, "file", "data");
    assertEquals(permissions((await client.stat("file")).mode), 0o640);
  }),

  "a file made without write permission can be written through the handle that made it": test(async ({ client }) => {
    const file = await client.open("file", "O_WRONLY|O_CREAT", 0o444);
    assertEquals(await client.write(file, "data"), 4);
  }),

  "O_TRUNC empties the file and keeps its mode and inode": test(async ({ client }) => {
    await writeFile(client, "file", "data", 0o640);
    const before = await client.stat("file");
    await client.close(await client.open("file", "O_WRONLY|O_TRUNC|O_CREAT", 0o777));
    const after = await client.stat("file");
    assertEquals([after.size, after.mode, after.inode], [0, before.mode, before.inode]);
  }),

  "O_TRUNC marks the file changed": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const truncate = async () => await client.close(await client.open("file", "O_WRONLY|O_TRUNC"));
    await expectTimes(client, "file", ["mtime", "ctime"], truncate);
  }),

  "O_EXCL refuses whatever is there": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.mkdir("directory");
    await client.symlink("nowhere", "dangling");
    await client.mknod("fifo", "S_IFIFO");
    for (const name of ["file", "directory", "dangling", "fifo"]) {
      await expectError("EEXIST", client.open(name, "O_RDWR|O_CREAT|O_EXCL"));
    }
    await expectError("ENOENT", client.lstat("nowhere"));
    await expectContent(client, "file", "data");
  }),

  "O_CREAT through a dangling symlink makes its target": test(async ({ client }) => {
    await client.symlink("target", "link");
    await writeFile(client, "link", "data");
    await expectContent(client, "target", "data");
  }),

  "O_DIRECTORY opens directories only": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.mkdir("directory");
    await client.symlink("directory", "link");
    await expectError("ENOTDIR", client.open("file", "O_RDONLY|O_DIRECTORY"));
    await client.close(await client.open("directory", "O_RDONLY|O_DIRECTORY"));
    await client.close(await client.open("link", "O_RDONLY|O_DIRECTORY"));
  }),

  "a directory is not opened for writing, made or truncated by open": test(async ({ client }) => {
    await client.mkdir("directory");
    for (const flags of ["O_WRONLY", "O_RDWR", "O_RDONLY|O_TRUNC", "O_WRONLY|O_TRUNC", "O_RDONLY|O_CREAT"]) {
      await expectError("EISDIR", client.open("directory", flags));
    }
  }),

  "a directory is not read as a file": test(async ({ client }) => {
    const directory = await client.open(".", "O_RDONLY");
    await expectError("EISDIR", client.read(directory, 10));
  }),

  "O_NOFOLLOW refuses a symlink at the end of the path only": test(async ({ client }) => {
    await client.mkdir("directory");
    await writeFile(client, "directory/file", "data");
    await client.symlink("directory", "through");
    await client.symlink("directory/file", "link");
    await expectError("ELOOP", client.open("link", "O_RDONLY|O_NOFOLLOW"));
    await client.close(await client.open("through/file", "O_RDONLY|O_NOFOLLOW"));
  }),

  "O_PATH names a thing without opening it": test(async ({ client }) => {
    await writeFile(client, "file", "data", 0o000);
    await client.symlink("file", "link");
    const file = await client.open("file", "O_PATH");
    assertEquals((await client.fstat(file)).size, 4);
    await expectError("EBADF", client.read(file, 1));
    const link = await client.open("link", "O_PATH|O_NOFOLLOW");
    assertEquals((await client.fstat(link)).mode & 0o170000, 0o120000);
  }),

  "openat starts at a directory's handle, wherever the directory has gone": test(async ({ client }) => {
    await client.mkdir("directory");
    const directory = await client.open("directory", "O_RDONLY|O_DIRECTORY");
    await client.rename("directory", "moved");
    await client.close(await client.openat(directory, "file", "O_WRONLY|O_CREAT"));
    await expectContent(client, "moved/file", "");
    const file = await client.open("moved/file", "O_RDONLY");
    await expectError("ENOTDIR", client.openat(file, "x", "O_RDONLY"));
  }),

  "O_NOATIME is for the owner": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o666);
    await expectError("EPERM", alice.open("file", "O_RDONLY|O_NOATIME"));
    await client.chown("file", ALICE.uid, ALICE.gid);
    await alice.close(await alice.open("file", "O_RDONLY|O_NOATIME"));
  }),

  "open asks for the permissions its flags need": testAsRoot(async ({ client, start }) => {
    const owner = await start(ALICE);
    await using _owner = owner;
    await using member = await start({ uid: 65532, gid: BOB.gid });
    await using stranger = await start({ uid: 65531, gid: 65531 });
    await writeFile(client, "file", "data");
    await client.chown("file", ALICE.uid, BOB.gid);
    const ways = [["O_RDONLY", 4], ["O_WRONLY", 2], ["O_RDWR", 6], ["O_RDONLY|O_TRUNC", 6]] as const;
    for (let bits = 0; bits < 8; bits++) {
      for (const [who, shift] of [[owner, 6], [member, 3], [stranger, 0]] as const) {
        // Only the one class counts: the other two allow the opposite.
        await client.chmod("file", (0o777 & ~(7 << shift) & ~(bits * 0o111)) | (bits << shift));
        for (const [flags, needed] of ways) {
          const opened = who.open("file", flags);
          // O_TRUNC asks for write permission only, beside what the access mode asks for.
          if ((bits & needed) === needed) await who.close(await opened);
          else await expectError("EACCES", opened);
        }
      }
    }
  }),

  "O_CREAT needs write and search permission on the directory": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("directory");
    await client.chown("directory", ALICE.uid, ALICE.gid);
    for (const mode of [0o000, 0o100, 0o200, 0o400, 0o500, 0o600]) {
      await client.chmod("directory", mode);
      await expectError("EACCES", alice.open("directory/file", "O_WRONLY|O_CREAT"));
    }
    await client.chmod("directory", 0o300);
    await alice.close(await alice.open("directory/file", "O_WRONLY|O_CREAT"));
  }),

  "O_TRUNC without write permission leaves the file alone": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o444);
    await expectError("EACCES", alice.open("file", "O_RDONLY|O_TRUNC"));
    await expectError("EACCES", alice.open("file", "O_WRONLY|O_TRUNC"));
    await expectContent(client, "file", "data");
  }),

  "a handle keeps what its open was allowed": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDWR");
    await client.chmod("file", 0o000);
    assertEquals(decode(await client.pread(file, 10, 0)), "data");
    assertEquals(await client.pwrite(file, "D", 0), 1);
    await client.ftruncate(file, 2);
    await client.chmod("file", 0o600);
    await expectContent(client, "file", "Da");
  }),
};
