/**
 * Open files that outlive the server, where a keeper holds the mount: each is in the keeper's `DescriptorStore` as well,
 * and what it is for stands in kept memory. The next server takes it back under the same number, so that the handle
 * which the kernel has goes on meaning it. Such numbers begin above all that a process has for itself (`base`).
 *
 * **Order.** A file is in the store before its word says so, and its word is taken back before it leaves the store: so a
 * server that ends in between leaves one that no word names, which `takeBackFiles` drops.
 *
 * **Numbers.** A release that is done and not answered comes again, and must not find another file under its number. So
 * the number is the loop's (`RETIRED`) until it keeps or releases the next file: what it releases is answered by then.
 *
 * A request that comes again must not find its own half-done work: what a loop opened or released last is written down
 * with the request's number, and so is what a change that cannot be repeated found before it (`intend`).
 */
import { F_DUPFD_CLOEXEC } from "../../../ffi/libc.ts";
import { FsError } from "../../fs/errors.ts";
import type { KeptDescriptors } from "../../fs/module.ts";
import { DescriptorStore } from "../../kept/descriptor_store.ts";
import { RETIRED } from "./descriptor_register.ts";
import type { SystemCalls } from "./system_calls.ts";

/** A word is a kind (see `DescriptorRegister`) and above it the cell of the file's node, if it has one. */
const KIND_BITS = 4;
const KIND = (1 << KIND_BITS) - 1;

// Words of a loop's record. The first of each three is a descriptor plus one, the others a request's number.
export const OPENED = 0;
export const RELEASED = 3;
const INTENT_COUNT = 6;
/** One past the highest slot that the loop ever used. */
const REACH = 7;
const INTENTS = 8;
/** How many intents are remembered, of two doubles each: more than a loop's requests that can come again. */
const MOST_INTENTS = 62;
const RECORD_WORDS = INTENTS + MOST_INTENTS * 4;

const TWO_32 = 0x1_0000_0000;

/** Where all of it is; it survives a structured clone. */
export interface KeptFilesMemory {
  readonly buffer: SharedArrayBuffer;
  /** Where the loops' records begin, in bytes; after them comes a word for each slot. */
  readonly at: number;
  readonly loops: number;
  /** The number of the first slot's descriptor. */
  readonly base: number;
  readonly descriptors: KeptDescriptors;
}

/** How many bytes it takes. */
export function keptFilesSize(loops: number, slots: number): number {
  return (loops * RECORD_WORDS + slots) * 4;
}

/** The words of the slots. */
export function slotWords({ buffer, at, loops, descriptors }: KeptFilesMemory): Int32Array {
  return new Int32Array(buffer, at + loops * RECORD_WORDS * 4, descriptors.slots);
}

/** The words of all slots that any loop ever used, the first of them. To look at the others takes memory. */
export function usedSlotWords(memory: KeptFilesMemory): Int32Array {
  const reaches = Array.from({ length: memory.loops }, (_, loop) => recordWords(memory, loop)[REACH]!);
  return slotWords(memory).subarray(0, Math.max(...reaches));
}

/** The record of a loop. */
export function recordWords({ buffer, at }: KeptFilesMemory, loop: number): Int32Array {
  return new Int32Array(buffer, at + loop * RECORD_WORDS * 4, RECORD_WORDS);
}

function intentsOf(memory: KeptFilesMemory, loop: number): Float64Array {
  return new Float64Array(memory.buffer, recordWords(memory, loop).byteOffset + INTENTS * 4, MOST_INTENTS * 2);
}

/** Whether the record says that the request did something, and with which descriptor; -1 when not. */
export function recordedFor(record: Int32Array, at: number, unique: number): number {
  const same = record[at + 1]! === (unique | 0) && record[at + 2]! === Math.floor(unique / TWO_32);
  return same ? record[at]! - 1 : -1;
}

export function kindOf(word: number): number {
  return word & KIND;
}

export function nodeOf(word: number): number {
  return word >>> KIND_BITS;
}

/** One loop's way to keep files. */
export class KeptFiles {
  readonly #base: number;
  readonly #store: DescriptorStore;
  readonly #calls: SystemCalls;
  readonly #slots: Int32Array;
  readonly #record: Int32Array;
  readonly #intents: Float64Array;
  /** Those of all loops: which of them gets a request that comes again is the kernel's choice. */
  readonly #allIntents: readonly Float64Array[];
  /** The slot of the file that this loop released last; -1 for none. */
  #retired = -1;

  constructor(memory: KeptFilesMemory, calls: SystemCalls, loop: number) {
    this.#base = memory.base;
    this.#store = new DescriptorStore(memory.descriptors);
    this.#calls = calls;
    this.#slots = slotWords(memory);
    this.#record = recordWords(memory, loop);
    this.#allIntents = Array.from({ length: memory.loops }, (_, loop) => intentsOf(memory, loop));
    this.#intents = this.#allIntents[loop]!;
  }

  /**
   * Keeps a file that `request` opened. Returns its descriptor, which is another from then on: the one given is closed,
   * also when there is no room (`EMFILE`).
   */
  keep(descriptor: number, kind: number, request: number): number {
    this.#endRetirement();
    const kept = this.#duplicate(descriptor);
    this.#calls.close(descriptor);
    const slot = kept - this.#base;
    if (kept < 0 || slot >= this.#store.slots) {
      if (kept >= 0) this.#calls.close(kept);
      throw new FsError("EMFILE", `Cannot keep more than ${this.#store.slots} files open`);
    }
    // First: what is kept is found by it.
    if (slot >= this.#record[REACH]!) this.#record[REACH] = slot + 1;
    try {
      this.#store.put(slot, kept);
    } catch (error) {
      this.#calls.close(kept);
      throw new FsError("ENFILE", (error as Error).message);
    }
    this.#note(OPENED, kept, request);
    Atomics.store(this.#slots, slot, kind);
    return kept;
  }

  /** Under a number that no release which may come again means. */
  #duplicate(descriptor: number): number {
    for (let from = this.#base;;) {
      const kept = this.#calls.files.fcntl(descriptor, F_DUPFD_CLOEXEC, from);
      if (kept < 0 || this.#slots[kept - this.#base] !== RETIRED) return kept;
      this.#calls.close(kept);
      from = kept + 1;
    }
  }

  /** Says which node the file is. */
  setNode(descriptor: number, cell: number): void {
    const slot = descriptor - this.#base;
    Atomics.store(this.#slots, slot, this.#slots[slot]! & KIND | cell << KIND_BITS);
  }

  /** Lets go of a file whose handle `request` releases; its descriptor is the caller's to close. */
  release(descriptor: number, request: number): void {
    this.#endRetirement();
    this.#note(RELEASED, descriptor, request);
    this.#retired = descriptor - this.#base;
    this.#empty(this.#retired, RETIRED);
  }

  /** Lets go of a file, if it is one of these; its descriptor is the caller's to close. */
  drop(descriptor: number): void {
    const slot = descriptor - this.#base;
    if (slot >= 0 && this.#slots[slot] !== 0) this.#empty(slot, 0);
  }

  #empty(slot: number, word: number): void {
    Atomics.store(this.#slots, slot, word);
    this.#store.drop(slot);
  }

  /** What this loop released before is answered. */
  #endRetirement(): void {
    if (this.#retired >= 0) Atomics.store(this.#slots, this.#retired, 0);
    this.#retired = -1;
  }

  /** Before a change that must not be made twice: what was there, by which it can be told whether it was made. */
  intend(request: number, found: number): void {
    const at = (this.#record[INTENT_COUNT]!++ & 0x7fff_ffff) % MOST_INTENTS * 2;
    this.#intents[at] = 0;
    this.#intents[at + 1] = found;
    this.#intents[at] = request;
  }

  /** What {@linkcode intend} was told for this request; undefined when it came to nothing. */
  intended(request: number): number | undefined {
    for (const intents of this.#allIntents) {
      for (let at = 0; at < intents.length; at += 2) if (intents[at] === request) return intents[at + 1];
    }
    return undefined;
  }

  #note(at: number, descriptor: number, request: number): void {
    const record = this.#record;
    record[at] = 0;
    record[at + 1] = request | 0;
    record[at + 2] = Math.floor(request / TWO_32);
    record[at] = descriptor + 1;
  }
}
