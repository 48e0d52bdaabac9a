/** Holes: files with less data than their size, fallocate, SEEK_DATA and SEEK_HOLE. */

import { assert, assertEquals } from "../deps.ts";
import { expectError, type Subject, test, testAsRoot, writeFile } from "./subject.ts";

const MEGABYTE = 1 << 20;

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export const sparse: Subject = {
  "a write far behind the end leaves zeros between": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "start");
    await client.pwrite(file, "end", 100_000);
    assertEquals((await client.fstat(file)).size, 100_003);
    assert(isZero(await client.pread(file, 99_995, 5)));
  }),

  "a hole takes no room": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwrite(file, "end", 1000 * MEGABYTE);
    const status = await client.fstat(file);
    assertEquals(status.size, 1000 * MEGABYTE + 3);
    assert(status.blocks * 512 < 10 * MEGABYTE, `${status.blocks} blocks for three bytes`);
    assert(isZero(await client.pread(file, 100_000, 500 * MEGABYTE)));
  }),

  "SEEK_DATA and SEEK_HOLE find data and holes": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 2 * MEGABYTE, MEGABYTE);
    await client.ftruncate(file, 5 * MEGABYTE);
    // A filesystem may take holes for data, but never data for a hole.
    assert(await client.lseek(file, 0, "SEEK_DATA") <= 2 * MEGABYTE);
    assertEquals(await client.lseek(file, 2 * MEGABYTE + 5, "SEEK_DATA"), 2 * MEGABYTE + 5);
    assert(await client.lseek(file, 2 * MEGABYTE, "SEEK_HOLE") >= 3 * MEGABYTE);
    assertEquals(await client.lseek(file, 5 * MEGABYTE - 1, "SEEK_HOLE") <= 5 * MEGABYTE, true);
    await expectError("ENXIO", client.lseek(file, 5 * MEGABYTE, "SEEK_DATA"));
    await expectError("ENXIO", client.lseek(file, 5 * MEGABYTE, "SEEK_HOLE"));
  }),

  "the end of a file without holes is its first hole": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDONLY");
    assertEquals(await client.lseek(file, 0, "SEEK_DATA"), 0);
    assertEquals(await client.lseek(file, 0, "SEEK_HOLE"), 4);
    assertEquals(await client.lseek(file, 3, "SEEK_HOLE"), 4);
    await writeFile(client, "empty", "");
    const empty = await client.open("empty", "O_RDONLY");
    await expectError("ENXIO", client.lseek(empty, 0, "SEEK_DATA"));
  }),

  "walking a sparse file by data and holes finds all its data": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    const written = [0, 3, 4, 9].map((place) => place * MEGABYTE);
    for (const offset of written) await client.pwritePattern(file, offset, 10_000);
    await client.ftruncate(file, 12 * MEGABYTE);
    const found: [number, number][] = [];
    for (let at = 0;;) {
      const data = await client.lseek(file, at, "SEEK_DATA").catch(() => undefined);
      if (data === undefined) break;
      at = await client.lseek(file, data, "SEEK_HOLE");
      found.push([data, at]);
    }
    for (const offset of written) {
      assert(found.some(([start, end]) => start <= offset && end >= offset + 10_000), `data at ${offset} not found`);
    }
  }),

  "fallocate makes room and grows the file": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "data");
    await client.fallocate(file, 0, 0, 100_000);
    const status = await client.fstat(file);
    assertEquals(status.size, 100_000);
    assert(status.blocks * 512 >= 100_000, `${status.blocks} blocks for 100000 bytes`);
    assert(isZero(await client.pread(file, 99_996, 4)));
    await client.fallocate(file, 0, 10, 20);
    assertEquals((await client.fstat(file)).size, 100_000);
  }),

  "fallocate with FALLOC_FL_KEEP_SIZE keeps the size": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "data");
    await client.fallocate(file, "FALLOC_FL_KEEP_SIZE", 0, 100_000);
    assertEquals((await client.fstat(file)).size, 4);
    await client.ftruncate(file, 100_000);
    assert(isZero(await client.pread(file, 99_996, 4)));
  }),

  "punching a hole reads as zeros and gives the room back": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 4 * MEGABYTE);
    await client.fsync(file);
    const before = (await client.fstat(file)).blocks;
    await client.fallocate(file, "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", MEGABYTE, 2 * MEGABYTE);
    const status = await client.fstat(file);
    assertEquals(status.size, 4 * MEGABYTE);
    assert(status.blocks < before, `${status.blocks} blocks after, ${before} before`);
    for (const offset of [MEGABYTE, 2 * MEGABYTE, 3 * MEGABYTE - 10_000]) {
      assert(isZero(await client.pread(file, 10_000, offset)), `not zero at ${offset}`);
    }
    assertEquals(await client.differsFromPattern(file, 0, MEGABYTE), undefined);
    assertEquals(await client.differsFromPattern(file, 3 * MEGABYTE, MEGABYTE), undefined);
  }),

  "punching within a page and across the end zeroes those bytes alone": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 10_000);
    await client.fallocate(file, "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 100, 50);
    await client.fallocate(file, "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", 9000, 100_000);
    assertEquals((await client.fstat(file)).size, 10_000);
    assertEquals(await client.differsFromPattern(file, 0, 100), undefined);
    assert(isZero(await client.pread(file, 50, 100)));
    assertEquals(await client.differsFromPattern(file, 150, 8850), undefined);
    assert(isZero(await client.pread(file, 1000, 9000)));
  }),

  "fallocate refuses what makes no sense": test(async ({ client, start }) => {
    await using other = await start();
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDWR");
    await expectError("EINVAL", client.fallocate(file, 0, 0, 0));
    await expectError("EINVAL", client.fallocate(file, 0, -1, 10));
    await expectError("EINVAL", client.fallocate(file, 0, 0, -10));
    const reader = await client.open("file", "O_RDONLY");
    await expectError("EBADF", client.fallocate(reader, 0, 0, 10));
    const closed = await other.open("file", "O_RDWR");
    await other.close(closed);
    await expectError("EBADF", other.fallocate(closed, 0, 0, 10));
    await expectError(["EOPNOTSUPP", "EINVAL"], client.fallocate(file, "FALLOC_FL_PUNCH_HOLE", 0, 10));
    assertEquals((await client.fstat(file)).size, 4);
  }),

  "zeroing, cutting out and inserting a range do what they say or are not supported": test(async ({ client }) => {
    const [first, unit] = [64 * 1024, 64 * 1024];
    const effects = {
      "FALLOC_FL_ZERO_RANGE": { size: 4 * unit, behind: 2 * unit, was: 2 * unit },
      "FALLOC_FL_COLLAPSE_RANGE": { size: 3 * unit, behind: unit, was: 2 * unit },
      "FALLOC_FL_INSERT_RANGE": { size: 5 * unit, behind: 2 * unit, was: unit },
    };
    for (const [mode, { size, behind, was }] of Object.entries(effects)) {
      const file = await client.open("file", "O_RDWR|O_CREAT|O_TRUNC");
      await client.pwritePattern(file, 0, 4 * unit);
      const tail = await client.pread(file, 10_000, was);
      const outcome = await client.fallocate(file, mode, first, unit).then(() => "ok", (error) => error.code);
      assert(["ok", "EOPNOTSUPP"].includes(outcome), `${mode}: ${outcome}`);
      assertEquals(await client.differsFromPattern(file, 0, first), undefined, mode);
      assertEquals((await client.fstat(file)).size, outcome === "ok" ? size : 4 * unit, mode);
      if (outcome === "ok") assertEquals(await client.pread(file, 10_000, behind), tail, mode);
      if (outcome === "ok" && behind > first) assert(isZero(await client.pread(file, 10_000, first)), mode);
      await client.close(file);
    }
  }),

  "fallocate on a directory, a fifo or a device is refused": testAsRoot(async ({ client }) => {
    await client.mknod("fifo", "S_IFIFO");
    const fifo = await client.open("fifo", "O_RDWR");
    await expectError("ESPIPE", client.fallocate(fifo, 0, 0, 10));
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    await expectError(["EBADF", "EISDIR"], client.fallocate(directory, 0, 0, 10));
  }),

  "truncate cuts holes and data alike": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 10_000);
    await client.pwrite(file, "far", 10 * MEGABYTE);
    await client.ftruncate(file, 5 * MEGABYTE);
    await client.ftruncate(file, 11 * MEGABYTE);
    assert(isZero(await client.pread(file, 10_000, 10 * MEGABYTE - 5000)));
    assertEquals(await client.differsFromPattern(file, 0, 10_000), undefined);
  }),
};
