/**
 * Makes `OpenNodes` whole after its servers have died, while nobody uses it: what was in the midst of being changed is
 * settled, as if a request that comes again had never come, and ids that no open file has any more are closed.
 */
import type { BackingIds } from "./backing_ids.ts";
import {
  AFTER,
  at,
  BACKING_ID,
  BUCKET_WORDS,
  bucketOfWords,
  BUCKETS,
  BY,
  CHANGED,
  COUNT,
  EXPECTED,
  FIRST_BUCKET,
  FIRST_ID,
  FREE_HEAD,
  FREE_LOCK,
  HIGH_WATER,
  highOf,
  LAST_ID,
  lowOf,
  MOST_LOOPS,
  NEXT,
  NODE_HIGH,
  NODE_LOW,
  nodeAt,
  NODES,
  recordAt,
  REQUEST_HIGH,
  REQUEST_LOW,
} from "./open_node_cells.ts";
import { NOT_OPEN, OpenNodes } from "./open_nodes.ts";

const LAST_POSSIBLE_ID = 0x7fff_ffff;

type Words = Int32Array<SharedArrayBuffer>;

/**
 * `interrupted`: by loop, the request that it was at and had not answered, which comes again. `sample` is the descriptor of
 * any regular file: an id for it tells up to where the kernel has given ids. To do this twice does no harm.
 */
export function settleOpenNodes(
  words: Words,
  interrupted: readonly (number | null)[],
  ids: BackingIds,
  sample: number,
): void {
  const released = takeBackCounts(words, interrupted);
  const doubtful = rebuild(words);
  for (const node of released) countAgain(words, node);
  const live = liveIds(words);
  for (const id of doubtful) if (!live.has(id)) ids.close(id);
  closeUnnamed(words, live, ids, sample);
}

/** Undoes opens, and returns the nodes of releases that are to be undone. */
function takeBackCounts(words: Words, interrupted: readonly (number | null)[]): number[] {
  const records = interrupted.entries().filter(([loop, request]) => request !== null && isMade(words, loop, request));
  const released: number[] = [];
  // All are read before any is undone: whether one was made is told by the count.
  for (const [loop] of [...records]) {
    const record = recordAt(loop);
    const cell = Math.abs(words[record + CHANGED]!);
    // An open that counts keeps its cell; the cell of a release may be another node's by now.
    if (words[record + BY] === 1) words[at(cell) + COUNT]! -= 1;
    else released.push(nodeAt(words, record));
  }
  for (let loop = 0; loop < MOST_LOOPS; loop++) words[recordAt(loop) + CHANGED] = 0;
  return released;
}

/** Whether the loop has changed a count for this request. */
function isMade(words: Words, loop: number, request: number): boolean {
  const record = recordAt(loop);
  const changed = words[record + CHANGED]!;
  if (words[record + REQUEST_LOW] !== lowOf(request) || words[record + REQUEST_HIGH] !== highOf(request)) return false;
  // While it was being changed the loop had the bucket's lock.
  return changed > 0 || changed < 0 && words[at(-changed) + COUNT] === words[record + AFTER];
}

/** The locks, chains and free cells, by the counts. Returns the ids that are in no cell in use, unless they are elsewhere. */
function rebuild(words: Words): number[] {
  words.fill(0, FIRST_BUCKET, FIRST_BUCKET + BUCKETS * BUCKET_WORDS);
  words[FREE_LOCK] = words[FREE_HEAD] = words[NODES] = 0;
  const doubtful: number[] = [];
  for (let cell = words[HIGH_WATER]! - 1; cell > 0; cell--) {
    const start = at(cell);
    const id = words[start + BACKING_ID]!;
    const isUsed = words[start + COUNT]! > 0;
    const head = isUsed ? bucketOfWords(words[start + NODE_LOW]!, words[start + NODE_HIGH]!) + 1 : FREE_HEAD;
    words[start + NEXT] = words[head]!;
    words[head] = cell;
    if (isUsed) words[NODES]! += 1;
    else {
      if (id !== 0 && id !== NOT_OPEN) doubtful.push(Math.abs(id));
      words[start + BACKING_ID] = words[start + COUNT] = 0;
    }
  }
  return doubtful;
}

/** The release of an open comes again. If it was the node's last, the next open is free to decide anew. */
function countAgain(words: Words, node: number): void {
  const nodes = new OpenNodes(words);
  const cell = nodes.reserve();
  if (cell === 0) return;
  nodes.setId(cell, NOT_OPEN);
  if (nodes.add(node, cell) !== cell) nodes.discard(cell);
}

function liveIds(words: Words): Set<number> {
  const live = new Set<number>();
  for (let cell = 1; cell < words[HIGH_WATER]!; cell++) {
    const id = words[at(cell) + BACKING_ID]!;
    if (words[at(cell) + COUNT]! > 0 && id !== 0 && id !== NOT_OPEN) live.add(Math.abs(id));
  }
  return live;
}

/** Closes ids that the kernel gave to loops which ended before they wrote them down. */
function closeUnnamed(words: Words, live: ReadonlySet<number>, ids: BackingIds, sample: number): void {
  const records = Array.from({ length: MOST_LOOPS }, (_, loop) => recordAt(loop) + EXPECTED);
  const expected = records.map((record) => words[record]!).filter((least) => least !== 0);
  for (const record of records) words[record] = 0;
  if (expected.length === 0) return;
  const next = ids.open(sample);
  // Who may not have any has lost none.
  if (next <= 0) return;
  ids.close(next);
  words[LAST_ID] = next;
  for (const least of expected) {
    for (let id = least; id !== next; id = id === LAST_POSSIBLE_ID ? FIRST_ID : id + 1) {
      if (!live.has(id)) ids.close(id);
    }
  }
}
