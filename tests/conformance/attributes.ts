/** stat(2), chmod(2), access(2) and the times they keep. */

import { assert, assertEquals } from "../deps.ts";
import {
  ALICE,
  BOB,
  expectError,
  expectTimes,
  KINDS_FOR_ALL,
  make,
  permissions,
  type Subject,
  test,
  testAsRoot,
  writeFile,
} from "./subject.ts";

const TYPES = { regular: 0o100000, directory: 0o040000, symlink: 0o120000, fifo: 0o010000, socket: 0o140000 };

export const attributes: Subject = {
  "stat tells the type of each kind": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind, 0o640);
      const status = await client.lstat(kind);
      assertEquals(status.mode, TYPES[kind] | (kind === "symlink" ? 0o777 : 0o640));
      assertEquals(status.device, (await client.stat(".")).device);
    }
  }),

  "inodes differ, and stay the same while a file lives": test(async ({ client }) => {
    const names = Array.from({ length: 200 }, (_, index) => `file${index}`);
    await Promise.all(names.map((name) => client.mknod(name, "S_IFREG")));
    const inodes = await Promise.all(names.map(async (name) => (await client.stat(name)).inode));
    assertEquals(new Set(inodes).size, 200);
    assert(inodes.every((inode) => inode > 0n));
    await client.rename("file7", "renamed");
    await writeFile(client, "renamed", "data");
    assertEquals((await client.stat("renamed")).inode, inodes[7]);
  }),

  "stat and fstat agree, and lstat on what is no symlink": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDONLY");
    assertEquals(await client.fstat(file), await client.stat("file"));
    assertEquals(await client.lstat("file"), await client.stat("file"));
  }),

  "another process sees attributes as they are now": test(async ({ client, start }) => {
    await using other = await start();
    await writeFile(client, "file", "data");
    assertEquals((await other.stat("file")).size, 4);
    await client.chmod("file", 0o600);
    await client.truncate("file", 100);
    const status = await other.stat("file");
    assertEquals([status.size, status.mode], [100, 0o100600]);
    await client.unlink("file");
    await expectError("ENOENT", other.stat("file"));
    await client.mkdir("file");
    assertEquals((await other.stat("file")).mode, 0o040755);
  }),

  "blocks count what is stored, in units of 512 bytes": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    assertEquals((await client.fstat(file)).blocks * 512 < 65_536, true);
    await client.pwritePattern(file, 0, 1 << 20);
    await client.fsync(file);
    const { blocks, blockSize } = await client.fstat(file);
    assert(blocks * 512 >= 1 << 20, `${blocks} blocks for a megabyte`);
    assert(blockSize > 0);
  }),

  "a birth time, where kept, stays": test(async ({ client }) => {
    await writeFile(client, "file", "");
    const birth = await client.birthTime("file");
    await writeFile(client, "file", "data");
    await client.chmod("file", 0o600);
    assertEquals(await client.birthTime("file"), birth);
  }),

  "chmod sets all twelve bits of every kind": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "symlink") continue;
      await make(client, kind, kind);
      for (const mode of [0o000, 0o111, 0o444, 0o751, 0o1755, 0o4755, 0o7777]) {
        await client.chmod(kind, mode);
        assertEquals((await client.stat(kind)).mode, TYPES[kind] | mode, kind);
      }
      await client.chmod(kind, 0o700);
    }
  }),

  "fchmod does what chmod does": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.fchmod(file, 0o4711);
    assertEquals((await client.stat("file")).mode, 0o104711);
  }),

  "chmod follows a symlink": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.symlink("file", "link");
    await client.chmod("link", 0o600);
    assertEquals((await client.stat("file")).mode, 0o100600);
    assertEquals((await client.lstat("link")).mode, 0o120777);
    await client.symlink("missing", "dangling");
    await expectError("ENOENT", client.chmod("dangling", 0o600));
  }),

  "chmod changes the ctime alone": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "symlink") continue;
      await make(client, kind, kind);
      await expectTimes(client, kind, ["ctime"], () => client.chmod(kind, 0o711));
    }
  }),

  "chmod is for the owner and root": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await using bob = await start(BOB);
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "symlink") continue;
      await make(client, kind, kind, 0o777);
      await client.chown(kind, ALICE.uid, ALICE.gid);
      await alice.chmod(kind, 0o700);
      await expectTimes(client, kind, [], () => expectError("EPERM", bob.chmod(kind, 0o777)));
      await client.chmod(kind, 0o711);
      assertEquals(permissions((await client.stat(kind)).mode), 0o711);
    }
  }),

  "an owner outside the file's group cannot set its setgid bit": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await using member = await start({ uid: ALICE.uid, gid: ALICE.gid, groups: [ALICE.gid, BOB.gid] });
    await writeFile(client, "file", "");
    await client.chown("file", ALICE.uid, BOB.gid);
    await alice.chmod("file", 0o2755);
    assertEquals(permissions((await client.stat("file")).mode), 0o755);
    await member.chmod("file", 0o2755);
    assertEquals(permissions((await client.stat("file")).mode), 0o2755);
    await alice.chmod("file", 0o4755);
    assertEquals(permissions((await client.stat("file")).mode), 0o4755);
  }),

  "access asks for existence and permission": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "", 0o640);
    await client.chown("file", BOB.uid, ALICE.gid);
    await alice.access("file", "F_OK");
    await alice.access("file", "R_OK");
    await expectError("EACCES", alice.access("file", "W_OK"));
    await expectError("EACCES", alice.access("file", "X_OK"));
    await expectError("EACCES", alice.access("file", "R_OK|W_OK"));
    await expectError("ENOENT", alice.access("missing", "F_OK"));
    await client.access("file", "R_OK|W_OK");
    await expectError("EACCES", client.access("file", "X_OK"));
  }),

  "a symlink's own attributes are not its target's": test(async ({ client }) => {
    await writeFile(client, "file", "0123456789", 0o600);
    await client.symlink("file", "link");
    assertEquals((await client.stat("link")).size, 10);
    const link = await client.lstat("link");
    assertEquals([link.size, link.mode, link.linkCount], [4, 0o120777, 1]);
  }),
};
