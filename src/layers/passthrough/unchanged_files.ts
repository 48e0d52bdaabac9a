/**
 * Which files have not changed since the kernel began to read what it has of them in its page cache, so that an open need
 * not drop that (`FOPEN_KEEP_CACHE`), as libfuse's `auto_cache` does it.
 *
 * An open that drops the pages notes the file's change time (`st_ctime`, which nobody can set back) before the kernel
 * reads new ones. Where an open finds that time again, all that was read since then is what the file still holds. Two
 * changes could leave it as it is:
 *
 * - One within the same tick of the source's clock: so a file is noted only when its last change is `SETTLED` seconds
 *   old, which is more than a tick of any local filesystem (FAT has 2 s), or where no two changes have the same time that
 *   somebody has seen (`LocalFiles.isMultigrain`).
 * - Stores into a mapping by a program of the source's, of which only the first one to each page moves the time, until
 *   the page has been written out: so what was noted holds for `TRUSTED` seconds, and then the pages are read again.
 *
 * Each loop has its own notes: they are of what it saw, and another loop's opens only drop more. A place is shared by
 * nodes 65,536 cells apart, of which the last that was opened has it.
 */
import type { FileStatus } from "./file_status.ts";

/** Seconds. */
const SETTLED = 3;
const TRUSTED = 60;

const PLACES = 1 << 16;

// Words of a place.
const CELL = 0;
const GENERATION = 1;
const CHANGED = 2;
const CHANGED_NANOSECONDS = 3;
/** When the pages were dropped, in seconds. */
const DROPPED = 4;
const WORDS = 5;

export class UnchangedFiles {
  readonly #notes = new Int32Array(PLACES * WORDS);
  readonly #now: () => number;

  /** `now`: the time in milliseconds, as of `Date.now()`. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * Whether the file of a node, which `status` is of, is as it was when its pages were dropped. If not, the caller has the
   * kernel drop them now. `isMultigrain`: whether the next change is sure to have another time than `status` says.
   */
  has(cell: number, generation: number, status: FileStatus, isMultigrain: boolean): boolean {
    const { changedSeconds, changedNanoseconds } = status;
    const notes = this.#notes;
    const at = (cell & (PLACES - 1)) * WORDS;
    const now = Math.floor(this.#now() / 1000);
    const isNoted = notes[at + CELL] === cell && notes[at + GENERATION] === (generation | 0) &&
      notes[at + CHANGED] === (changedSeconds | 0) && notes[at + CHANGED_NANOSECONDS] === changedNanoseconds;
    if (isNoted && Math.abs((now - notes[at + DROPPED]!) | 0) < TRUSTED) return true;
    notes[at + CELL] = isMultigrain || now - changedSeconds >= SETTLED ? cell : 0;
    notes[at + GENERATION] = generation;
    notes[at + CHANGED] = changedSeconds;
    notes[at + CHANGED_NANOSECONDS] = changedNanoseconds;
    notes[at + DROPPED] = now;
    return false;
  }
}
