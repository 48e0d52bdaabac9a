/** What can be a name: any bytes but "/" and zero, up to 255 of them. */

import { assertEquals } from "../deps.ts";
import { decodeName } from "../../src/fs/names.ts";
import { encoder, expectContent, expectError, list, type Subject, test, writeFile } from "./subject.ts";

const LONGEST = "n".repeat(255);

export const names: Subject = {
  "a name of 255 bytes works everywhere, one of 256 nowhere": test(async ({ client }) => {
    const longer = `${LONGEST}n`;
    await writeFile(client, LONGEST, "data");
    assertEquals(await list(client, "."), [LONGEST]);
    await client.rename(LONGEST, `m${LONGEST.slice(1)}`);
    await client.rename(`m${LONGEST.slice(1)}`, LONGEST);
    await client.unlink(LONGEST);
    await client.mkdir(LONGEST);
    await writeFile(client, `${LONGEST}/${LONGEST}`, "deep");
    await expectContent(client, `${LONGEST}/${LONGEST}`, "deep");
    await client.symlink(LONGEST, `l${LONGEST.slice(1)}`);
    await writeFile(client, "file", "");
    const calls = {
      open: () => client.open(longer, "O_WRONLY|O_CREAT"),
      mkdir: () => client.mkdir(longer),
      rmdir: () => client.rmdir(longer),
      mknod: () => client.mknod(longer, "S_IFIFO"),
      symlink: () => client.symlink("target", longer),
      link: () => client.link("file", longer),
      "link from": () => client.link(longer, "new"),
      rename: () => client.rename("file", longer),
      "rename from": () => client.rename(longer, "new"),
      unlink: () => client.unlink(longer),
      stat: () => client.stat(longer),
      truncate: () => client.truncate(longer, 0),
      chmod: () => client.chmod(longer, 0o600),
      chown: () => client.chown(longer, -1, -1),
      utimensat: () => client.utimensat(longer, "UTIME_NOW", "UTIME_NOW"),
      "on the way": () => client.stat(`${longer}/file`),
    };
    for (const call of Object.values(calls)) await expectError("ENAMETOOLONG", call());
  }),

  "bytes are counted, not characters": test(async ({ client }) => {
    const name = "ü".repeat(127);
    await writeFile(client, name, "data");
    assertEquals(await list(client, "."), [name]);
    await expectError("ENAMETOOLONG", client.stat("ü".repeat(128)));
  }),

  "every byte but slash and zero can be in a name": test(async ({ client }) => {
    const made: string[] = [];
    for (let byte = 1; byte < 256; byte++) {
      if (byte === 0x2f) continue;
      const name = Uint8Array.of(0x61, byte, 0x62);
      await client.mknod(name, "S_IFREG");
      await client.stat(name);
      made.push(decodeName(name));
    }
    assertEquals(await list(client, "."), made.sort());
    for (const name of made) await client.unlink(name);
    assertEquals(await list(client, "."), []);
  }),

  "names that are not UTF-8 stay apart and keep their bytes": test(async ({ client }) => {
    // Broken, overlong, a surrogate, a lone continuation, Latin-1, U+FFFD itself, and its two forms of "é".
    const odd = [
      [0xc3],
      [0xff, 0xfe],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0x80],
      [0xe9],
      [0xef, 0xbf, 0xbd],
      [0xc3, 0xa9],
      [0x65, 0xcc, 0x81],
      [0xf5, 0x80, 0x80, 0x80],
      [0x61, 0xe2, 0x82],
    ].map((bytes) => Uint8Array.from(bytes));
    for (const [index, name] of odd.entries()) await writeFile(client, name, `content ${index}`);
    for (const [index, name] of odd.entries()) await expectContent(client, name, `content ${index}`);
    assertEquals(await list(client, "."), odd.map((name) => decodeName(name)).sort());
    for (const [index, name] of odd.entries()) {
      const target = Uint8Array.of(0xfe, ...name);
      await client.rename(name, target);
      await expectContent(client, target, `content ${index}`);
    }
  }),

  "symlink targets keep bytes that are not UTF-8": test(async ({ client }) => {
    const target = Uint8Array.of(0x61, 0xff, 0x2f, 0xc3, 0x28, 0x62);
    await client.symlink(target, "link");
    assertEquals(await client.readlink("link"), decodeName(target));
    assertEquals((await client.lstat("link")).size, target.length);
  }),

  "case and likeness do not matter: every name is its own": test(async ({ client }) => {
    const alike = [
      "name",
      "Name",
      "NAME",
      " name",
      "name ",
      "name.",
      ".name",
      "..name",
      "...",
      "-name",
      "~",
      "*",
      "\\",
    ];
    for (const name of alike) await writeFile(client, name, name);
    assertEquals(await list(client, "."), alike.toSorted());
    for (const name of alike) await expectContent(client, name, name);
  }),

  "names that JavaScript knows are plain names": test(async ({ client }) => {
    const known = ["__proto__", "constructor", "toString", "hasOwnProperty", "undefined", "null", "0", "-1", "NaN"];
    for (const name of known) await expectError("ENOENT", client.stat(name));
    for (const name of known) await writeFile(client, name, name);
    assertEquals(await list(client, "."), known.toSorted());
    for (const name of known) await client.unlink(name);
    assertEquals(await list(client, "."), []);
  }),

  "a path of 4095 bytes works, a longer one is ENAMETOOLONG": test(async ({ client }) => {
    await client.mkdir("d");
    await writeFile(client, "d/file", "data");
    assertEquals(encoder.encode(padded(4095)).length, 4095);
    assertEquals((await client.stat(padded(4095))).size, 4);
    await expectError("ENAMETOOLONG", client.stat(padded(4096)));
    await expectError("ENAMETOOLONG", client.open(padded(4096), "O_RDONLY"));
    await expectError("ENAMETOOLONG", client.mkdir(padded(4096)));
    await expectError("ENAMETOOLONG", client.rename("d/file", padded(4096)));
  }),

  "a path of many long names works": test(async ({ client }) => {
    const part = "p".repeat(250);
    let path = part;
    for (let depth = 1; depth < 16; depth++, path += `/${part}`) await client.mkdir(path);
    await writeFile(client, `${path.slice(0, path.lastIndexOf("/"))}/file`, "data");
    assertEquals(path.length > 4000, true);
  }),

  "repeated slashes count as one, a trailing one asks for a directory": test(async ({ client }) => {
    await client.mkdir("directory");
    await writeFile(client, "directory/file", "data");
    await expectContent(client, "directory///file", "data");
    await client.stat("directory/");
    await expectError("ENOTDIR", client.stat("directory/file/"));
    await client.mkdir("new/");
    await client.rmdir("new/");
    await expectError("EISDIR", client.open("made/", "O_WRONLY|O_CREAT"));
  }),

  "the empty name is nothing": test(async ({ client }) => {
    await expectError("ENOENT", client.stat(""));
    await expectError("ENOENT", client.mkdir(""));
    await expectError("ENOENT", client.open("", "O_RDONLY"));
    await expectError("ENOENT", client.unlink(""));
    await expectError("ENOENT", client.rename("", "x"));
  }),
};

/** A path to d/file of exactly `length` bytes, made longer by dots and slashes. */
function padded(length: number): string {
  const end = "d/file";
  const room = length - end.length;
  return "./".repeat(Math.floor(room / 2)) + "/".repeat(room % 2) + end;
}
