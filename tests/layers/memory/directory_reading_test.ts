/** Reading directories of the memory filesystem in pieces, while they change. */
import type { DirectoryEntry } from "../../../src/fs/filesystem.ts";
import { assert, assertEquals } from "../../deps.ts";
import { assertErrno } from "../../support/assert_errno.ts";
import { MemoryMount } from "./memory_mount.ts";

/** Reads on as the library does: takes what fits, of which it learns by getting one entry too many. */
function readPiece(mount: MemoryMount, handle: number, offset: number, fitting: number): DirectoryEntry[] {
  const taken: DirectoryEntry[] = [];
  for (const entry of mount.filesystem.readDirectory(1, handle, offset)) {
    if (taken.length === fitting) break;
    taken.push(entry);
  }
  return taken;
}

/** Reads the root to its end, and calls `between` after each piece. */
function readAll(mount: MemoryMount, fitting: number, between: (piece: number) => void = () => {}): string[] {
  const handle = mount.filesystem.openDirectory(1).handle!;
  const names: string[] = [];
  let offset = 0;
  for (let number = 0;; number++) {
    const piece = readPiece(mount, handle, offset, fitting);
    if (piece.length === 0) break;
    names.push(...piece.map(({ name }) => name));
    offset = piece.at(-1)!.offset;
    between(number);
  }
  mount.filesystem.releaseDirectory(1, handle);
  return names;
}

function fill(mount: MemoryMount, count: number): string[] {
  const names = Array.from({ length: count }, (_, number) => `file-${number}`);
  for (const name of names) mount.file(name);
  return names;
}

Deno.test("a listing shows every entry with its inode, type and a growing offset", () => {
  const mount = new MemoryMount();
  const names = fill(mount, 3);
  mount.directory("directory");
  const entries = mount.list();
  assertEquals(entries.map(({ name }) => name), [".", "..", ...names, "directory"]);
  for (const { name, inode, mode } of entries) {
    const { inode: expected, mode: type } = mount.stat(mount.find(name)!);
    assertEquals([name, inode, mode], [name, expected, type]);
  }
  assert(entries.every(({ offset }, index) => offset > (entries[index - 1]?.offset ?? 0)));
});

Deno.test("readdirplus has what lookup would return, except for dot and dot-dot", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  const handle = mount.filesystem.openDirectory(1).handle!;
  const entries = [...mount.filesystem.readDirectoryPlus(1, handle, 0)];
  assertEquals(entries.map(({ entry }) => entry?.node), [undefined, undefined, file]);
  assertEquals(entries[2]!.entry!.attributes.mode, mount.stat(file).mode);
});

Deno.test("any size of piece shows the same", async (test) => {
  const mount = new MemoryMount();
  const expected = [".", "..", ...fill(mount, 50)];
  for (const fitting of [1, 2, 3, 7, 51, 52, 53]) {
    await test.step(`${fitting} at a time`, () => assertEquals(readAll(mount, fitting), expected));
  }
});

Deno.test("20,000 entries read in pieces while others come and go are each shown once", () => {
  const mount = new MemoryMount();
  const staying: string[] = [];
  for (const name of fill(mount, 20_000)) {
    if (Number(name.slice(5)) % 3 !== 0) staying.push(name);
  }
  const read = readAll(mount, 99, (piece) => {
    for (let number = piece * 297; number < Math.min(20_000, (piece + 1) * 297); number += 3) {
      if (number % 2 === 0) mount.filesystem.unlink(1, `file-${number}`);
      else mount.rename(1, `file-${number}`, 1, `renamed-${number}`);
      mount.file(`new-${number}`);
    }
  });
  const shown = new Set(read);
  assertEquals(shown.size, read.length);
  assertEquals(staying.filter((name) => !shown.has(name)), []);
});

Deno.test("the entry that did not fit is left out when it is removed meanwhile", () => {
  const mount = new MemoryMount();
  fill(mount, 5);
  const names = readAll(mount, 3, (piece) => {
    if (piece === 0) mount.filesystem.unlink(1, "file-1");
  });
  assertEquals(names, [".", "..", "file-0", "file-2", "file-3", "file-4"]);
});

Deno.test("a program that renames each file it finds comes to an end", () => {
  const mount = new MemoryMount();
  fill(mount, 10);
  let renamed = 0;
  const names = readAll(mount, 1, () => {
    const next = mount.list()[2]!.name;
    mount.rename(1, next, 1, `renamed-${renamed++}`);
    assert(renamed < 100);
  });
  assertEquals(new Set(names).size, names.length);
});

Deno.test("a listing goes back to any offset, and to the start to see what is new", () => {
  const mount = new MemoryMount();
  fill(mount, 10);
  const handle = mount.filesystem.openDirectory(1).handle!;
  const first = readPiece(mount, handle, 0, 100);
  assertEquals(readPiece(mount, handle, first[4]!.offset, 2), first.slice(5, 7));
  assertEquals(readPiece(mount, handle, first[8]!.offset, 100), first.slice(9));
  mount.filesystem.unlink(1, first[6]!.name);
  assertEquals(readPiece(mount, handle, first[6]!.offset, 1), first.slice(7, 8));
  mount.file("new");
  assertEquals(readPiece(mount, handle, 0, 100).at(-1)!.name, "new");
});

Deno.test("an entry that is replaced or exchanged keeps its place", () => {
  const mount = new MemoryMount();
  fill(mount, 3);
  const { offset } = mount.list()[3]!;
  mount.rename(1, "file-2", 1, "file-1");
  assertEquals(mount.list().map((entry) => [entry.name, entry.offset]).at(-1), ["file-1", offset]);
});

Deno.test("a handle that was released is not known any more", () => {
  const mount = new MemoryMount();
  const handle = mount.filesystem.openDirectory(1).handle!;
  mount.filesystem.releaseDirectory(1, handle);
  assertErrno("EBADF", () => mount.filesystem.readDirectory(1, handle, 0));
});
