/** Bytes in files: reading, writing, positions, sizes. */

import { assertEquals } from "../deps.ts";
import { decode, expectContent, expectError, readFile, type Subject, test, testAsRoot, writeFile } from "./subject.ts";
import type { PosixClient } from "../support/posix_client.ts";

const MEGABYTE = 1 << 20;

export const files: Subject = {
  "what was written is read back": test(async ({ client }) => {
    await writeFile(client, "file", "hello");
    await expectContent(client, "file", "hello");
    assertEquals((await client.stat("file")).size, 5);
  }),

  "another process reads what this one wrote": test(async ({ client, start }) => {
    await using other = await start();
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "first");
    await expectContent(other, "file", "first");
    await client.pwrite(file, "secon", 0);
    await expectContent(other, "file", "secon");
    const second = await other.open("file", "O_WRONLY");
    await other.pwrite(second, "d!", 5);
    assertEquals(decode(await client.pread(file, 100, 0)), "second!");
  }),

  "a large file keeps every byte": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 5 * MEGABYTE + 123);
    assertEquals((await client.fstat(file)).size, 5 * MEGABYTE + 123);
    assertEquals(await client.differsFromPattern(file, 0, 5 * MEGABYTE + 123), undefined);
  }),

  "writes of any size at any place leave the rest alone": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 300_000, 1);
    const overwritten = [[0, 1], [4095, 2], [8191, 4098], [65_535, 65_538], [131_072, 1], [299_999, 1]] as const;
    for (const [offset, size] of overwritten) await client.pwritePattern(file, offset, size, 2);
    let position = 0;
    for (const [offset, size] of overwritten) {
      assertEquals(await client.differsFromPattern(file, position, offset - position, 1), undefined);
      assertEquals(await client.differsFromPattern(file, offset, size, 2), undefined);
      position = offset + size;
    }
  }),

  "a read ends at the end of the file": test(async ({ client }) => {
    await writeFile(client, "file", "0123456789");
    const file = await client.open("file", "O_RDONLY");
    assertEquals(decode(await client.read(file, 4)), "0123");
    assertEquals(decode(await client.read(file, 100)), "456789");
    assertEquals(decode(await client.read(file, 100)), "");
    assertEquals(decode(await client.pread(file, 4, 8)), "89");
    assertEquals(decode(await client.pread(file, 4, 10)), "");
    assertEquals(decode(await client.pread(file, 4, 1 << 30)), "");
  }),

  "read and write share a position, pread and pwrite do not move it": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "abcdef");
    await client.pwrite(file, "X", 1);
    assertEquals(await client.lseek(file, 0, "SEEK_CUR"), 6);
    await client.lseek(file, 2);
    assertEquals(decode(await client.read(file, 2)), "cd");
    await client.pread(file, 6, 0);
    await client.write(file, "Y");
    await expectContent(client, "file", "aXcdYf");
  }),

  "two opens have positions of their own, a dup shares one": test(async ({ client }) => {
    await writeFile(client, "file", "abcdef");
    const first = await client.open("file", "O_RDONLY");
    const second = await client.open("file", "O_RDONLY");
    const copy = await client.dup(first);
    assertEquals(decode(await client.read(first, 2)), "ab");
    assertEquals(decode(await client.read(second, 2)), "ab");
    assertEquals(decode(await client.read(copy, 2)), "cd");
    await client.close(first);
    assertEquals(decode(await client.read(copy, 2)), "ef");
  }),

  "lseek counts from the start, the position and the end": test(async ({ client }) => {
    await writeFile(client, "file", "0123456789");
    const file = await client.open("file", "O_RDONLY");
    assertEquals(await client.lseek(file, 3), 3);
    assertEquals(await client.lseek(file, 4, "SEEK_CUR"), 7);
    assertEquals(await client.lseek(file, -2, "SEEK_END"), 8);
    assertEquals(await client.lseek(file, 50, "SEEK_END"), 60);
    await expectError("EINVAL", client.lseek(file, -1));
    await expectError("EINVAL", client.lseek(file, 0, 99));
    assertEquals(await client.lseek(file, 0, "SEEK_CUR"), 60);
  }),

  "O_APPEND writes at the end wherever the position is": test(async ({ client }) => {
    await writeFile(client, "file", "base-");
    const file = await client.open("file", "O_RDWR|O_APPEND");
    await client.lseek(file, 0);
    await client.write(file, "one-");
    assertEquals(await client.lseek(file, 0, "SEEK_CUR"), 9);
    await writeFile(client, "file", "shorter-");
    await client.write(file, "two");
    await expectContent(client, "file", "shorter-two");
  }),

  "a file grown by truncate reads as zeros, a shrunken one has lost its end": test(async ({ client }) => {
    await writeFile(client, "file", "0123456789");
    await client.truncate("file", 4);
    await expectContent(client, "file", "0123");
    await client.truncate("file", 8);
    await expectContent(client, "file", "0123\0\0\0\0");
    await client.truncate("file", 0);
    await expectContent(client, "file", "");
  }),

  "ftruncate shrinks across pages and what is behind comes back as zeros": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.pwritePattern(file, 0, 20_000);
    await client.ftruncate(file, 5000);
    await client.ftruncate(file, 20_000);
    assertEquals(await client.differsFromPattern(file, 0, 5000), undefined);
    const tail = await client.pread(file, 15_000, 5000);
    assertEquals([tail.length, tail.every((byte) => byte === 0)], [15_000, true]);
  }),

  "truncate does not move the position": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "0123456789");
    await client.ftruncate(file, 3);
    assertEquals(await client.lseek(file, 0, "SEEK_CUR"), 10);
    await client.write(file, "x");
    await expectContent(client, "file", "012\0\0\0\0\0\0\0x");
  }),

  "truncate and ftruncate refuse what they cannot do": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.mkdir("directory");
    await expectError("EINVAL", client.truncate("file", -1));
    await expectError("EISDIR", client.truncate("directory", 0));
    await expectError("ENOENT", client.truncate("missing", 0));
    const reader = await client.open("file", "O_RDONLY");
    await expectError("EINVAL", client.ftruncate(reader, 0));
    const writer = await client.open("file", "O_WRONLY");
    await expectError("EINVAL", client.ftruncate(writer, -1));
    await expectContent(client, "file", "data");
  }),

  "a handle serves only the ways it was opened for": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const reader = await client.open("file", "O_RDONLY");
    const writer = await client.open("file", "O_WRONLY");
    await expectError("EBADF", client.write(reader, "x"));
    await expectError("EBADF", client.read(writer, 1));
    await client.close(reader);
    await expectError("EBADF", client.read(reader, 1));
  }),

  "a write of nothing changes nothing": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const file = await client.open("file", "O_WRONLY");
    assertEquals(await client.pwrite(file, "", 100), 0);
    assertEquals((await client.stat("file")).size, 4);
  }),

  "fsync, fdatasync and syncfs succeed on files and directories": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.write(file, "data");
    await client.fsync(file);
    await client.fdatasync(file);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    await client.fsync(directory);
    await client.syncfs(directory);
    await expectContent(client, "file", "data");
  }),

  "synchronous writes are written": test(async ({ client }) => {
    for (const flag of ["O_SYNC", "O_DSYNC"]) {
      const file = await client.open("file", `O_RDWR|O_CREAT|O_TRUNC|${flag}`);
      assertEquals(await client.write(file, flag), flag.length);
      await expectContent(client, "file", flag);
      await client.close(file);
    }
  }),

  "O_DIRECT, where there is such a thing, reads and writes the same bytes": test(async ({ client }) => {
    await writeFile(client, "file", "");
    const buffered = await client.open("file", "O_RDWR");
    const direct = await client.open("file", "O_RDWR|O_DIRECT").catch((error) => error.code);
    if (typeof direct !== "number") return assertEquals(direct, "EINVAL");
    await client.pwritePattern(direct, 0, 128 * 1024, 1);
    assertEquals(await client.differsFromPattern(buffered, 0, 128 * 1024, 1), undefined);
    await client.pwritePattern(buffered, 4096, 8192, 2);
    assertEquals(await client.differsFromPattern(direct, 4096, 8192, 2), undefined);
    assertEquals((await client.fstat(direct)).size, 128 * 1024);
  }),

  "copy_file_range copies within and between files": test(async ({ client }) => {
    await writeFile(client, "from", "0123456789");
    const from = await client.open("from", "O_RDWR");
    const to = await client.open("to", "O_RDWR|O_CREAT");
    assertEquals(await client.copyFileRange(from, 2, to, 5, 4), 4);
    assertEquals(await readFile(client, "to"), "\0\0\0\0\x002345");
    assertEquals(await client.copyFileRange(from, 8, to, 0, 100), 2);
    assertEquals(await client.copyFileRange(from, 10, to, 0, 100), 0);
    assertEquals(await client.copyFileRange(from, 0, from, 10, 5), 5);
    assertEquals(await readFile(client, "from"), "012345678901234");
    await expectError("EINVAL", client.copyFileRange(from, 0, from, 2, 5));
    const reader = await client.open("to", "O_RDONLY");
    await expectError("EBADF", client.copyFileRange(from, 0, reader, 0, 1));
  }),

  "copy_file_range copies a large file": test(async ({ client }) => {
    const from = await client.open("from", "O_RDWR|O_CREAT");
    const to = await client.open("to", "O_RDWR|O_CREAT");
    const size = 3 * MEGABYTE + 77;
    await client.pwritePattern(from, 0, size);
    for (let done = 0; done < size;) done += await client.copyFileRange(from, done, to, done, size - done);
    assertEquals(await client.differsFromPattern(to, 0, size), undefined);
    assertEquals((await client.fstat(to)).size, size);
  }),

  "a regular file is always ready to be read and written": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    assertEquals(await client.poll(file, "POLLIN|POLLOUT", 0), 5);
  }),

  "a program in the directory runs": test(async ({ client }) => {
    await copyProgram(client, "/bin/true", "program");
    assertEquals(await client.waitpid(await client.spawn("./program")), 0);
    await client.chmod("program", 0o644);
    await expectError("EACCES", client.spawn("./program"));
  }),

  "a running program is not written to, and a file open for writing is not run": test(async ({ client }) => {
    await copyProgram(client, "/bin/sleep", "program");
    const running = await client.spawn("./program", "60");
    await expectError("ETXTBSY", client.open("program", "O_WRONLY"));
    await expectError("ETXTBSY", client.truncate("program", 1));
    await client.killProcess(running);
    assertEquals(await client.waitpid(running), 128 + 9);
    const writer = await client.open("program", "O_WRONLY");
    await expectError("ETXTBSY", client.spawn("./program"));
    await client.close(writer);
  }),

  "a refused O_TRUNC of a running program leaves the program whole": test(async ({ client }) => {
    await copyProgram(client, "/bin/sleep", "program");
    const { size } = await client.stat("program");
    const running = await client.spawn("./program", "60");
    for (const mode of ["O_WRONLY", "O_RDWR", "O_RDONLY"]) {
      await expectError("ETXTBSY", client.open("program", `${mode}|O_TRUNC`));
      assertEquals((await client.stat("program")).size, size, mode);
    }
    await client.killProcess(running);
    await client.waitpid(running);
  }),

  "a size that no file can have is EFBIG or EINVAL and changes nothing": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    // Some filesystems hold a file of nearly 2^63 bytes, others say how much is too much.
    const outcome = await client.truncate("file", 2 ** 62).then(() => "ok", (error) => error.code);
    assertEquals((await client.fstat(file)).size, outcome === "ok" ? 2 ** 62 : 0);
    assertEquals(["ok", "EFBIG", "EINVAL"].includes(outcome), true, outcome);
  }),

  "root writes to a file whatever its mode": testAsRoot(async ({ client }) => {
    await writeFile(client, "file", "data", 0o000);
    await writeFile(client, "file", "other");
    await expectContent(client, "file", "other");
  }),
};

async function copyProgram(client: PosixClient, from: string, to: string) {
  const source = await client.open(from, "O_RDONLY");
  const target = await client.open(to, "O_WRONLY|O_CREAT", 0o755);
  while (true) {
    const data = await client.read(source, 1 << 20);
    if (data.length === 0) break;
    await client.write(target, data);
  }
  await client.close(source);
  await client.close(target);
}
