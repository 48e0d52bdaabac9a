/** chown(2): who may give what to whom, and what becomes of the setuid and setgid bits. */

import { assertEquals } from "../deps.ts";
import type { PosixClient } from "../support/posix_client.ts";
import {
  ALICE,
  BOB,
  expectError,
  expectTimes,
  KINDS,
  KINDS_FOR_ALL,
  make,
  permissions,
  type Subject,
  test,
  testAsRoot,
  writeFile,
} from "./subject.ts";

/** Leaves the user or the group as it is. */
const SAME = -1;

/** The owner of what she has, and in two further groups. */
const MEMBER = { uid: ALICE.uid, gid: 65532, groups: [65532, 65531] };

async function ownerOf(client: PosixClient, path: string): Promise<[number, number]> {
  const { uid, gid } = await client.lstat(path);
  return [uid, gid];
}

export const ownership: Subject = {
  "root gives anything to anybody": testAsRoot(async ({ client }) => {
    for (const kind of KINDS) {
      await make(client, kind, kind);
      await client.lchown(kind, 123, 456);
      assertEquals(await ownerOf(client, kind), [123, 456], kind);
      await client.lchown(kind, SAME, 7);
      assertEquals(await ownerOf(client, kind), [123, 7], kind);
      await client.lchown(kind, 8, SAME);
      assertEquals(await ownerOf(client, kind), [8, 7], kind);
    }
  }),

  "user and group numbers of 32 bits are kept": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.chown("file", 4_000_000_000, 3_000_000_000);
    assertEquals(await ownerOf(client, "file"), [4_000_000_000, 3_000_000_000]);
  }),

  "chown follows a symlink, lchown does not": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.symlink("file", "link");
    await client.chown("link", 123, 456);
    assertEquals([await ownerOf(client, "file"), await ownerOf(client, "link")], [[123, 456], [0, 0]]);
    await client.lchown("link", 7, 8);
    assertEquals([await ownerOf(client, "file"), await ownerOf(client, "link")], [[123, 456], [7, 8]]);
  }),

  "fchown works on a handle whatever it was opened for": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "");
    const file = await client.open("file", "O_RDONLY");
    await client.fchown(file, 123, 456);
    assertEquals(await ownerOf(client, "file"), [123, 456]);
  }),

  "an owner gives to groups of her own and to no user": testAsRoot(async ({ client, start }) => {
    await using alice = await start(MEMBER);
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await client.lchown(kind, ALICE.uid, BOB.gid);
      await alice.lchown(kind, SAME, 65532);
      await alice.lchown(kind, ALICE.uid, 65531);
      assertEquals(await ownerOf(client, kind), [ALICE.uid, 65531], kind);
      await expectError("EPERM", alice.lchown(kind, SAME, BOB.gid));
      await expectError("EPERM", alice.lchown(kind, BOB.uid, SAME));
      await expectError("EPERM", alice.lchown(kind, 0, 65532));
      assertEquals(await ownerOf(client, kind), [ALICE.uid, 65531], kind);
    }
  }),

  "nobody else gives anything, and asking changes nothing": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind, 0o777);
      await expectTimes(client, kind, [], async () => {
        await expectError("EPERM", alice.lchown(kind, ALICE.uid, SAME));
        await expectError("EPERM", alice.lchown(kind, SAME, ALICE.gid));
        await expectError("EPERM", alice.lchown(kind, ALICE.uid, ALICE.gid));
      });
      assertEquals(await ownerOf(client, kind), [0, 0], kind);
    }
  }),

  "asking for no change is allowed to anybody": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await alice.lchown(kind, SAME, SAME);
      assertEquals(await ownerOf(client, kind), [0, 0], kind);
    }
  }),

  "chown changes the ctime alone": testAsRoot(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await expectTimes(client, kind, ["ctime"], () => client.lchown(kind, 123, 456));
    }
  }),

  "a user's chown of a program clears setuid and setgid": testAsRoot(async ({ client, start }) => {
    await using alice = await start(MEMBER);
    await writeFile(client, "file", "");
    await client.chown("file", ALICE.uid, 65532);
    for (const [mode, left] of [[0o6555, 0o555], [0o4755, 0o755], [0o2755, 0o755], [0o6644, 0o2644]] as const) {
      await client.chmod("file", mode);
      await alice.chown("file", SAME, 65531);
      const { mode: after } = await client.stat("file");
      // A setgid bit without group execution stands for mandatory locking to some, and may stay.
      assertEquals(
        [left, left & ~0o2000].includes(permissions(after)),
        true,
        `${mode.toString(8)}: ${after.toString(8)}`,
      );
      await client.chown("file", ALICE.uid, 65532);
    }
  }),

  "root's chown of a program clears setuid and setgid, of a directory does not": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.chmod("file", 0o6755);
    await client.chown("file", 123, 456);
    assertEquals(permissions((await client.stat("file")).mode), 0o755);
    await client.mkdir("directory");
    await client.chmod("directory", 0o6755);
    await client.chown("directory", 123, 456);
    assertEquals(permissions((await client.stat("directory")).mode), 0o6755);
  }),

  "a stranger's write clears setuid and setgid": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const mode of [0o4777, 0o2777, 0o6777]) {
      await writeFile(client, "file", "old");
      await client.chmod("file", mode);
      const file = await alice.open("file", "O_RDWR");
      await alice.write(file, "x");
      assertEquals(permissions((await alice.fstat(file)).mode), 0o777);
      assertEquals(permissions((await client.stat("file")).mode), 0o777);
      await alice.close(file);
    }
  }),

  "a stranger's truncate clears setuid and setgid": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "old content");
    await client.chmod("file", 0o6777);
    await alice.truncate("file", 2);
    assertEquals(permissions((await client.stat("file")).mode), 0o777);
    await client.chmod("file", 0o6777);
    await alice.close(await alice.open("file", "O_WRONLY|O_TRUNC"));
    assertEquals(permissions((await client.stat("file")).mode), 0o777);
  }),

  "root's write keeps setuid and setgid": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "old");
    await client.chmod("file", 0o6777);
    const file = await client.open("file", "O_RDWR");
    await client.write(file, "x");
    assertEquals(permissions((await client.stat("file")).mode), 0o6777);
  }),

  "a user cannot give away what is hers": test(async ({ client }) => {
    await writeFile(client, "file", "");
    const { uid, gid } = await client.stat("file");
    await client.chown("file", uid, gid);
    await client.chown("file", SAME, SAME);
    assertEquals(await ownerOf(client, "file"), [uid, gid]);
    if (uid !== 0) await expectError("EPERM", client.chown("file", 0, SAME));
  }),
};
