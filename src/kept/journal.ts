/**
 * What each loop is at work on, and its last answer, in memory that outlives the server: the answer is written down before
 * it is sent. When a server has ended, the keeper sends the last answers once more: of a request that had been answered
 * the kernel knows nothing any more (`ENOENT`); one that had not is now, and so is done exactly once. What a loop was in
 * the midst of comes again from the kernel, marked (`RequestContext.resent`).
 *
 * Answers longer than a slot are not written down: only data that was read is so long, or a large directory, and both can
 * be read again.
 */
import { FUSE_UNIQUE_RESEND_UPPER } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";

const HEADER = STRUCT.fuse_out_header;

// Words of a slot; its body follows them.
const STATE = 0;
const UNIQUE_LOWER = 1;
const UNIQUE_UPPER = 2;
/** The body's length in bytes, or a negative errno. */
const LENGTH = 3;
/** Counts requests, and the steps of those that say that they get on: as long as it moves, the loop does not hang. */
const COUNT = 4;
const SLOT_HEADER = 64;

/** The longest answer that is written down, in bytes. */
const LONGEST = 8192;
const SLOT_BYTES = SLOT_HEADER + LONGEST;

// STATE
const IDLE = 0;
/** The request is being served. Nothing of it has been answered. */
const BEGUN = 1;
/** The answer is complete in the slot, and was sent, or is about to be. */
const ANSWERED = 2;

/** How many bytes the journal of so many loops has. */
export function journalSize(loops: number): number {
  return loops * SLOT_BYTES;
}

/** One loop's slot, as the loop writes it. */
export class Journal {
  readonly #words: Int32Array;
  readonly #body: Uint8Array;

  constructor(memory: SharedArrayBuffer, loop: number) {
    this.#words = new Int32Array(memory, loop * SLOT_BYTES, SLOT_HEADER / 4);
    this.#body = new Uint8Array(memory, loop * SLOT_BYTES + SLOT_HEADER, LONGEST);
  }

  /** A request is taken up. */
  begin(uniqueLower: number, uniqueUpper: number): void {
    const words = this.#words;
    // Until the last of these words is written the slot says nothing.
    Atomics.store(words, STATE, IDLE);
    words[UNIQUE_LOWER] = uniqueLower;
    words[UNIQUE_UPPER] = uniqueUpper;
    words[COUNT]! += 1;
    Atomics.store(words, STATE, BEGUN);
  }

  /** A request is about to be answered with `length` bytes of `body`, or a negative errno. */
  answer(uniqueLower: number, uniqueUpper: number, length: number, body: Uint8Array): void {
    if (length > LONGEST) return;
    const words = this.#words;
    // One that waited, and is answered out of its turn.
    if (words[UNIQUE_LOWER] !== (uniqueLower | 0) || words[UNIQUE_UPPER] !== (uniqueUpper | 0)) {
      this.begin(uniqueLower, uniqueUpper);
    }
    if (length > 0) this.#body.set(length === body.length ? body : body.subarray(0, length));
    words[LENGTH] = length;
    Atomics.store(words, STATE, ANSWERED);
  }

  /** What the loop is at gets on. */
  advance(): void {
    this.#words[COUNT]! += 1;
  }

  /** The loop is done with it. */
  end(): void {
    if (this.#words[STATE] === BEGUN) Atomics.store(this.#words, STATE, IDLE);
  }
}

/** A slot as the keeper reads it. */
export interface JournalSlot {
  /** Counts the loop's requests, and the steps of long ones. */
  readonly count: number;
  /** The request that the loop is at work on, as `RequestContext.unique` has it. */
  readonly begun: number | undefined;
  /** The last answer, `fuse_out_header` and body. */
  readonly answer: Uint8Array<ArrayBuffer> | undefined;
}

/** Reads the slot of `loop` out of the journal's bytes. */
export function readJournal(journal: Uint8Array<ArrayBuffer>, loop: number): JournalSlot {
  const start = journal.byteOffset + loop * SLOT_BYTES;
  const words = new Int32Array(journal.buffer, start, SLOT_HEADER / 4);
  const body = new Uint8Array(journal.buffer, start + SLOT_HEADER, LONGEST);
  const unique = (words[UNIQUE_LOWER]! >>> 0) + (words[UNIQUE_UPPER]! & ~FUSE_UNIQUE_RESEND_UPPER) * 0x1_0000_0000;
  return {
    count: words[COUNT]!,
    begun: words[STATE] === BEGUN ? unique : undefined,
    answer: words[STATE] === ANSWERED ? encodeAnswer(words, body) : undefined,
  };
}

function encodeAnswer(words: Int32Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = words[LENGTH]!;
  const answer = new Uint8Array(HEADER.SIZE + Math.max(0, length));
  const header = new Int32Array(answer.buffer, 0, HEADER.SIZE / 4);
  header[HEADER.len >> 2] = answer.length;
  header[HEADER.error >> 2] = Math.min(0, length);
  header[HEADER.unique >> 2] = words[UNIQUE_LOWER]!;
  header[(HEADER.unique >> 2) + 1] = words[UNIQUE_UPPER]!;
  answer.set(body.subarray(0, Math.max(0, length)), HEADER.SIZE);
  return answer;
}
