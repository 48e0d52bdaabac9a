/** Who may do what: the classes of user, group and others on files and directories. */

import { assertEquals } from "../deps.ts";
import type { PosixClient } from "../support/posix_client.ts";
import { ALICE, BOB, expectError, list, type Subject, test, testAsRoot, writeFile } from "./subject.ts";

/** What each bit of a directory's mode allows, on a directory that holds "file". */
const DIRECTORY_NEEDS: readonly { what: string; bits: number; act(who: PosixClient): Promise<unknown> }[] = [
  { what: "list", bits: 4, act: (who) => list(who, "directory") },
  { what: "stat below", bits: 1, act: (who) => who.stat("directory/file") },
  { what: "enter", bits: 1, act: (who) => who.chdir("directory").then(() => who.chdir("..")) },
  { what: "make and remove", bits: 3, act: (who) => who.mkdir("directory/new").then(() => who.rmdir("directory/new")) },
  {
    what: "rename within",
    bits: 3,
    act: async (who) => {
      await who.rename("directory/file", "directory/renamed");
      await who.rename("directory/renamed", "directory/file");
    },
  },
];

async function expectAllowed(allowed: boolean, act: () => Promise<unknown>, what: string): Promise<void> {
  const outcome = await act().then(() => "allowed", (error) => error.code);
  assertEquals(outcome, allowed ? "allowed" : "EACCES", what);
}

export const permissions: Subject = {
  "the owner's bits count for the owner, the group's for the group, the others' for others": testAsRoot(
    async ({ client, start }) => {
      await using owner = await start({ uid: ALICE.uid, gid: ALICE.gid, groups: [BOB.gid] });
      await using member = await start({ uid: 65531, gid: 65531, groups: [65531, BOB.gid] });
      await using primary = await start({ uid: 65530, gid: BOB.gid, groups: [] });
      await using stranger = await start({ uid: 65529, gid: 65529 });
      await writeFile(client, "file", "data");
      await client.chown("file", ALICE.uid, BOB.gid);
      const classes = [[owner, 6, "owner"], [member, 3, "member"], [primary, 3, "primary"], [
        stranger,
        0,
        "other",
      ]] as const;
      for (const mode of [0o700, 0o070, 0o007, 0o077, 0o707, 0o770, 0o421, 0o142, 0o640, 0o604, 0o000, 0o777]) {
        await client.chmod("file", mode);
        for (const [who, shift, name] of classes) {
          const bits = (mode >> shift) & 7;
          for (const [flag, needed] of [["R_OK", 4], ["W_OK", 2], ["X_OK", 1]] as const) {
            const what = `${name} asks for ${flag} of ${mode.toString(8)}`;
            await expectAllowed((bits & needed) !== 0, () => who.access("file", flag), what);
          }
          const open = async () => await who.close(await who.open("file", "O_RDWR"));
          await expectAllowed((bits & 6) === 6, open, `${name} opens ${mode.toString(8)}`);
        }
      }
    },
  ),

  "each right on a directory needs its bits": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("directory");
    await writeFile(client, "directory/file", "data", 0o666);
    await client.chown("directory", ALICE.uid, ALICE.gid);
    for (let bits = 0; bits < 8; bits++) {
      await client.chmod("directory", bits << 6);
      for (const need of DIRECTORY_NEEDS) {
        const allowed = (bits & need.bits) === need.bits;
        await expectAllowed(allowed, () => need.act(alice), `${need.what} with ${bits}`);
      }
    }
  }),

  "every directory on the way must be searchable": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    for (const name of ["a", "a/b", "a/b/c"]) await client.mkdir(name);
    await writeFile(client, "a/b/c/file", "data", 0o666);
    for (const closed of ["a", "a/b", "a/b/c"]) {
      await client.chmod(closed, 0o766);
      await expectError("EACCES", alice.stat("a/b/c/file"));
      await expectError("EACCES", alice.open("a/b/c/file", "O_RDONLY"));
      await expectError("EACCES", alice.truncate("a/b/c/file", 0));
      await expectError("EACCES", alice.chmod("a/b/c/file", 0o600));
      await expectError("EACCES", alice.readlink("a/b/c/file"));
      await expectError("EACCES", alice.utimensat("a/b/c/file", "UTIME_NOW", "UTIME_NOW"));
      await client.chmod(closed, 0o711);
    }
    assertEquals((await alice.stat("a/b/c/file")).size, 4);
  }),

  "truncate needs write permission on the file": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o644);
    await expectError("EACCES", alice.truncate("file", 0));
    await client.chmod("file", 0o622);
    await alice.truncate("file", 1);
    assertEquals((await client.stat("file")).size, 1);
  }),

  "root needs no bits, save one to run a program": testAsRoot(async ({ client }) => {
    await client.mkdir("directory", 0o000);
    await writeFile(client, "directory/file", "data", 0o000);
    await client.access("directory/file", "R_OK|W_OK");
    await expectError("EACCES", client.access("directory/file", "X_OK"));
    await client.chmod("directory/file", 0o001);
    await client.access("directory/file", "X_OK");
    assertEquals(await list(client, "directory"), ["file"]);
  }),

  "a change of permission counts at once for other processes": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o644);
    for (let turn = 0; turn < 20; turn++) {
      await client.chmod("file", 0o600);
      await expectError("EACCES", alice.open("file", "O_RDONLY"));
      await client.chmod("file", 0o644);
      await alice.close(await alice.open("file", "O_RDONLY"));
    }
  }),

  "a change of owner counts at once for other processes": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o600);
    await expectError("EACCES", alice.open("file", "O_RDONLY"));
    await client.chown("file", ALICE.uid, ALICE.gid);
    await alice.close(await alice.open("file", "O_RDONLY"));
    await client.chown("file", BOB.uid, BOB.gid);
    await expectError("EACCES", alice.open("file", "O_RDONLY"));
  }),

  "making special files and links needs write permission on the directory": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await client.mkdir("directory", 0o755);
    await expectError("EACCES", alice.mknod("directory/fifo", "S_IFIFO"));
    await expectError("EACCES", alice.mknod("directory/file", "S_IFREG"));
    await expectError("EACCES", alice.symlink("target", "directory/link"));
    await expectError("EACCES", alice.bind("directory/socket"));
    await client.chmod("directory", 0o777);
    await alice.mknod("directory/fifo", "S_IFIFO");
    await alice.symlink("target", "directory/link");
  }),

  "device nodes are root's to make": test(async ({ client }) => {
    if ((await client.stat(".")).uid === 0) {
      await client.mknod("device", "S_IFCHR", 0o600, 1, 3);
      assertEquals((await client.stat("device")).major, 1);
      return;
    }
    await expectError("EPERM", client.mknod("device", "S_IFCHR", 0o600, 1, 3));
    await expectError("EPERM", client.mknod("device", "S_IFBLK", 0o600, 7, 0));
  }),

  "an owner without bits cannot read her own file": test(async ({ client }) => {
    await writeFile(client, "file", "data", 0o077);
    if ((await client.stat(".")).uid === 0) {
      await client.close(await client.open("file", "O_RDWR"));
      return;
    }
    await expectError("EACCES", client.open("file", "O_RDONLY"));
    await expectError("EACCES", client.open("file", "O_WRONLY"));
    await client.chmod("file", 0o600);
    await client.close(await client.open("file", "O_RDWR"));
  }),
};
