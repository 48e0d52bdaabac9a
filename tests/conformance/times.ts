/** Which calls move which times on, and utimensat(2). Waits are for the clock to tick, never for a fixed time. */

import { assert, assertEquals } from "../deps.ts";
import {
  ALICE,
  BOB,
  expectError,
  expectTimes,
  KINDS_FOR_ALL,
  list,
  make,
  remove,
  type Subject,
  test,
  testAsRoot,
  tick,
  writeFile,
} from "./subject.ts";

const SECOND = 1_000_000_000n;

export const times: Subject = {
  "a new thing's times are the time it was made": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await writeFile(client, "before", "");
      await tick(client);
      await make(client, kind, "new");
      await tick(client);
      await writeFile(client, "after", "");
      const [before, made, after] = [
        await client.stat("before"),
        await client.lstat("new"),
        await client.stat("after"),
      ];
      for (const time of [made.atime, made.mtime, made.ctime]) {
        assert(time > before.mtime && time <= after.mtime, `${kind}: ${time} is not when it was made`);
      }
      await remove(client, kind, "new");
      await client.unlink("after");
    }
  }),

  "times are the machine's": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const { mtime } = await client.stat("file");
    const distance = BigInt(Date.now()) * 1_000_000n - mtime;
    assert(distance > -60n * SECOND && distance < 60n * SECOND, `mtime is ${distance} ns away from the clock`);
  }),

  "writing moves mtime and ctime on": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await expectTimes(client, "file", ["mtime", "ctime"], () => client.write(file, "data"));
    await expectTimes(client, "file", ["mtime", "ctime"], () => client.pwrite(file, "D", 0));
    await expectTimes(client, "file", [], () => client.pwrite(file, "", 0));
    await expectTimes(client, ".", [], () => client.write(file, "data"));
  }),

  "changing the size moves mtime and ctime on": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await expectTimes(client, "file", ["mtime", "ctime"], () => client.ftruncate(file, 100));
    await expectTimes(client, "file", ["mtime", "ctime"], () => client.truncate("file", 10));
    await expectTimes(client, "file", ["mtime", "ctime"], () => client.fallocate(file, 0, 0, 1000));
    await expectTimes(client, "file", [], () => expectError("EINVAL", client.ftruncate(file, -1)));
  }),

  "copying into a file moves its mtime and ctime on, not the source's": test(async ({ client }) => {
    await writeFile(client, "from", "data");
    const from = await client.open("from", "O_RDONLY");
    const to = await client.open("to", "O_WRONLY|O_CREAT");
    await expectTimes(client, "to", ["mtime", "ctime"], () => client.copyFileRange(from, 0, to, 0, 4));
    await expectTimes(client, "from", [], () => client.copyFileRange(from, 0, to, 0, 4));
  }),

  "emptying an empty file by O_TRUNC moves mtime and ctime on": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectTimes(client, "file", ["mtime", "ctime"], () => writeFile(client, "file", ""));
  }),

  "looking moves neither mtime nor ctime": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.symlink("file", "link");
    await client.mkdir("directory");
    const file = await client.open("file", "O_RDWR");
    await expectTimes(client, "file", [], () => client.read(file, 10));
    await expectTimes(client, "file", [], () => client.stat("file"));
    await expectTimes(client, "file", [], () => client.access("file", "R_OK"));
    await expectTimes(client, "link", [], () => client.readlink("link"));
    await expectTimes(client, "directory", [], () => list(client, "directory"));
    await expectTimes(client, ".", [], () => list(client, "."));
  }),

  "reading moves an atime on that is not behind mtime": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const { mtime } = await client.stat("file");
    // Relatime, the kernel's default, keeps an atime that is later than mtime and ctime and less than a day old.
    await client.utimensat("file", mtime - SECOND, "UTIME_OMIT");
    await tick(client);
    const file = await client.open("file", "O_RDONLY");
    await client.read(file, 4);
    assert((await client.stat("file")).atime >= mtime, "the atime did not move on");
  }),

  "atime is never moved on by writing, nor through O_NOATIME": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.utimensat("file", 5n * SECOND, "UTIME_OMIT");
    const file = await client.open("file", "O_RDWR|O_NOATIME");
    await client.write(file, "more");
    await client.pread(file, 4, 0);
    assertEquals((await client.stat("file")).atime, 5n * SECOND);
  }),

  "utimensat sets both times to the nanosecond": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) {
      await make(client, kind, kind);
      await client.utimensat(kind, 1_234_567_890_123_456_789n, 987_654_321_987_654_321n, "AT_SYMLINK_NOFOLLOW");
      const { atime, mtime } = await client.lstat(kind);
      assertEquals([atime, mtime], [1_234_567_890_123_456_789n, 987_654_321_987_654_321n], kind);
    }
  }),

  "times before 1970 and after 2106 are kept": test(async ({ client }) => {
    await writeFile(client, "file", "");
    for (const time of [-1n * SECOND, -1_500_000_000n, 0n, 1n, (2n ** 31n) * SECOND, (2n ** 32n + 5n) * SECOND + 7n]) {
      await client.utimensat("file", time, time);
      const { atime, mtime } = await client.stat("file");
      assertEquals([atime, mtime], [time, time]);
    }
  }),

  "utimensat moves the ctime on": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.utimensat("file", SECOND, SECOND);
    const before = await client.stat("file");
    await tick(client);
    await client.utimensat("file", SECOND, SECOND);
    assert((await client.stat("file")).ctime > before.ctime);
  }),

  "UTIME_NOW sets the present, UTIME_OMIT leaves a time alone": test(async ({ client }) => {
    await writeFile(client, "file", "");
    const { mtime: made } = await client.stat("file");
    await client.utimensat("file", SECOND, 2n * SECOND);
    await client.utimensat("file", "UTIME_OMIT", 3n * SECOND);
    let status = await client.stat("file");
    assertEquals([status.atime, status.mtime], [SECOND, 3n * SECOND]);
    await client.utimensat("file", "UTIME_NOW", "UTIME_OMIT");
    status = await client.stat("file");
    assertEquals([status.atime >= made, status.mtime], [true, 3n * SECOND]);
    await client.utimensat("file", "UTIME_OMIT", "UTIME_NOW");
    assertEquals((await client.stat("file")).mtime >= made, true);
    await expectTimes(client, "file", [], () => client.utimensat("file", "UTIME_OMIT", "UTIME_OMIT"));
  }),

  "futimens does it through a handle": test(async ({ client }) => {
    const file = await client.open("file", "O_RDONLY|O_CREAT");
    await client.futimens(file, 7n * SECOND + 1n, 8n * SECOND + 2n);
    const { atime, mtime } = await client.stat("file");
    assertEquals([atime, mtime], [7n * SECOND + 1n, 8n * SECOND + 2n]);
  }),

  "utimensat follows a symlink unless told not to": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.symlink("file", "link");
    await client.utimensat("link", SECOND, SECOND);
    await client.utimensat("link", 2n * SECOND, 2n * SECOND, "AT_SYMLINK_NOFOLLOW");
    assertEquals((await client.stat("file")).mtime, SECOND);
    assertEquals((await client.lstat("link")).mtime, 2n * SECOND);
  }),

  "a set mtime is kept until the next write": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "data");
    await client.utimensat("file", SECOND, SECOND);
    await client.fsync(file);
    await client.chmod("file", 0o600);
    await client.link("file", "second");
    await client.close(file);
    assertEquals((await client.stat("file")).mtime, SECOND);
  }),

  "only the owner sets times, but who may write may set the present": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await using bob = await start(BOB);
    await writeFile(client, "file", "");
    await client.chown("file", ALICE.uid, ALICE.gid);
    for (const [mode, code] of [[0o600, "EACCES"], [0o644, "EACCES"], [0o666, undefined]] as const) {
      await client.chmod("file", mode);
      await alice.utimensat("file", SECOND, SECOND);
      await alice.utimensat("file", "UTIME_NOW", "UTIME_NOW");
      await expectError("EPERM", bob.utimensat("file", SECOND, SECOND));
      await expectError("EPERM", bob.utimensat("file", "UTIME_NOW", "UTIME_OMIT"));
      await expectError("EPERM", bob.utimensat("file", "UTIME_OMIT", "UTIME_NOW"));
      await bob.utimensat("file", "UTIME_OMIT", "UTIME_OMIT");
      const present = bob.utimensat("file", "UTIME_NOW", "UTIME_NOW");
      if (code) await expectError(code, present);
      else await present;
    }
  }),

  "an owner sets times of what she may not write": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "");
    await client.chown("file", ALICE.uid, ALICE.gid);
    await client.chmod("file", 0o000);
    await alice.utimensat("file", SECOND, 2n * SECOND);
    await alice.utimensat("file", "UTIME_NOW", "UTIME_NOW");
  }),
};
