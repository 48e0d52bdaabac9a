/** What the keeper does between two servers: it sends the last answers of the one, and has the kernel send the rest again. */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { journalSize, type JournalSlot, readJournal } from "../kept/journal.ts";

/** What stands in so many slots of the journal; nothing as long as no server has mapped it. */
export function readSlots(journal: number, count: number): JournalSlot[] {
  const bytes = new Uint8Array(journalSize(count));
  openFiles().pread(journal, bytes, bytes.length, 0n);
  return Array.from({ length: count }, (_, slot) => readJournal(bytes, slot));
}

/** Empties the journal, while no server has mapped it. */
export function clearSlots(journal: number): void {
  openFiles().ftruncate(journal, 0n);
}

/**
 * Sends the last answers. The kernel takes each on the device alone that its request was read from, which is not written
 * down: on the others it is `ENOENT`, as for who had it and does not wait any more. A request's number is never used again.
 */
export function sendLastAnswers(slots: readonly JournalSlot[], devices: readonly number[]): void {
  const { write } = openLibc().symbols;
  for (const { answer } of slots) {
    if (answer === undefined) continue;
    for (const device of devices) write(device, answer, answer.length);
  }
}
