/** Extended attributes, in the "user" namespace and, as root, in "trusted". */

import { assertEquals } from "../deps.ts";
import { ALICE, decode, expectError, expectTimes, list, type Subject, test, testAsRoot, writeFile } from "./subject.ts";

export const extendedAttributes: Subject = {
  "a value that was set is got back, byte for byte": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await client.setxattr("file", "user.bytes", everyByte);
    await client.setxattr("file", "user.text", "hello");
    await client.setxattr("file", "user.empty", "");
    assertEquals(await client.getxattr("file", "user.bytes"), everyByte);
    assertEquals(decode(await client.getxattr("file", "user.text")), "hello");
    assertEquals((await client.getxattr("file", "user.empty")).length, 0);
  }),

  "setting again replaces, the flags insist": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await expectError("ENODATA", client.setxattr("file", "user.name", "x", "XATTR_REPLACE"));
    await client.setxattr("file", "user.name", "one", "XATTR_CREATE");
    await expectError("EEXIST", client.setxattr("file", "user.name", "two", "XATTR_CREATE"));
    await client.setxattr("file", "user.name", "much longer than before", "XATTR_REPLACE");
    await client.setxattr("file", "user.name", "three");
    assertEquals(decode(await client.getxattr("file", "user.name")), "three");
    await expectError("EINVAL", client.setxattr("file", "user.name", "x", 99));
  }),

  "the list names all that are set": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const users = async () => (await client.listxattr("file")).filter((name) => name.startsWith("user."));
    assertEquals(await users(), []);
    const names = Array.from({ length: 20 }, (_, index) => `user.name${index}`);
    for (const name of names) await client.setxattr("file", name, "v");
    assertEquals((await users()).sort(), names.toSorted());
    await client.removexattr("file", "user.name7");
    assertEquals((await users()).length, 19);
  }),

  "a missing attribute is ENODATA": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await expectError("ENODATA", client.getxattr("file", "user.missing"));
    await expectError("ENODATA", client.removexattr("file", "user.missing"));
    await expectError("ENOENT", client.getxattr("missing", "user.name"));
  }),

  "a call without a buffer tells the size, one too short is ERANGE": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.setxattr("file", "user.name", "0123456789");
    assertEquals(await client.getxattrSize("file", "user.name"), 10);
    await expectError("ERANGE", client.getxattr("file", "user.name", 9));
    assertEquals(decode(await client.getxattr("file", "user.name", 10)), "0123456789");
    const size = await client.listxattrSize("file");
    assertEquals(size >= "user.name".length + 1, true);
    await expectError("ERANGE", client.listxattr("file", size - 1));
    assertEquals((await client.listxattr("file", size)).includes("user.name"), true);
  }),

  "directories have them, symlinks, fifos and sockets have none of the user's": test(async ({ client }) => {
    await client.mkdir("directory");
    await client.setxattr("directory", "user.name", "value");
    assertEquals(decode(await client.getxattr("directory", "user.name")), "value");
    await client.symlink("directory", "link");
    await expectError("EPERM", client.lsetxattr("link", "user.name", "x"));
    await client.mknod("fifo", "S_IFIFO");
    await expectError("EPERM", client.setxattr("fifo", "user.name", "x"));
    await client.mknod("socket", "S_IFSOCK");
    await expectError("EPERM", client.setxattr("socket", "user.name", "x"));
  }),

  "a symlink is followed unless the call says not to": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.symlink("file", "link");
    await client.setxattr("link", "user.name", "value");
    assertEquals(decode(await client.getxattr("file", "user.name")), "value");
    await expectError(["ENODATA", "EPERM"], client.lgetxattr("link", "user.name"));
    assertEquals((await client.llistxattr("link")).includes("user.name"), false);
  }),

  "a handle gets and sets them": test(async ({ client }) => {
    const file = await client.open("file", "O_RDWR|O_CREAT");
    await client.fsetxattr(file, "user.name", "value");
    await client.unlink("file");
    assertEquals(decode(await client.fgetxattr(file, "user.name")), "value");
  }),

  "they belong to the file, not to the name": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.setxattr("file", "user.name", "value");
    await client.link("file", "link");
    await client.rename("file", "renamed");
    assertEquals(decode(await client.getxattr("link", "user.name")), "value");
    assertEquals(decode(await client.getxattr("renamed", "user.name")), "value");
    await client.unlink("link");
    await client.unlink("renamed");
    await writeFile(client, "file", "data");
    await expectError("ENODATA", client.getxattr("file", "user.name"));
  }),

  "setting and removing move the ctime on": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await expectTimes(client, "file", ["ctime"], () => client.setxattr("file", "user.name", "value"));
    await expectTimes(client, "file", [], () => client.getxattr("file", "user.name"));
    await expectTimes(client, "file", ["ctime"], () => client.removexattr("file", "user.name"));
  }),

  "names have up to 255 bytes and a known namespace": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    const longest = `user.${"n".repeat(250)}`;
    await client.setxattr("file", longest, "value");
    assertEquals((await client.listxattr("file")).includes(longest), true);
    await expectError("ERANGE", client.setxattr("file", `${longest}n`, "value"));
    await expectError("ERANGE", client.setxattr("file", "", "value"));
    await client.setxattr("file", "user.ünïcode name", "value");
    assertEquals((await client.listxattr("file")).includes("user.ünïcode name"), true);
  }),

  "another process sees them": test(async ({ client, start }) => {
    await using other = await start();
    await writeFile(client, "file", "data");
    await client.setxattr("file", "user.name", "one");
    assertEquals(decode(await other.getxattr("file", "user.name")), "one");
    await other.setxattr("file", "user.name", "two");
    assertEquals(decode(await client.getxattr("file", "user.name")), "two");
  }),

  "reading them needs read permission, setting write permission": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o600);
    await client.setxattr("file", "user.name", "value");
    await expectError("EACCES", alice.getxattr("file", "user.name"));
    await client.chmod("file", 0o644);
    assertEquals(decode(await alice.getxattr("file", "user.name")), "value");
    await expectError("EACCES", alice.setxattr("file", "user.name", "x"));
    await expectError("EACCES", alice.removexattr("file", "user.name"));
    await client.chmod("file", 0o666);
    await alice.setxattr("file", "user.name", "hers");
  }),

  "trusted attributes are root's alone": testAsRoot(async ({ client, start }) => {
    await using alice = await start(ALICE);
    await writeFile(client, "file", "data", 0o666);
    await client.setxattr("file", "trusted.name", "value");
    assertEquals(decode(await client.getxattr("file", "trusted.name")), "value");
    await expectError("EPERM", alice.setxattr("file", "trusted.name", "x"));
    await expectError("ENODATA", alice.getxattr("file", "trusted.name"));
    assertEquals((await client.listxattr("file")).includes("trusted.name"), true);
  }),

  "they do not show as files": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.setxattr("file", "user.name", "value");
    assertEquals(await list(client, "."), ["file"]);
  }),
};
