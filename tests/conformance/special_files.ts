/** Fifos, sockets and device nodes: the filesystem keeps the node, the kernel does the rest. */

import { assertEquals } from "../deps.ts";
import { decode, expectError, expectTimes, type Subject, test, testAsRoot } from "./subject.ts";

const POLLIN = 0x001;
const POLLHUP = 0x010;

export const specialFiles: Subject = {
  "mknod takes the mode less the umask": test(async ({ client }) => {
    for (const [type, bits] of [["S_IFIFO", 0o010000], ["S_IFSOCK", 0o140000], ["S_IFREG", 0o100000]] as const) {
      for (const [mode, mask] of [[0o755, 0], [0o777, 0o022], [0o644, 0o077]] as const) {
        await client.umask(mask);
        await client.mknod("node", type, mode);
        assertEquals((await client.stat("node")).mode, bits | (mode & ~mask));
        await client.unlink("node");
      }
    }
  }),

  "mknod marks the directory changed and refuses taken names": test(async ({ client }) => {
    await expectTimes(client, ".", ["mtime", "ctime"], () => client.mknod("fifo", "S_IFIFO"));
    await expectError("EEXIST", client.mknod("fifo", "S_IFIFO"));
    await expectError("EEXIST", client.mknod("fifo", "S_IFREG"));
    await expectError(["EPERM", "EINVAL"], client.mknod("directory", "S_IFDIR"));
  }),

  "a fifo carries bytes from one process to another": test(async ({ client, start }) => {
    await using reader = await start();
    await client.mknod("fifo", "S_IFIFO");
    // Each open waits for the other.
    const [writing, reading] = await Promise.all([client.open("fifo", "O_WRONLY"), reader.open("fifo", "O_RDONLY")]);
    const received = reader.read(reading, 100);
    await client.write(writing, "hello");
    assertEquals(decode(await received), "hello");
    assertEquals(await reader.poll(reading, "POLLIN", 0), 0);
    await client.write(writing, "again");
    assertEquals(await reader.poll(reading, "POLLIN", 10_000), POLLIN);
    assertEquals(decode(await reader.read(reading, 2)), "ag");
    await client.close(writing);
    assertEquals(decode(await reader.read(reading, 100)), "ain");
    assertEquals((await reader.read(reading, 100)).length, 0);
    assertEquals(await reader.poll(reading, "POLLIN", 0), POLLHUP);
    assertEquals((await client.stat("fifo")).size, 0);
  }),

  "a fifo without a reader is ENXIO for who will not wait": test(async ({ client }) => {
    await client.mknod("fifo", "S_IFIFO");
    await expectError("ENXIO", client.open("fifo", "O_WRONLY|O_NONBLOCK"));
    const reading = await client.open("fifo", "O_RDONLY|O_NONBLOCK");
    const writing = await client.open("fifo", "O_WRONLY|O_NONBLOCK");
    await expectError("EAGAIN", client.read(reading, 1));
    await client.close(reading);
    await expectError("EPIPE", client.write(writing, "x"));
    await expectError("ESPIPE", client.lseek(writing, 0));
  }),

  "a wait for the other end of a fifo can be interrupted": test(async ({ client, start }) => {
    await using waiting = await start();
    await client.mknod("fifo", "S_IFIFO");
    const opened = waiting.open("fifo", "O_RDONLY");
    opened.catch(() => {});
    // Until the process waits, there is nothing that a signal could interrupt: ask again and again.
    const asking = setInterval(() => waiting.interrupt(), 10);
    try {
      await expectError("EINTR", opened);
    } finally {
      clearInterval(asking);
    }
  }),

  "a renamed or linked fifo is the same fifo": test(async ({ client, start }) => {
    await using reader = await start();
    await client.mknod("fifo", "S_IFIFO");
    await client.link("fifo", "link");
    const reading = await reader.open("fifo", "O_RDONLY|O_NONBLOCK");
    await client.rename("fifo", "renamed");
    const writing = await client.open("link", "O_WRONLY|O_NONBLOCK");
    await client.write(writing, "hello");
    assertEquals(decode(await reader.read(reading, 10)), "hello");
  }),

  "a socket is met at its name": test(async ({ client, start }) => {
    await using other = await start();
    const listening = await client.bind("socket");
    assertEquals((await client.stat("socket")).mode & 0o170000, 0o140000);
    await expectError("ECONNREFUSED", other.connect("socket"));
    await client.listen(listening);
    const [accepted, connected] = await Promise.all([client.accept(listening), other.connect("socket")]);
    await other.write(connected, "hello");
    assertEquals(decode(await client.read(accepted, 10)), "hello");
    await client.rename("socket", "renamed");
    await other.connect("renamed");
    await expectError("ENOENT", other.connect("socket"));
    await expectError("EADDRINUSE", client.bind("renamed"));
  }),

  "a socket is not opened as a file": test(async ({ client }) => {
    await client.mknod("socket", "S_IFSOCK");
    await expectError("ENXIO", client.open("socket", "O_RDWR"));
    await expectError("ECONNREFUSED", client.connect("socket"));
  }),

  "device nodes keep their numbers": testAsRoot(async ({ client }) => {
    for (const [type, bits] of [["S_IFCHR", 0o020000], ["S_IFBLK", 0o060000]] as const) {
      for (const [major, minor] of [[1, 3], [255, 255], [259, 70_000], [4095, 1_048_575]] as const) {
        await client.mknod("device", type, 0o600, major, minor);
        const status = await client.stat("device");
        assertEquals([status.mode, status.major, status.minor], [bits | 0o600, major, minor]);
        await client.unlink("device");
      }
    }
  }),

  "the device node 0/0 is one like others": testAsRoot(async ({ client }) => {
    for (const [type, bits] of [["S_IFCHR", 0o020000], ["S_IFBLK", 0o060000]] as const) {
      await client.mknod("device", type, 0o600, 0, 0);
      const status = await client.stat("device");
      assertEquals([status.mode, status.major, status.minor], [bits | 0o600, 0, 0]);
      await client.unlink("device");
    }
  }),

  "a device without a driver is ENXIO": testAsRoot(async ({ client }) => {
    await client.mknod("device", "S_IFCHR", 0o600, 4095, 4095);
    await expectError(["ENXIO", "EACCES", "ENODEV"], client.open("device", "O_RDONLY"));
  }),

  "truncating a fifo or a socket is refused": test(async ({ client }) => {
    await client.mknod("fifo", "S_IFIFO");
    await client.mknod("socket", "S_IFSOCK");
    await expectError("EINVAL", client.truncate("fifo", 0));
    await expectError("EINVAL", client.truncate("socket", 0));
  }),
};
