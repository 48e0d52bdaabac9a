/**
 * What each loop and each handler's isolate is at work on, and its last answer, in memory that outlives the server: the answer is written down before
 * it is sent. When a server has ended, the keeper sends the last answers once more: of a request that had been answered
 * the kernel knows nothing any more (`ENOENT`); one that had not is now, and so is done exactly once. What a loop was in
 * the midst of comes again from the kernel, marked (`RequestContext.resent`).
 *
 * Answers longer than a slot are not written down: only data that was read is so long, or a large directory, and both can
 * be read again.
 *
 * A handler has many requests under way, but only one method of its runs, and only one answer is sent, at a time: a slot
 * says of it what a loop's does. What it awaits is in nobody's slot, and comes again.
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
/** Counts how often an isolate has come round to its events; 0 for one that has none, or has ended. */
const BEATS = 5;
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

/** How many bytes the journal has for so many loops and handlers. */
export function journalSize(slots: number): number {
  return slots * SLOT_BYTES;
}

/** One slot, as the loop or handler writes it whose number that is. */
export class Journal {
  readonly #words: Int32Array;
  readonly #body: Uint8Array;

  constructor(memory: SharedArrayBuffer, slot: number) {
    this.#words = new Int32Array(memory, slot * SLOT_BYTES, SLOT_HEADER / 4);
    this.#body = new Uint8Array(memory, slot * SLOT_BYTES + SLOT_HEADER, LONGEST);
  }

  /** A handler's isolate begins: from here on it has to `beat` again and again. Said by who starts it, should it hang at once. */
  expectBeats(): void {
    this.#words[BEATS] = 1;
  }

  /** The isolate has come round to its events. */
  beat(): void {
    this.#words[BEATS]! += 1;
  }

  /** The isolate has ended, also in the midst of a request, which was answered for it. */
  leave(): void {
    this.#words[BEATS] = 0;
    this.end();
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

  /** What the loop or the isolate is at gets on: a step of a long request is done, or a request has come that has to wait. */
  advance(): void {
    this.#words[COUNT]! += 1;
  }

  /** The loop is done with it, or the handler's method has come to where it waits. */
  end(): void {
    if (this.#words[STATE] === BEGUN) Atomics.store(this.#words, STATE, IDLE);
  }
}

/** A slot as the keeper reads it. */
export interface JournalSlot {
  /** Counts requests, and the steps of long ones. */
  readonly count: number;
  /** Counts how often a handler's isolate has come round to its events; 0 where none is to. */
  readonly beats: number;
  /** The request that the loop is at work on, as `RequestContext.unique` has it. */
  readonly begun: number | undefined;
  /** The last answer, `fuse_out_header` and body. */
  readonly answer: Uint8Array<ArrayBuffer> | undefined;
}

/** Reads a slot out of the journal's bytes. */
export function readJournal(journal: Uint8Array<ArrayBuffer>, slot: number): JournalSlot {
  const start = journal.byteOffset + slot * SLOT_BYTES;
  const words = new Int32Array(journal.buffer, start, SLOT_HEADER / 4);
  const body = new Uint8Array(journal.buffer, start + SLOT_HEADER, LONGEST);
  const unique = (words[UNIQUE_LOWER]! >>> 0) + (words[UNIQUE_UPPER]! & ~FUSE_UNIQUE_RESEND_UPPER) * 0x1_0000_0000;
  return {
    count: words[COUNT]!,
    beats: words[BEATS]!,
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
