/** What the keeper does between two servers: it sends the last answers of the one, and has the kernel send the rest again. */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { journalSize, type JournalSlot, readJournal } from "../kept/journal.ts";

/** What stands in the journal of so many loops; nothing as long as no server has mapped it. */
export function readSlots(journal: number, loops: number): JournalSlot[] {
  const bytes = new Uint8Array(journalSize(loops));
  openFiles().pread(journal, bytes, bytes.length, 0n);
  return Array.from({ length: loops }, (_, loop) => readJournal(bytes, loop));
}

/** Empties the journal, while no server has mapped it. */
export function clearSlots(journal: number): void {
  openFiles().ftruncate(journal, 0n);
}

/**
 * Sends the last answer of each loop on the loop's own device. Who had it does not wait any more (`ENOENT`), and the kernel
 * numbers requests without ever using a number again.
 */
export function sendLastAnswers(slots: readonly JournalSlot[], devices: readonly number[]): void {
  const { write } = openLibc().symbols;
  for (const [loop, { answer }] of slots.entries()) {
    if (answer !== undefined) write(devices[loop]!, answer, answer.length);
  }
}
