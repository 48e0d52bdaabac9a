/**
 * One file in memory for the contents of many: extents of 512 TiB of address, each of which is one part's. A part has as
 * many as it writes to; holes cost nothing. Whose an extent is, and which of the part's, is one word, so that it is there
 * or not, whenever the server ends.
 */
import { openLibc } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { errnoName } from "../fs/errors.ts";
import type { KeptFilePlace } from "../fs/module.ts";
import { KeptAreas } from "./kept_areas.ts";
import { PAGE, punchKept } from "./kept_memory.ts";

/** The size of an extent is two to the power of this, in bytes. */
const EXTENT_BITS = 49n;
const EXTENT = 1n << EXTENT_BITS;

/** How many there are; the first has the names of parts and the table. */
const EXTENTS = 8192;
const FIRST = 1;

/** The file's size in bytes. */
const FILE_SIZE = EXTENT * BigInt(EXTENTS);

const TABLE = "extents";
const PARTS = "parts";

/** The word of an extent: the owner, and which of the owner's it is. 0 is nobody's. */
function wordOf(owner: number, index: number): bigint {
  return BigInt(owner) * BigInt(EXTENTS) + BigInt(index);
}

/** The parts of a file that the keeper holds, by name. For the server's main thread. */
export class KeptFileParts {
  readonly #descriptor: number;
  readonly #areas: KeptAreas;
  readonly #extents: SharedArrayBuffer;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    // Areas would make it longer bit by bit, and it must not change its length while it is mapped.
    if (openFiles().ftruncate(descriptor, FILE_SIZE) < 0) {
      throw new Error(`Cannot make room in the file that outlives the server: ${errnoName(openLibc().errno[0]!)}`);
    }
    this.#areas = new KeptAreas(descriptor);
    this.#extents = this.#areas.map(TABLE, EXTENTS * 8);
  }

  /** The file of a part: as the server before left it, else empty. */
  place(name: string): KeptFilePlace {
    return this.#placeOf(`${PARTS}/${name}`);
  }

  /** Frees the files of a part and of its parts: nobody uses them any more. */
  free(name: string): void {
    const area = `${PARTS}/${name}`;
    for (const its of this.#areas.namesBelow(area)) new KeptExtents(this.#placeOf(its)).free();
    this.#areas.free(area);
  }

  #placeOf(area: string): KeptFilePlace {
    // Where its area is says who it is: no other part ever has that place.
    const owner = this.#areas.place(area, PAGE) / PAGE;
    return { descriptor: this.#descriptor, owner, extents: this.#extents };
  }
}

/** The extents of one part. Only one thread at a time may have them. */
export class KeptExtents {
  readonly #place: KeptFilePlace;
  readonly #words: BigInt64Array;
  /** By their numbers among the part's own: what to add to an offset in the part to have one in the file. */
  readonly #shifts: (bigint | undefined)[] = [];

  constructor(place: KeptFilePlace) {
    this.#place = place;
    this.#words = new BigInt64Array(place.extents, 0, EXTENTS);
    for (const [number, index] of this.#own()) this.#shifts[index] = shift(number, index);
  }

  /** Where an offset of the part is in the file; undefined where nothing was written yet. */
  find(offset: bigint): bigint | undefined {
    const shift = this.#shifts[Number(offset >> EXTENT_BITS)];
    return shift === undefined ? undefined : offset + shift;
  }

  /** As `find`, where something is to be written. Undefined when all extents are taken. */
  reach(offset: bigint): bigint | undefined {
    return this.find(offset) ?? this.#take(offset);
  }

  #take(offset: bigint): bigint | undefined {
    const index = Number(offset >> EXTENT_BITS);
    const word = wordOf(this.#place.owner, index);
    for (let number = FIRST; number < EXTENTS; number++) {
      if (Atomics.compareExchange(this.#words, number, 0n, word) !== 0n) continue;
      this.#shifts[index] = shift(number, index);
      return this.find(offset);
    }
  }

  /** Empties them, and lets others have them. */
  free(): void {
    for (const [number] of this.#own()) {
      punchKept(this.#place.descriptor, BigInt(number) * EXTENT, EXTENT);
      Atomics.store(this.#words, number, 0n);
    }
    this.#shifts.length = 0;
  }

  *#own(): Generator<[number: number, index: number]> {
    const first = wordOf(this.#place.owner, 0);
    for (let number = FIRST; number < EXTENTS; number++) {
      const index = this.#words[number]! - first;
      if (index >= 0n && index < BigInt(EXTENTS)) yield [number, Number(index)];
    }
  }
}

function shift(number: number, index: number): bigint {
  return BigInt(number - index) * EXTENT;
}
