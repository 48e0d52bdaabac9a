/**
 * A log in a file that outlives the server: batches of what a filesystem has to know, each of which is there wholly or
 * not at all, whenever the process ends. A batch counts when the log's length, one word, has been moved behind it. When the
 * log has grown to several times what it says, it is written anew beside itself; then another word says which one counts.
 */
import type { KeptFile } from "./kept_file.ts";

/** Where the log may be in the file, and how long it may get, in bytes. Behind the second the file is its owner's. */
const LOG_SIZE = 1n << 38n;
const LOG_BEGINNINGS: readonly [bigint, bigint] = [LOG_SIZE, 2n * LOG_SIZE];

// The file's first words, of 8 bytes each: which log counts, the lengths of the two, how long each was when it was written
// anew, and how they are written.
const WHICH = 0;
const LENGTHS = 1;
const WRITTEN = 3;
const FORMAT = 5;
const WORDS = 6;

/** The version of the file's layout and records. Servers of different releases must agree in it. */
const VERSION = 1;

/** A log shorter than this, in bytes, is never worth writing anew. */
const LEAST = 4 << 20;

/** A batch is its length in 4 bytes, and JSON. */
const FRAME = 4;

/** So much is read and written at a time where all of a log is, in bytes. */
const BLOCK = 1 << 20;

/** A batch is what JSON can say. */
export class KeptLog<Batch> {
  readonly #file: KeptFile;
  readonly #least: number;
  readonly #words = new Float64Array(WORDS);
  readonly #wordBytes = new Uint8Array(this.#words.buffer);
  readonly #encoder = new TextEncoder();
  /** Batches that are not in the file yet. */
  #buffer = new Uint8Array(1 << 12);
  #buffered = 0;
  /** Set while the log lacks something, because there was no memory for it. */
  #isBehind = false;

  /** @throws {Error} when another release wrote the file. */
  constructor(file: KeptFile, least = LEAST) {
    this.#file = file;
    this.#least = least;
    file.read(this.#wordBytes, 0n);
    const version = this.#words[FORMAT]!;
    if (version !== VERSION && version !== 0) {
      throw new Error(`The files were kept in version ${version}, not ${VERSION}: copy them, and mount anew`);
    }
    this.#words[FORMAT] = VERSION;
    this.#store(FORMAT);
    // What was being written anew, and never counted.
    this.#empty(1 - this.#which);
  }

  /** All batches, the oldest first. */
  *replay(): Generator<Batch> {
    const decoder = new TextDecoder();
    const begin = LOG_BEGINNINGS[this.#which]!;
    const length = this.#words[LENGTHS + this.#which]!;
    let [block, at] = [new Uint8Array(0), 0];
    for (let read = 0; at < block.length || read < length;) {
      const frame = at + FRAME <= block.length ? new DataView(block.buffer, at).getUint32(0, true) : Infinity;
      if (at + FRAME + frame <= block.length) {
        yield JSON.parse(decoder.decode(block.subarray(at + FRAME, at += FRAME + frame))) as Batch;
      } else {
        // What is left of the block, and as much again as one batch may need.
        const rest = block.subarray(at);
        const more = Math.min(length - read, Math.max(BLOCK, frame === Infinity ? 0 : frame));
        [block, at] = [new Uint8Array(rest.length + more), 0];
        block.set(rest);
        this.#file.read(block.subarray(rest.length), begin + BigInt(read));
        read += more;
      }
    }
  }

  /**
   * Adds a batch, or has `snapshot`, all that there is with what the batch says, in place of all batches: where the log is
   * long, or lacks what it had no memory for. When this returns the batch is there.
   */
  write(batch: Batch, snapshot: () => Iterable<Batch>): void {
    const anew = this.#isBehind || this.#isLong;
    this.#isBehind = true;
    if (anew) this.rewrite(snapshot());
    else this.append(batch);
    this.#isBehind = false;
  }

  /** Adds a batch. When this returns it is there. */
  append(batch: Batch): void {
    // What an attempt that failed left.
    this.#buffered = 0;
    this.#encode(batch);
    this.#flush(this.#which);
    this.#store(LENGTHS + this.#which);
  }

  /** Whether the log is worth writing anew. */
  get #isLong(): boolean {
    return this.#words[LENGTHS + this.#which]! > 3 * this.#words[WRITTEN + this.#which]! + this.#least;
  }

  /** Has these batches in place of all there are. */
  rewrite(batches: Iterable<Batch>): void {
    const [old, other] = [this.#which, 1 - this.#which];
    // An attempt may have failed halfway.
    this.#words[LENGTHS + other] = 0;
    this.#buffered = 0;
    for (const batch of batches) {
      this.#encode(batch);
      if (this.#buffered >= BLOCK) this.#flush(other);
    }
    this.#flush(other);
    this.#words[WRITTEN + other] = this.#words[LENGTHS + other]!;
    this.#store(LENGTHS + other);
    this.#store(WRITTEN + other);
    this.#words[WHICH] = other;
    this.#store(WHICH);
    this.#empty(old);
  }

  get #which(): number {
    return this.#words[WHICH]!;
  }

  #encode(batch: Batch): void {
    const text = JSON.stringify(batch);
    // UTF-8 takes at most three bytes for a unit of UTF-16.
    const most = this.#buffered + FRAME + 3 * text.length;
    if (this.#buffer.length < most) {
      const grown = new Uint8Array(2 * most);
      grown.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = grown;
    }
    const { written } = this.#encoder.encodeInto(text, this.#buffer.subarray(this.#buffered + FRAME));
    new DataView(this.#buffer.buffer).setUint32(this.#buffered, written, true);
    this.#buffered += FRAME + written;
  }

  #flush(which: number): void {
    const at = LENGTHS + which;
    this.#file.write(this.#buffer.subarray(0, this.#buffered), LOG_BEGINNINGS[which]! + BigInt(this.#words[at]!));
    this.#words[at]! += this.#buffered;
    this.#buffered = 0;
  }

  #empty(which: number): void {
    this.#words[LENGTHS + which] = 0;
    this.#store(LENGTHS + which);
    this.#file.punch(LOG_BEGINNINGS[which]!, LOG_SIZE);
  }

  /** One word lies in one page, so that a process which ends in the midst of this has written it, or not. */
  #store(word: number): void {
    this.#file.write(this.#wordBytes.subarray(word * 8, word * 8 + 8), BigInt(word * 8));
  }
}
