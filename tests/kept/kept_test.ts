/** What outlives a server: memory, open files, the journal. */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { cString } from "../../ffi/memory.ts";
import { FsError } from "../../src/fs/errors.ts";
import type { KeptState } from "../../src/fs/module.ts";
import { createDescriptorStore, DescriptorReader, DescriptorStore } from "../../src/kept/descriptor_store.ts";
import { Journal, journalSize, readJournal } from "../../src/kept/journal.ts";
import { KeptAreas } from "../../src/kept/kept_areas.ts";
import { clearKept, createKept, mapKept, PAGE } from "../../src/kept/kept_memory.ts";
import { KeptFileParts } from "../../src/kept/kept_extents.ts";
import { KeptFile } from "../../src/kept/kept_file.ts";
import { closeKeptState, createKeptState, openKeptState } from "../../src/kept/kept_state.ts";
import { assertEquals, assertThrows } from "../deps.ts";

const { symbols } = openLibc();

Deno.test("kept memory is a memfd's, shared, and found again by who maps it next", () => {
  const descriptor = createKept("trellis-test");
  const first = new Int32Array(mapKept(descriptor, 100_000));
  assertEquals([first.buffer instanceof SharedArrayBuffer, first[5]], [true, 0]);
  Atomics.store(first, 5, 77);
  first[24_999] = 88;
  const second = new Int32Array(mapKept(descriptor, 100_000));
  assertEquals([second[5], second[24_999]], [77, 88]);
  const bytes = new Uint8Array(4);
  openFiles().pread(descriptor, bytes, 4, 20n);
  assertEquals(bytes[0], 77);
  symbols.close(descriptor);
});

Deno.test("kept memory that is cleared reads as zeros for all, and takes no memory any more", () => {
  const descriptor = createKept("trellis-test");
  const bytes = new Uint8Array(mapKept(descriptor, 4 * PAGE), 0, 4 * PAGE).fill(1);
  const others = new Uint8Array(mapKept(descriptor, 4 * PAGE), 0, 4 * PAGE);
  const held = () => Deno.statSync(`/proc/self/fd/${descriptor}`).blocks! * 512;
  assertEquals(held(), 4 * PAGE);
  const [start, end] = [104, 3 * PAGE + 104];
  clearKept(bytes.buffer, start, end);
  assertEquals(held(), 2 * PAGE);
  const left = others.reduce((sum, byte) => sum + byte);
  assertEquals([others[start - 1], others[start], others[end - 1], others[end]], [1, 0, 0, 1]);
  assertEquals(left, 4 * PAGE - (end - start));
  clearKept(bytes.buffer, 8, 24);
  assertEquals(left - others.reduce((sum, byte) => sum + byte), 16);
  symbols.close(descriptor);
});

Deno.test("areas of kept memory have names, keep apart, and are empty again when they were freed", () => {
  const descriptor = createKept("trellis-test");
  const first = new KeptAreas(descriptor);
  const words = (areas: KeptAreas, name: string, bytes: number) => new Int32Array(areas.map(name, bytes));
  words(first, "one", 100)[0] = 1;
  words(first, "two", 200_000)[49_999] = 2;
  words(first, "two/part", 8)[1] = 3;
  const second = new KeptAreas(descriptor);
  assertEquals(words(second, "two/part", 8)[1], 3);
  second.free("two");
  const third = new KeptAreas(descriptor);
  assertEquals([words(third, "one", 100)[0], words(third, "two", 200_000)[49_999]], [1, 0]);
  assertEquals(words(third, "two/part", 16)[1], 0);
  assertThrows(() => third.map("one", 101), Error, "100 bytes");
  assertThrows(() => third.map("x".repeat(105), 1), Error, "1 to 104 bytes");
  symbols.close(descriptor);
});

Deno.test("a part of what is kept is found again by its name, and open files that no part claims are closed", () => {
  const handles = createKeptState();
  const file = createKept("trellis-test");
  const open = (restarts: number) =>
    openKeptState(handles, { restarts, resumes: true, interrupted: [], file, log: () => {} });
  const first = open(0);
  new Uint8Array(first.part("a").memory(1))[0] = 7;
  new Uint8Array(first.part("b").memory(1))[0] = 8;
  const write = (state: KeptState, name: string) => new KeptFile(state.part(name).file()).write(bytes(name), 3n);
  ["a", "b"].forEach((name) => write(first, name));
  assertThrows(() => first.part("a").memory(1), Error, "asked for once");
  const { descriptors } = handles;
  if (descriptors === undefined) console.log("no open files: this kernel keeps none (io_uring of Linux 6.8)");
  else [0, 1, 2].forEach((slot) => new DescriptorStore(descriptors).put(slot, handles.state));
  const second = open(1);
  second.part("b").free();
  const values = ["a", "b"].map((name) => new Uint8Array(second.part(name).memory(1))[0]);
  assertEquals(values, [7, 0]);
  const contents = ["a", "b"].map((name) => readText(new KeptFile(second.part(name).file()), 3n, 1));
  assertEquals(contents, ["a", "\0"]);
  const told: boolean[] = [];
  second.part("a").claim([0], (isClaimed) => told.push(...[0, 1, 2].map(isClaimed)));
  second.part("b").claim([2], () => {});
  assertEquals(told, []);
  second.settle();
  assertEquals(told, [true, false, true]);
  if (descriptors !== undefined) {
    using reader = new DescriptorReader(descriptors);
    const taken = [0, 1, 2].map((slot) => reader.take(slot));
    assertEquals(taken.map((file) => file >= 0), [true, false, true]);
    taken.filter((file) => file >= 0).forEach((file) => symbols.close(file));
  }
  closeKeptState(handles);
  symbols.close(file);
});

Deno.test("files of parts share a descriptor, keep apart however large they are, and give back what they had", () => {
  const descriptor = createKept("trellis-test");
  const extent = 1n << 49n;
  const open = (name: string) => new KeptFile(new KeptFileParts(descriptor).place(name));
  const offsets = [0n, 100n, extent, 3n * extent + 4096n, 8191n * extent];
  const names = ["one", "two", "two/part"];
  for (const name of names) for (const offset of offsets) open(name).write(bytes(`${name}@${offset}`), offset);
  const read = (name: string) => offsets.map((offset) => readText(open(name), offset, `${name}@${offset}`.length));
  for (const name of names) assertEquals(read(name), offsets.map((offset) => `${name}@${offset}`));
  assertEquals([...open("one").written(extent, 2n * extent)], [[extent, extent + 4096n]]);
  assertEquals([...open("one").written(2n * extent, 3n * extent)], []);
  const one = open("one");
  one.punch(0n, 4096n);
  one.punch(2n * extent, 4096n);
  assertEquals(readText(one, 0n, 4), "\0\0\0\0");
  assertEquals(readText(open("two"), 0n, 5), "two@0");
  const before = blocksOf(descriptor);
  new KeptFileParts(descriptor).free("two");
  assertEquals(readText(open("two"), extent, 3), "\0\0\0");
  assertEquals(readText(open("two/part"), extent, 3), "\0\0\0");
  assertEquals(readText(open("one"), extent, 3), "one");
  // Four pages each; what was at 0 and at 100 is one page.
  assertEquals((before - blocksOf(descriptor)) * 512, 8 * 4096);
  const full = open("full");
  for (let index = 0n; index < 8191n - 4n; index++) full.write(bytes("x"), index * extent);
  assertThrows(() => full.write(bytes("x"), 8187n * extent), FsError, "it is full");
  assertEquals(read("one").slice(2), offsets.slice(2).map((offset) => `one@${offset}`));
  symbols.close(descriptor);
});

const bytes = (text: string) => new TextEncoder().encode(text);

function readText(file: KeptFile, offset: bigint, length: number): string {
  const buffer = new Uint8Array(length);
  file.read(buffer, offset);
  return new TextDecoder().decode(buffer);
}

function blocksOf(descriptor: number): number {
  return Deno.statSync(`/proc/self/fd/${descriptor}`).blocks!;
}

Deno.test("a kept file stays open, and is the same open file when it is taken back", () => {
  const kept = createDescriptorStore();
  if (kept === undefined) return console.log("skipped: this kernel keeps no open files (io_uring of Linux 6.8)");
  const store = new DescriptorStore(kept);
  using reader = new DescriptorReader(kept);
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, "hello");
  const file = openFiles().openat(-100, cString(path), 0, 0);
  store.put(3, file);
  const first = new Uint8Array(2);
  openFiles().read(file, first, 2);
  symbols.close(file);
  Deno.removeSync(path);
  const back = reader.take(3);
  const rest = new Uint8Array(3);
  openFiles().read(back, rest, 3);
  assertEquals(new TextDecoder().decode(rest), "llo");
  store.put(4, back);
  store.dropOthers((slot) => slot === 4);
  assertEquals(reader.take(3) < 0, true);
  const again = reader.take(4);
  store.drop(4);
  assertEquals([again >= 0, reader.take(4) < 0], [true, true]);
  assertThrows(() => store.put(0, 999_999), Error, "EBADF");
  [back, again, kept.ring].forEach((descriptor) => symbols.close(descriptor));
});

Deno.test("the journal says what a loop is at work on, and what it answered last", () => {
  const memory = new SharedArrayBuffer(journalSize(2));
  const journal = new Journal(memory, 1);
  const slot = () => readJournal(new Uint8Array(memory.slice(0) as unknown as ArrayBuffer), 1);
  assertEquals(slot(), { count: 0, beats: 0, begun: undefined, answer: undefined });
  journal.begin(10, 1);
  assertEquals(slot(), { count: 1, beats: 0, begun: 0x1_0000_000a, answer: undefined });
  journal.answer(10, 1, 3, new Uint8Array([7, 8, 9, 1]));
  const { answer, begun } = slot();
  assertEquals(begun, undefined);
  assertEquals([...answer!], [19, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 7, 8, 9]);
  journal.end();
  assertEquals(slot().answer, answer);
  journal.begin(12, -(2 ** 31) + 1);
  assertEquals(slot().begun, 0x1_0000_000c);
  journal.end();
  assertEquals(slot().begun, undefined);
  journal.begin(14, 0);
  journal.answer(14, 0, -2, new Uint8Array());
  assertEquals([...new Int32Array(slot().answer!.buffer)], [16, -2, 14, 0]);
  // One that takes long says that it gets on.
  journal.begin(20, 0);
  const { count } = slot();
  journal.advance();
  assertEquals(slot(), { count: count + 1, beats: 0, begun: 20, answer: undefined });
  // One that waited has its answer out of turn.
  journal.begin(18, 0);
  journal.answer(6, 0, -4, new Uint8Array());
  assertEquals([...new Int32Array(slot().answer!.buffer)], [16, -4, 6, 0]);
  journal.expectBeats();
  journal.beat();
  journal.begin(8, 0);
  assertEquals([slot().beats, slot().begun], [2, 8]);
  journal.leave();
  assertEquals([slot().beats, slot().begun], [0, undefined]);
  // What is too long is not written down, and then nobody knows that it was answered.
  journal.begin(16, 0);
  journal.answer(16, 0, 100_000, new Uint8Array(100_000));
  assertEquals(slot().begun, 16);
});
