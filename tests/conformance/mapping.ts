/** mmap(2): what is written through a mapping is read as a file, and the other way round. */

import { assertEquals } from "../deps.ts";
import { decode, expectContent, expectError, expectTimes, type Subject, test, writeFile } from "./subject.ts";

const PAGE = 4096;
const BOTH = "PROT_READ|PROT_WRITE";

export const mapping: Subject = {
  "a mapping shows the file's bytes, and zeros behind its end": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDONLY");
    const mapped = await client.mmap(file, 0, PAGE, "PROT_READ", "MAP_SHARED");
    assertEquals(decode(await client.peek(mapped, 0, 6)), "data\0\0");
  }),

  "a write through a shared mapping is read here and elsewhere": test(async ({ client, start }) => {
    await using other = await start();
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 3 * PAGE);
    const mapped = await client.mmap(file, 0, 3 * PAGE, BOTH, "MAP_SHARED");
    await client.poke(mapped, PAGE + 10, "through the mapping");
    assertEquals(decode(await client.pread(file, 19, PAGE + 10)), "through the mapping");
    await client.msync(mapped);
    const theirs = await other.open("file", "O_RDONLY");
    assertEquals(decode(await other.pread(theirs, 19, PAGE + 10)), "through the mapping");
    assertEquals(await other.differsFromPattern(theirs, 0, PAGE + 10), undefined);
  }),

  "a write to the file shows in the mapping": test(async ({ client, start }) => {
    await using other = await start();
    await writeFile(client, "file", "0123456789");
    const file = await client.open("file", "O_RDWR");
    const mapped = await client.mmap(file, 0, PAGE, "PROT_READ", "MAP_SHARED");
    assertEquals(decode(await client.peek(mapped, 0, 4)), "0123");
    await client.pwrite(file, "XY", 1);
    assertEquals(decode(await client.peek(mapped, 0, 4)), "0XY3");
    const theirs = await other.open("file", "O_WRONLY");
    await other.pwrite(theirs, "Z", 0);
    assertEquals(decode(await client.peek(mapped, 0, 4)), "ZXY3");
  }),

  "two processes share a mapping": test(async ({ client, start }) => {
    await using other = await start();
    await writeFile(client, "file", "0".repeat(PAGE));
    const mine = await client.mmap(await client.open("file", "O_RDWR"), 0, PAGE, BOTH, "MAP_SHARED");
    const theirs = await other.mmap(await other.open("file", "O_RDWR"), 0, PAGE, BOTH, "MAP_SHARED");
    await client.poke(mine, 100, "from one");
    assertEquals(decode(await other.peek(theirs, 100, 8)), "from one");
    await other.poke(theirs, 100, "from two");
    assertEquals(decode(await client.peek(mine, 100, 8)), "from two");
  }),

  "a private mapping changes nothing": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDONLY");
    const mapped = await client.mmap(file, 0, PAGE, BOTH, "MAP_PRIVATE");
    await client.poke(mapped, 0, "XXXX");
    await client.munmap(mapped);
    await expectContent(client, "file", "data");
  }),

  "what was mapped and written is there after the end of the process": test(async ({ client, start }) => {
    {
      await using other = await start();
      const file = await other.open("file", "O_RDWR|O_CREAT");
      await other.ftruncate(file, 4 * PAGE);
      const mapped = await other.mmap(file, 0, 4 * PAGE, BOTH, "MAP_SHARED");
      await other.poke(mapped, 3 * PAGE, "kept");
    }
    const file = await client.open("file", "O_RDONLY");
    assertEquals(decode(await client.pread(file, 4, 3 * PAGE)), "kept");
    assertEquals((await client.fstat(file)).size, 4 * PAGE);
  }),

  "bytes written behind the end of the file do not make it longer": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_RDWR");
    const mapped = await client.mmap(file, 0, PAGE, BOTH, "MAP_SHARED");
    await client.poke(mapped, 0, "DATA and more");
    await client.msync(mapped);
    await client.munmap(mapped);
    await expectContent(client, "file", "DATA");
    assertEquals((await client.stat("file")).size, 4);
  }),

  "writing through a mapping moves mtime and ctime on": test(async ({ client }) => {
    await writeFile(client, "file", "0".repeat(PAGE));
    const file = await client.open("file", "O_RDWR");
    const mapped = await client.mmap(file, 0, PAGE, BOTH, "MAP_SHARED");
    await expectTimes(client, "file", ["mtime", "ctime"], async () => {
      await client.poke(mapped, 0, "changed");
      await client.msync(mapped);
    });
  }),

  "a mapping needs a handle that allows it": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const reader = await client.open("file", "O_RDONLY");
    const writer = await client.open("file", "O_WRONLY");
    await expectError("EACCES", client.mmap(reader, 0, PAGE, BOTH, "MAP_SHARED"));
    await expectError("EACCES", client.mmap(writer, 0, PAGE, "PROT_READ", "MAP_SHARED"));
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    await expectError("ENODEV", client.mmap(directory, 0, PAGE, "PROT_READ", "MAP_SHARED"));
  }),

  "a part of a large file is mapped from its offset": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 2 << 20);
    const mapped = await client.mmap(file, 1 << 20, 64 * PAGE, BOTH, "MAP_SHARED");
    assertEquals(await client.peek(mapped, 5000, 100), await client.pread(file, 100, (1 << 20) + 5000));
    await client.poke(mapped, 0, "here");
    await client.msync(mapped);
    assertEquals(decode(await client.pread(file, 4, 1 << 20)), "here");
    assertEquals(await client.differsFromPattern(file, 0, 1 << 20), undefined);
  }),
};
