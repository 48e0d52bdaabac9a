/**
 * One memfd, divided: areas by name, and a directory of them at its beginning, by which the next server finds the same.
 * A server that ends while it makes one leaves a gap, and no name for it: an entry's name is written last.
 */
import { mapKept, PAGE, punchKept } from "./kept_memory.ts";

/** How many areas there can be at a time; and the longest name, in bytes. */
const MOST_AREAS = 8191;
const LONGEST_NAME = 104;

// An entry: where the area begins and how long it is, in bytes, as doubles; the length of its name, as a word; the name.
const ENTRY = 128;
const START = 0;
const LENGTH = 8;
const NAME_LENGTH = 16;
const NAME = 24;

/** The first entry's `START` is where the next area begins: it has no name. */
const DIRECTORY_BYTES = (MOST_AREAS + 1) * ENTRY;

export class KeptAreas {
  readonly #descriptor: number;
  readonly #numbers: Float64Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** Where the entries of names are. */
  readonly #entries = new Map<string, number>();

  /** The areas of a memfd, which may be empty. */
  constructor(descriptor: number) {
    const directory = mapKept(descriptor, DIRECTORY_BYTES);
    this.#descriptor = descriptor;
    this.#numbers = new Float64Array(directory, 0, DIRECTORY_BYTES / 8);
    this.#words = new Int32Array(directory, 0, DIRECTORY_BYTES / 4);
    this.#bytes = new Uint8Array(directory, 0, DIRECTORY_BYTES);
    if (this.#numbers[START] === 0) this.#numbers[START] = directory.byteLength;
    for (let entry = ENTRY; entry < DIRECTORY_BYTES; entry += ENTRY) {
      const length = this.#words[(entry + NAME_LENGTH) / 4]!;
      // What a decoder is given must not be shared.
      const name = length > 0 && this.#bytes.slice(entry + NAME, entry + NAME + length);
      if (name) this.#entries.set(new TextDecoder().decode(name), entry);
    }
  }

  /**
   * The area of a name: as the server before left it, else zeros.
   *
   * @throws {Error} when it was made with another size, as by another release, and when there is no room for one more.
   */
  map(name: string, bytes: number): SharedArrayBuffer {
    return mapKept(this.#descriptor, bytes, this.place(name, bytes));
  }

  /** Where the area of a name begins, in bytes: a number that no other area ever has. @throws {Error} as `map` does. */
  place(name: string, bytes: number): number {
    const entry = this.#entries.get(name) ?? this.#make(name, bytes);
    const length = this.#numbers[(entry + LENGTH) / 8]!;
    if (length !== bytes) {
      throw new Error(`Cannot use the kept memory "${name}": it has ${length} bytes, and not ${bytes}; mount anew`);
    }
    return this.#numbers[(entry + START) / 8]!;
  }

  /** Names of areas: this one, and those that begin with it and a slash. */
  namesBelow(name: string): string[] {
    return [...this.#entries.keys()].filter((its) => its === name || its.startsWith(`${name}/`));
  }

  /** Frees the area of a name, if there is one, and those of names that begin with it and a slash. */
  free(name: string): void {
    for (const its of this.namesBelow(name)) this.#free(its, this.#entries.get(its)!);
  }

  #free(name: string, entry: number): void {
    this.#entries.delete(name);
    Atomics.store(this.#words, (entry + NAME_LENGTH) / 4, 0);
    const [start, length] = [this.#numbers[(entry + START) / 8]!, this.#numbers[(entry + LENGTH) / 8]!];
    punchKept(this.#descriptor, BigInt(start), BigInt(wholePages(length)));
  }

  #make(name: string, bytes: number): number {
    const encoded = new TextEncoder().encode(name);
    const entry = this.#freeEntry();
    if (entry === undefined || encoded.length === 0 || encoded.length > LONGEST_NAME) {
      throw new Error(
        `Cannot keep memory as "${name}": there can be ${MOST_AREAS}, with names of 1 to ${LONGEST_NAME} bytes`,
      );
    }
    this.#numbers[(entry + START) / 8] = this.#numbers[START]!;
    this.#numbers[(entry + LENGTH) / 8] = bytes;
    this.#numbers[START]! += wholePages(bytes);
    this.#bytes.set(encoded, entry + NAME);
    Atomics.store(this.#words, (entry + NAME_LENGTH) / 4, encoded.length);
    this.#entries.set(name, entry);
    return entry;
  }

  #freeEntry(): number | undefined {
    for (let entry = ENTRY; entry < DIRECTORY_BYTES; entry += ENTRY) {
      if (this.#words[(entry + NAME_LENGTH) / 4] === 0) return entry;
    }
  }
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE) * PAGE;
}
