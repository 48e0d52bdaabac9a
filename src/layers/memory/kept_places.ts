/**
 * How the file is divided that outlives the server: the log, in one of two places, and for each node of the filesystem a
 * place as large as a file may be. Places are used again; node ids never are.
 */
import type { KeptFile } from "../../kept/kept_file.ts";
import { type Chunk, CHUNK_SIZE } from "./chunk.ts";
import { Content } from "./content.ts";
import type { Capacity } from "./capacity.ts";
import { KeptChunk } from "./kept_chunk.ts";

/** Behind the log (`kept_log.ts`), and at a multiple of a place's size. */
const FIRST_PLACE = 1n << 41n;
/** The largest file: 512 GiB. */
const PLACE_SIZE = 1n << 39n;

/** How many nodes there can be. */
export const MOST_PLACES = 1 << 22;

const PAGE = 4096n;

/** The content of a file in its place; empty as long as nobody has written there. */
export function makeKeptContent(file: KeptFile, place: number, capacity: Capacity): Content {
  const begin = beginOf(place);
  return new Content(capacity, {
    mostBytes: Number(PLACE_SIZE),
    makeChunk: (index) => new KeptChunk(file, begin + BigInt(index * CHUNK_SIZE)),
  });
}

/**
 * As it was left. What lies beyond the file's size was written for a change that never came to be: it must read as zeros,
 * should the file grow.
 */
export function restoreKeptContent(file: KeptFile, place: number, size: number, capacity: Capacity): Content {
  const begin = beginOf(place);
  file.punch(begin + BigInt(size), PLACE_SIZE - BigInt(size));
  const chunks = new Map<number, Chunk>();
  for (const [start, end] of file.written(begin, begin + roundUp(BigInt(size)))) {
    for (let at = start; at < end;) {
      const index = Number((at - begin) / BigInt(CHUNK_SIZE));
      const first = begin + BigInt(index * CHUNK_SIZE);
      const stop = min(end, first + BigInt(CHUNK_SIZE));
      const chunk = chunks.getOrInsertComputed(index, () => new KeptChunk(file, first));
      chunk.mark(Number(at - first), Number(stop - first));
      at = stop;
    }
  }
  const content = makeKeptContent(file, place, capacity);
  content.restore(size, chunks);
  return content;
}

function beginOf(place: number): bigint {
  return FIRST_PLACE + BigInt(place) * PLACE_SIZE;
}

function roundUp(size: bigint): bigint {
  return (size + PAGE - 1n) / PAGE * PAGE;
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
