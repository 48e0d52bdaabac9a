/** The sticky bit: in such a directory only owners (of the thing or of the directory) and root move and remove. */

import { assertEquals } from "../deps.ts";
import type { PosixClient } from "../support/posix_client.ts";
import {
  ALICE,
  BOB,
  expectAbsent,
  expectError,
  type Kind,
  KINDS_FOR_ALL,
  make,
  remove,
  type Subject,
  testAsRoot,
} from "./subject.ts";

const REFUSED = ["EPERM", "EACCES"];
const CAROL = 65532;

/** Who owns the directory, who the thing, and whether Alice may remove it. */
const CASES = [
  { directory: ALICE.uid, thing: ALICE.uid, allowed: true },
  { directory: ALICE.uid, thing: BOB.uid, allowed: true },
  { directory: BOB.uid, thing: ALICE.uid, allowed: true },
  { directory: BOB.uid, thing: BOB.uid, allowed: false },
  { directory: 0, thing: CAROL, allowed: false },
];

async function makeOwned(client: PosixClient, kind: Kind, path: string, owner: number): Promise<void> {
  await make(client, kind, path, 0o777);
  await client.lchown(path, owner, owner);
}

async function makeSticky(client: PosixClient, path: string, owner: number): Promise<void> {
  await client.mkdir(path);
  await client.chown(path, owner, owner);
  await client.chmod(path, 0o1777);
}

export const sticky: Subject = {
  "removing takes the owner of the thing or of the directory": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await makeSticky(client, "sticky", 0);
    for (const { directory, thing, allowed } of CASES) {
      await client.chown("sticky", directory, directory);
      for (const kind of KINDS_FOR_ALL) {
        await makeOwned(client, kind, "sticky/thing", thing);
        if (allowed) {
          await remove(alice, kind, "sticky/thing");
          await expectAbsent(client, "sticky/thing");
        } else {
          await expectError(REFUSED, remove(alice, kind, "sticky/thing"));
          await remove(client, kind, "sticky/thing");
        }
      }
    }
  }),

  "moving out takes the owner of the thing or of the directory": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await makeSticky(client, "sticky", 0);
    await client.mkdir("open", 0o777);
    for (const { directory, thing, allowed } of CASES) {
      await client.chown("sticky", directory, directory);
      for (const kind of KINDS_FOR_ALL) {
        await makeOwned(client, kind, "sticky/thing", thing);
        const { inode } = await client.lstat("sticky/thing");
        const move = alice.rename("sticky/thing", "open/moved");
        const target = allowed ? "open/moved" : "sticky/thing";
        if (allowed) await move;
        else await expectError(REFUSED, move);
        assertEquals((await client.lstat(target)).inode, inode);
        await remove(client, kind, target);
      }
    }
  }),

  "replacing takes the owner of what is replaced or of the directory": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await makeSticky(client, "sticky", 0);
    await client.mkdir("open", 0o777);
    for (const { directory, thing, allowed } of CASES) {
      await client.chown("sticky", directory, directory);
      for (const kind of KINDS_FOR_ALL) {
        await makeOwned(client, kind, "sticky/target", thing);
        await makeOwned(client, kind, "open/source", ALICE.uid);
        const move = alice.rename("open/source", "sticky/target");
        if (allowed) await move;
        else await expectError(REFUSED, move);
        await remove(client, kind, "sticky/target");
        if (!allowed) await remove(client, kind, "open/source");
      }
    }
  }),

  "exchanging takes both": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await makeSticky(client, "sticky", BOB.uid);
    await client.mkdir("open", 0o777);
    await makeOwned(client, "regular", "sticky/bob's", BOB.uid);
    await makeOwned(client, "regular", "sticky/alice's", ALICE.uid);
    await makeOwned(client, "regular", "open/file", ALICE.uid);
    await expectError(REFUSED, alice.renameat2("open/file", "sticky/bob's", "RENAME_EXCHANGE"));
    await expectError(REFUSED, alice.renameat2("sticky/bob's", "open/file", "RENAME_EXCHANGE"));
    await alice.renameat2("open/file", "sticky/alice's", "RENAME_EXCHANGE");
  }),

  "anybody makes things and links in a sticky directory open to all": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await makeSticky(client, "sticky", BOB.uid);
    for (const kind of KINDS_FOR_ALL) await make(alice, kind, `sticky/${kind}`);
    await alice.link("sticky/regular", "sticky/link");
    await alice.rename("sticky/link", "sticky/renamed");
    assertEquals((await client.stat("sticky/regular")).linkCount, 2);
  }),
};
