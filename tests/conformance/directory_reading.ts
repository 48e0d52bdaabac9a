/** Reading directories: in pieces, while they change, from remembered positions. */

import { assert, assertEquals } from "../deps.ts";
import type { DirectoryEntry, PosixClient } from "../support/posix_client.ts";
import {
  expectError,
  isDot,
  KINDS,
  KINDS_FOR_ALL,
  list,
  make,
  readToEnd,
  type Subject,
  test,
  testAsRoot,
} from "./subject.ts";

/** A buffer that holds a handful of entries. */
const SMALL = 300;

async function makeFiles(client: PosixClient, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => client.mknod(name, "S_IFREG")));
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(5, "0")}`);
}

function namesOf(entries: readonly DirectoryEntry[]): string[] {
  return entries.map(({ name }) => name).filter((name) => !isDot(name)).sort();
}

export const directoryReading: Subject = {
  "an empty directory shows dot and dot-dot": test(async ({ client }) => {
    await client.mkdir("directory");
    const directory = await client.open("directory", "O_RDONLY|O_DIRECTORY");
    const entries = await readToEnd(client, directory);
    assertEquals(entries.map(({ name }) => name).sort(), [".", ".."]);
    assertEquals(await client.getdents(directory), []);
  }),

  "entries tell the inode and the type that stat tells": testAsRoot(async ({ client }) => {
    for (const kind of KINDS) await make(client, kind, kind);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    for (const entry of await readToEnd(client, directory)) {
      if (entry.name === "..") continue;
      const status = await client.lstat(entry.name);
      assertEquals([entry.inode, entry.type], [status.inode, status.mode >> 12], entry.name);
    }
  }),

  "entries tell types for an ordinary user too": test(async ({ client }) => {
    for (const kind of KINDS_FOR_ALL) await make(client, kind, kind);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const entries = (await readToEnd(client, directory)).filter(({ name }) => !isDot(name));
    assertEquals(entries.length, KINDS_FOR_ALL.length);
    for (const { name, type } of entries) assertEquals(type, (await client.lstat(name)).mode >> 12, name);
  }),

  "two thousand entries are each shown once, whatever the buffer": test(async ({ client }) => {
    // More than the largest buffer holds.
    const names = numbered("entry", 2000);
    await makeFiles(client, names);
    for (const size of [SMALL, 4096, 65_536]) {
      const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
      assertEquals(namesOf(await readToEnd(client, directory, size)), names);
      await client.close(directory);
    }
  }),

  "entries that stay are shown once while others come and go": test(async ({ client, start }) => {
    await using other = await start();
    const staying = numbered("staying", 500);
    const leaving = numbered("leaving", 500);
    await makeFiles(client, [...staying, ...leaving]);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const entries: DirectoryEntry[] = [];
    for (let round = 0;; round++) {
      const piece = await client.getdents(directory, SMALL);
      if (piece.length === 0) break;
      entries.push(...piece);
      const gone = leaving.splice(0, 5);
      await Promise.all([
        ...gone.map((name) => other.unlink(name)),
        ...(round < 200 ? numbered(`coming-${round}`, 3).map((name) => other.mknod(name, "S_IFREG")) : []),
      ]);
    }
    const shown = namesOf(entries);
    assertEquals(shown.filter((name) => name.startsWith("staying")), staying);
    assertEquals(new Set(shown).size, shown.length, "an entry was shown twice");
  }),

  "removing each entry as it is shown empties the directory": test(async ({ client }) => {
    await client.mkdir("directory");
    await makeFiles(client, numbered("directory/entry", 1000));
    const directory = await client.open("directory", "O_RDONLY|O_DIRECTORY");
    let shown = 0;
    while (true) {
      const piece = (await client.getdents(directory, SMALL)).filter(({ name }) => !isDot(name));
      await Promise.all(piece.map(({ name }) => client.unlink(`directory/${name}`)));
      shown += piece.length;
      if (piece.length === 0 && (await client.getdents(directory, SMALL)).length === 0) break;
    }
    assertEquals(shown, 1000);
    await client.rmdir("directory");
  }),

  "renaming entries while reading hides none that stay": test(async ({ client, start }) => {
    await using other = await start();
    const staying = numbered("staying", 200);
    const renamed = numbered("renamed", 200);
    await makeFiles(client, [...staying, ...renamed]);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const entries: DirectoryEntry[] = [];
    for (let at = 0;; at++) {
      const piece = await client.getdents(directory, SMALL);
      if (piece.length === 0) break;
      entries.push(...piece);
      const name = renamed[at];
      if (name !== undefined) await other.rename(name, `again-${name}`);
    }
    assertEquals(namesOf(entries).filter((name) => name.startsWith("staying")), staying);
  }),

  "going back to a remembered position shows what followed it": test(async ({ client }) => {
    await makeFiles(client, numbered("entry", 300));
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const first = await readToEnd(client, directory, SMALL);
    for (const at of [0, 1, 7, 150, 298, 301]) {
      await client.lseek(directory, first[at]!.position);
      const again = await readToEnd(client, directory, SMALL);
      assertEquals(again.map(({ name }) => name), first.slice(at + 1).map(({ name }) => name), `after entry ${at}`);
    }
  }),

  "a remembered position outlives the removal of its entry": test(async ({ client }) => {
    await makeFiles(client, numbered("entry", 100));
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const first = await readToEnd(client, directory, SMALL);
    const middle = first.findIndex(({ name }, at) => at >= 40 && !isDot(name));
    await client.unlink(first[middle]!.name);
    await client.lseek(directory, first[middle]!.position);
    const rest = await readToEnd(client, directory, SMALL);
    assertEquals(namesOf(rest), namesOf(first.slice(middle + 1)));
  }),

  "rewinding shows the directory as it is now": test(async ({ client }) => {
    await makeFiles(client, ["a", "b", "c"]);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    assertEquals(namesOf(await readToEnd(client, directory)), ["a", "b", "c"]);
    await client.unlink("b");
    await client.mkdir("d");
    await client.lseek(directory, 0);
    assertEquals(namesOf(await readToEnd(client, directory)), ["a", "c", "d"]);
  }),

  "two handles read on their own": test(async ({ client }) => {
    await makeFiles(client, numbered("entry", 50));
    const first = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const second = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const [seenByFirst, seenBySecond]: [DirectoryEntry[], DirectoryEntry[]] = [[], []];
    for (let turn = 0; turn < 100; turn++) {
      seenByFirst.push(...await client.getdents(first, SMALL));
      seenBySecond.push(...await client.getdents(second, SMALL * 2));
    }
    assertEquals(namesOf(seenByFirst), numbered("entry", 50));
    assertEquals(namesOf(seenBySecond), numbered("entry", 50));
  }),

  "a buffer too small for one entry is EINVAL": test(async ({ client }) => {
    await client.mknod("x".repeat(200), "S_IFREG");
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    await expectError("EINVAL", client.getdents(directory, 8));
  }),

  "reading entries of a file is ENOTDIR": test(async ({ client }) => {
    await client.mknod("file", "S_IFREG");
    const file = await client.open("file", "O_RDONLY");
    await expectError("ENOTDIR", client.getdents(file));
  }),

  "another process sees entries come and go": test(async ({ client, start }) => {
    await using other = await start();
    assertEquals(await list(other, "."), []);
    await client.mkdir("directory");
    await client.symlink("x", "link");
    assertEquals(await list(other, "."), ["directory", "link"]);
    await client.rename("link", "renamed");
    await client.rmdir("directory");
    assertEquals(await list(other, "."), ["renamed"]);
  }),

  "names of every length are shown whole": test(async ({ client }) => {
    const names = Array.from({ length: 255 }, (_, index) => "n".repeat(index + 1));
    await makeFiles(client, names);
    const directory = await client.open(".", "O_RDONLY|O_DIRECTORY");
    const shown = namesOf(await readToEnd(client, directory, 600));
    assertEquals(shown, names);
    assert(shown.at(-1)!.length === 255);
  }),
};
