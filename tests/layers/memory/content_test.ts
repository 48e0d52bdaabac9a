/** The content of files in the memory filesystem: bytes, holes, and the space they take. */
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../../src/fs/flags.ts";
import { assert, assertEquals } from "../../deps.ts";
import { assertErrno } from "../../support/assert_errno.ts";
import { MemoryMount } from "./memory_mount.ts";

const PAGE = 4096;
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/** Numbers from 0 to `below` - 1, the same sequence each time (a linear congruential generator). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  number(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * below);
  }

  bytes(length: number): Uint8Array {
    const first = this.number(255);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = 1 + (first + at) % 255;
    return bytes;
  }
}

Deno.test("what was written is read, and the file ends where it ends", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  assertEquals(mount.read(file, 0, 10).length, 0);
  assertEquals(mount.write(file, 3, new TextEncoder().encode("abc")), 3);
  assertEquals([...mount.read(file, 0, 100)], [0, 0, 0, 97, 98, 99]);
  assertEquals(mount.read(file, 6, 10).length, 0);
  assertEquals(mount.read(file, 1e15, 10).length, 0);
  assertEquals([mount.stat(file).size, mount.stat(file).blocks], [6, 8]);
});

Deno.test("a file that shrinks and grows shows nothing of what it had", async (test) => {
  for (const [from, to] of [[10, 5], [PAGE, 1], [300_000, 150_000], [131_072, 131_071], [600_000, 131_072], [9, 0]]) {
    await test.step(`from ${from} to ${to}`, () => {
      const mount = new MemoryMount();
      const file = mount.file("file");
      mount.write(file, 0, new Uint8Array(from!).fill(1));
      mount.filesystem.setAttributes(file, { size: to! });
      assertEquals(mount.stat(file).blocks, Math.ceil(to! / PAGE) * 8);
      mount.filesystem.setAttributes(file, { size: from! });
      const expected = new Uint8Array(from!).fill(1, 0, to!);
      assertEquals(mount.read(file, 0, from!), expected);
    });
  }
});

Deno.test("a sparse file of a petabyte takes one page", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  mount.filesystem.setAttributes(file, { size: 2 ** 50 });
  mount.write(file, 2 ** 49, new Uint8Array([7]));
  assertEquals([mount.stat(file).size, mount.stat(file).blocks], [2 ** 50, 8]);
  assertEquals(mount.filesystem.seek(file, 0, 5, SEEK_DATA), 2 ** 49);
  assertEquals(mount.filesystem.seek(file, 0, 2 ** 49, SEEK_HOLE), 2 ** 49 + PAGE);
  assertErrno("ENXIO", () => mount.filesystem.seek(file, 0, 2 ** 49 + PAGE, SEEK_DATA));
  mount.filesystem.allocate(file, 0, PUNCH, 0, 2 ** 50);
  assertEquals(mount.stat(file).blocks, 0);
  assertErrno("ENXIO", () => mount.filesystem.seek(file, 0, 0, SEEK_DATA));
  assertEquals(mount.filesystem.seek(file, 0, 3, SEEK_HOLE), 3);
  assertErrno("EFBIG", () => mount.filesystem.setAttributes(file, { size: 2 ** 53 }));
  assertErrno("EFBIG", () => mount.write(file, 2 ** 53 - 1, new Uint8Array(2)));
  assertErrno("EFBIG", () => mount.filesystem.allocate(file, 0, 0, 2 ** 53 - PAGE, PAGE));
});

Deno.test("SEEK_DATA and SEEK_HOLE find every border", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  const seek = (offset: number, whence: number) => mount.filesystem.seek(file, 0, offset, whence);
  assertErrno("ENXIO", () => seek(0, SEEK_HOLE));
  mount.write(file, 100 * PAGE + 10, new Uint8Array(100 * PAGE));
  assertEquals([seek(0, SEEK_HOLE), seek(0, SEEK_DATA)], [0, 100 * PAGE]);
  assertEquals([seek(100 * PAGE + 5, SEEK_DATA), seek(150 * PAGE, SEEK_HOLE)], [100 * PAGE + 5, 200 * PAGE + 10]);
  mount.filesystem.allocate(file, 0, PUNCH, 128 * PAGE - 1, PAGE + 2);
  assertEquals([seek(101 * PAGE, SEEK_HOLE), seek(128 * PAGE, SEEK_DATA)], [128 * PAGE, 129 * PAGE]);
  assertErrno("ENXIO", () => seek(200 * PAGE + 10, SEEK_DATA));
  assertErrno("ENXIO", () => seek(200 * PAGE + 10, SEEK_HOLE));
});

Deno.test("fallocate takes space, keeps or extends the size, and its modes zero or free", () => {
  const mount = new MemoryMount();
  const file = mount.file("file");
  const allocate = (mode: number, offset: number, length: number) =>
    mount.filesystem.allocate(file, 0, mode, offset, length);
  const shape = () => [mount.stat(file).size, mount.stat(file).blocks / 8];
  allocate(FALLOC_FL_KEEP_SIZE, 0, 10 * PAGE);
  assertEquals(shape(), [0, 10]);
  allocate(0, 5 * PAGE, 6 * PAGE);
  assertEquals(shape(), [11 * PAGE, 11]);
  mount.write(file, 0, new Uint8Array(11 * PAGE).fill(1));
  allocate(PUNCH, 100, 2 * PAGE);
  assertEquals(shape(), [11 * PAGE, 10]);
  allocate(FALLOC_FL_ZERO_RANGE, PAGE, 12 * PAGE);
  assertEquals(shape(), [13 * PAGE, 13]);
  const expected = new Uint8Array(13 * PAGE).fill(1, 0, 100);
  assertEquals(mount.read(file, 0, 20 * PAGE), expected);
  allocate(FALLOC_FL_KEEP_SIZE, 0, 20 * PAGE);
  mount.filesystem.setAttributes(file, { size: 13 * PAGE });
  assertEquals(shape(), [13 * PAGE, 13]);
  for (const mode of [FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_PUNCH_HOLE]) {
    assertErrno("EOPNOTSUPP", () => allocate(mode, 0, PAGE));
  }
});

Deno.test("2,000 random operations leave what a plain array has", () => {
  const random = new Random(20_240_607);
  const mount = new MemoryMount();
  const file = mount.file("file");
  const limit = 600_000;
  const model = new Uint8Array(limit);
  let size = 0;
  const range = (): [number, number] => {
    const offset = random.number(limit);
    return [offset, 1 + random.number(Math.min(limit - offset, random.number(3) === 0 ? 200_000 : 6_000))];
  };
  const operations = [
    (offset: number, length: number) => {
      const data = random.bytes(length);
      assertEquals(mount.write(file, offset, data), length);
      model.set(data, offset);
      size = Math.max(size, offset + length);
    },
    (offset: number) => {
      mount.filesystem.setAttributes(file, { size: offset });
      model.fill(0, offset);
      size = offset;
    },
    (offset: number, length: number) => {
      mount.filesystem.allocate(file, 0, PUNCH, offset, length);
      model.fill(0, offset, Math.min(size, offset + length));
    },
    (offset: number, length: number) => {
      mount.filesystem.allocate(file, 0, FALLOC_FL_ZERO_RANGE, offset, length);
      model.fill(0, offset, offset + length);
      size = Math.max(size, offset + length);
    },
    (offset: number, length: number) => {
      const to = random.number(limit - length);
      const part = { node: file, handle: 0 };
      const count = Math.max(0, Math.min(length, size - offset));
      const copied = mount.filesystem.copyFileRange({ ...part, offset }, { ...part, offset: to }, length);
      // The kernel never asks to copy a range onto a part of itself.
      if (Math.abs(to - offset) < length) return restart();
      assertEquals(copied, count);
      model.copyWithin(to, offset, offset + count);
      if (count > 0) size = Math.max(size, to + count);
    },
  ];
  const restart = () => {
    mount.filesystem.setAttributes(file, { size: 0 });
    model.fill(0);
    size = 0;
  };
  for (let step = 0; step < 2_000; step++) {
    const [offset, length] = range();
    // Writes come as often as all others together.
    const chosen = operations[Math.max(0, random.number(9) - 4)]!;
    chosen(offset, length);
    const [from, count] = range();
    const read = mount.read(file, from, count);
    const expected = model.subarray(from, Math.max(from, Math.min(size, from + count)));
    assert(equal(read, expected), `step ${step}: ${count} bytes from ${from} differ`);
    assertEquals(mount.stat(file).size, size);
  }
  assertEquals(mount.filesystem.getStatistics().blocksFree + mount.stat(file).blocks / 8, 2 ** 32);
  mount.filesystem.unlink(1, "file");
  mount.filesystem.forget(file);
  assertEquals(mount.filesystem.getStatistics().blocksFree, 2 ** 32);
});

function equal(one: Uint8Array, other: Uint8Array): boolean {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at === one.length && at === other.length;
}

Deno.test("copy_file_range copies data and keeps holes", () => {
  const mount = new MemoryMount();
  const [from, to] = [mount.file("from"), mount.file("to")];
  mount.write(from, 50 * PAGE, new Uint8Array(PAGE).fill(5));
  mount.filesystem.setAttributes(from, { size: 1000 * PAGE });
  mount.write(to, 0, new Uint8Array(100 * PAGE).fill(9));
  const part = (node: number, offset = 0) => ({ node, handle: 0, offset });
  assertEquals(mount.filesystem.copyFileRange(part(from), part(to), 5000 * PAGE), 1000 * PAGE);
  assertEquals([mount.stat(to).size, mount.stat(to).blocks], [1000 * PAGE, 8]);
  assertEquals(mount.read(to, 50 * PAGE - 1, PAGE + 2), mount.read(from, 50 * PAGE - 1, PAGE + 2));
  assertEquals(mount.filesystem.copyFileRange(part(from, 1000 * PAGE), part(to), PAGE), 0);
});

Deno.test("a file can only be used for what it is", () => {
  const mount = new MemoryMount();
  const link = mount.filesystem.makeSymbolicLink(1, "link", "target", mount.context).node;
  assertErrno("EINVAL", () => mount.read(link, 0, 1));
  assertErrno("EINVAL", () => mount.write(1, 0, new Uint8Array(1)));
  assertErrno("EINVAL", () => mount.filesystem.setAttributes(link, { size: 0 }));
});
