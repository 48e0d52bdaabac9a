/** Copying between the contents of two files, or within one, so that holes stay holes. */
import { CHUNK_SIZE } from "./chunk.ts";
import type { Content } from "./content.ts";

/** A position in a content. */
export interface ContentPosition {
  content: Content;
  offset: number;
}

// A chunk is copied at a time, so one buffer serves all copies.
const scratch = new Uint8Array(CHUNK_SIZE);
const buffers = { allocate: (size: number) => scratch.subarray(0, size) };

/** Copies up to `length` bytes and returns how many there were, and was space for. */
export function copyContent(from: ContentPosition, to: ContentPosition, length: number): number {
  const end = Math.min(from.offset + length, from.content.size);
  const shift = to.offset - from.offset;
  let at = from.offset;
  while (at < end) {
    const data = Math.min(from.content.nextData(at) ?? end, end);
    if (data > at) punchTo(to.content, at + shift, data + shift);
    const stop = Math.min(from.content.nextHole(data), end, data + CHUNK_SIZE);
    const written = to.content.write(data + shift, from.content.read(data, stop - data, buffers));
    at = data + written;
    if (at < stop) break;
  }
  return Math.max(0, at - from.offset);
}

/** Makes [`start`, `stop`) of `content` zeros, and its size at least `stop`. */
function punchTo(content: Content, start: number, stop: number): void {
  content.punch(start, stop - start);
  if (content.size < stop) content.resize(stop);
}
