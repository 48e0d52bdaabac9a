/** Locks of records (POSIX and open file description) and of whole files (flock), between processes. */

import { assertEquals } from "../deps.ts";
import type { PosixClient } from "../support/posix_client.ts";
import { expectError, type Subject, test, writeFile } from "./subject.ts";

const BUSY = ["EAGAIN", "EACCES"];

async function openFile(client: PosixClient): Promise<number> {
  return await client.open("file", "O_RDWR|O_CREAT");
}

/** Checks that `waiting` settles after `release` and not before: the lock that it asks for is held until then. */
async function expectToWait(
  waiting: Promise<unknown>,
  stillHeld: () => Promise<unknown>,
  release: () => Promise<unknown>,
) {
  let settled = false;
  const done = waiting.finally(() => settled = true);
  done.catch(() => {});
  await stillHeld();
  assertEquals(settled, false, "the lock was granted while it was held");
  await release();
  await done;
}

export const locks: Subject = {
  "a write lock keeps others out, in its range only": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 100, 50);
    await expectError(BUSY, other.setLock(theirs, "F_SETLK", "F_RDLCK", 149, 1));
    await expectError(BUSY, other.setLock(theirs, "F_SETLK", "F_WRLCK", 0, 0));
    await other.setLock(theirs, "F_SETLK", "F_WRLCK", 0, 100);
    await other.setLock(theirs, "F_SETLK", "F_WRLCK", 150, 0);
    await client.setLock(mine, "F_SETLK", "F_UNLCK");
    await other.setLock(theirs, "F_SETLK", "F_WRLCK");
  }),

  "read locks are shared": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_RDLCK");
    await other.setLock(theirs, "F_SETLK", "F_RDLCK");
    await expectError(BUSY, client.setLock(mine, "F_SETLK", "F_WRLCK"));
    await other.setLock(theirs, "F_SETLK", "F_UNLCK");
    await client.setLock(mine, "F_SETLK", "F_WRLCK");
  }),

  "F_GETLK tells whose lock is in the way": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 10, 20);
    assertEquals(await other.getLock(theirs, "F_GETLK", "F_RDLCK", 0, 0), {
      type: "F_WRLCK",
      start: 10,
      length: 20,
      pid: client.pid,
    });
    assertEquals(await other.getLock(theirs, "F_GETLK", "F_WRLCK", 30, 5), undefined);
    assertEquals(await client.getLock(mine, "F_GETLK", "F_WRLCK", 0, 0), undefined);
  }),

  "unlocking a part splits a lock, locking beside joins it": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 0, 100);
    await client.setLock(mine, "F_SETLK", "F_UNLCK", 40, 20);
    await other.setLock(theirs, "F_SETLK", "F_WRLCK", 40, 20);
    await other.setLock(theirs, "F_SETLK", "F_UNLCK", 0, 0);
    assertEquals((await other.getLock(theirs, "F_GETLK", "F_WRLCK", 60, 1))?.length, 40);
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 40, 20);
    assertEquals((await other.getLock(theirs, "F_GETLK", "F_WRLCK", 50, 1))?.length, 100);
  }),

  "a lock is changed from write to read in place": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 0, 100);
    await client.setLock(mine, "F_SETLK", "F_RDLCK", 50, 50);
    await other.setLock(theirs, "F_SETLK", "F_RDLCK", 50, 50);
    await expectError(BUSY, other.setLock(theirs, "F_SETLK", "F_RDLCK", 0, 50));
  }),

  "closing any handle of the file drops the process's locks": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    const second = await openFile(client);
    await client.setLock(mine, "F_SETLK", "F_WRLCK");
    await client.close(second);
    await other.setLock(theirs, "F_SETLK", "F_WRLCK");
  }),

  "a process that dies drops its locks": test(async ({ client, start }) => {
    const [mine, other] = [await openFile(client), await start()];
    const theirs = await openFile(other);
    await other.setLock(theirs, "F_SETLK", "F_WRLCK");
    await other.flock(await openFile(other), "LOCK_EX");
    await expectError(BUSY, client.setLock(mine, "F_SETLK", "F_WRLCK"));
    other.kill();
    await other[Symbol.asyncDispose]();
    await client.setLock(mine, "F_SETLKW", "F_WRLCK");
    await client.flock(mine, "LOCK_EX");
  }),

  "F_SETLKW waits until the lock is free": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 0, 10);
    await expectToWait(
      other.setLock(theirs, "F_SETLKW", "F_WRLCK", 5, 10),
      () => client.fstat(mine),
      () => client.setLock(mine, "F_SETLK", "F_UNLCK"),
    );
    await expectError(BUSY, client.setLock(mine, "F_SETLK", "F_WRLCK", 14, 1));
  }),

  "a wait for a lock can be interrupted, and leaves nothing behind": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK");
    const waiting = other.setLock(theirs, "F_SETLKW", "F_WRLCK");
    waiting.catch(() => {});
    const asking = setInterval(() => other.interrupt(), 10);
    try {
      await expectError("EINTR", waiting);
    } finally {
      clearInterval(asking);
    }
    await client.setLock(mine, "F_SETLK", "F_UNLCK");
    assertEquals(await client.getLock(mine, "F_GETLK", "F_WRLCK"), undefined);
  }),

  "two processes that wait for each other are told of the deadlock": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_SETLK", "F_WRLCK", 0, 1);
    await other.setLock(theirs, "F_SETLK", "F_WRLCK", 1, 1);
    const outcome = (lock: Promise<void>) => lock.then(() => "granted", (error) => error.code);
    const first = outcome(client.setLock(mine, "F_SETLKW", "F_WRLCK", 1, 1));
    const second = outcome(other.setLock(theirs, "F_SETLKW", "F_WRLCK", 0, 1));
    // Whoever asks last is refused and still holds its own lock; giving that up lets the other go on.
    const refused = await Promise.race([first.then((code) => [code, other]), second.then((code) => [code, client])]);
    assertEquals(refused[0], "EDEADLK");
    if (refused[1] === client) await other.setLock(theirs, "F_SETLK", "F_UNLCK");
    else await client.setLock(mine, "F_SETLK", "F_UNLCK");
    assertEquals((await Promise.all([first, second])).sort(), ["EDEADLK", "granted"]);
  }),

  "a lock needs a handle of its kind": test(async ({ client }) => {
    await writeFile(client, "file", "");
    const reader = await client.open("file", "O_RDONLY");
    const writer = await client.open("file", "O_WRONLY");
    await expectError("EBADF", client.setLock(reader, "F_SETLK", "F_WRLCK"));
    await expectError("EBADF", client.setLock(writer, "F_SETLK", "F_RDLCK"));
    await client.setLock(reader, "F_SETLK", "F_RDLCK");
  }),

  "open file description locks belong to the open, not to the process": test(async ({ client }) => {
    const [first, second] = [await openFile(client), await openFile(client)];
    await client.setLock(first, "F_OFD_SETLK", "F_WRLCK", 0, 10);
    await expectError(BUSY, client.setLock(second, "F_OFD_SETLK", "F_WRLCK", 0, 10));
    assertEquals((await client.getLock(second, "F_OFD_GETLK", "F_WRLCK", 0, 0))?.pid, -1);
    const copy = await client.dup(first);
    await client.close(first);
    await expectError(BUSY, client.setLock(second, "F_OFD_SETLK", "F_WRLCK", 0, 10));
    await client.close(copy);
    await client.setLock(second, "F_OFD_SETLK", "F_WRLCK", 0, 10);
  }),

  "an open file description lock and a process's keep each other out": test(async ({ client }) => {
    const [first, second] = [await openFile(client), await openFile(client)];
    await client.setLock(first, "F_OFD_SETLK", "F_WRLCK", 0, 10);
    await expectError(BUSY, client.setLock(second, "F_SETLK", "F_WRLCK", 0, 10));
  }),

  "F_OFD_SETLKW waits until the lock is free": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.setLock(mine, "F_OFD_SETLK", "F_WRLCK");
    await expectToWait(
      other.setLock(theirs, "F_OFD_SETLKW", "F_RDLCK"),
      () => client.fstat(mine),
      () => client.close(mine),
    );
  }),

  "flock is shared or exclusive, and belongs to the open": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, second, theirs] = [await openFile(client), await openFile(client), await openFile(other)];
    await client.flock(mine, "LOCK_SH");
    await other.flock(theirs, "LOCK_SH");
    await expectError("EAGAIN", client.flock(second, "LOCK_EX|LOCK_NB"));
    await other.flock(theirs, "LOCK_UN");
    await expectError("EAGAIN", client.flock(second, "LOCK_EX|LOCK_NB"));
    await client.flock(mine, "LOCK_EX|LOCK_NB");
    await expectError("EAGAIN", other.flock(theirs, "LOCK_SH|LOCK_NB"));
    const copy = await client.dup(mine);
    await client.close(mine);
    await expectError("EAGAIN", other.flock(theirs, "LOCK_SH|LOCK_NB"));
    await client.close(copy);
    await other.flock(theirs, "LOCK_EX|LOCK_NB");
  }),

  "flock waits until the lock is free": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [await openFile(client), await openFile(other)];
    await client.flock(mine, "LOCK_EX");
    await expectToWait(other.flock(theirs, "LOCK_EX"), () => client.fstat(mine), () => client.flock(mine, "LOCK_UN"));
    await expectError("EAGAIN", client.flock(mine, "LOCK_SH|LOCK_NB"));
  }),

  "flock works on directories and read-only handles": test(async ({ client, start }) => {
    await using other = await start();
    const [mine, theirs] = [
      await client.open(".", "O_RDONLY|O_DIRECTORY"),
      await other.open(".", "O_RDONLY|O_DIRECTORY"),
    ];
    await client.flock(mine, "LOCK_EX");
    await expectError("EAGAIN", other.flock(theirs, "LOCK_SH|LOCK_NB"));
  }),

  "several waiting for one lock all get it in turn": test(async ({ client, start }) => {
    await using one = await start();
    await using two = await start();
    await using three = await start();
    const mine = await openFile(client);
    await client.setLock(mine, "F_SETLK", "F_WRLCK");
    const all = [one, two, three].map(async (other) => {
      const file = await openFile(other);
      await other.setLock(file, "F_SETLKW", "F_WRLCK");
      await other.setLock(file, "F_SETLK", "F_UNLCK");
    });
    await client.setLock(mine, "F_SETLK", "F_UNLCK");
    await Promise.all(all);
  }),
};
