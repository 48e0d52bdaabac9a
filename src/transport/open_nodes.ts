/**
 * Which nodes are open, how often, and with which backing id: a hash table in memory that all servers of a mount
 * share, for a file may be opened by way of one of them and released by way of another. Untouched parts cost no memory.
 *
 * The first open of a node decides for all until the last one is released: with a backing id (the kernel keeps what is
 * in the file out of its page cache) or without (the kernel may cache it). The kernel refuses an open that disagrees
 * with `EIO` (fuse_file_io_open in fs/fuse/iomode.c). It lets go of an open before it sends the RELEASE, so while an
 * open counts for the kernel it counts here.
 *
 * **Locks.** An entry belongs to the bucket of its node and is changed under that bucket's lock, which is held for
 * nothing else. Lock order: a bucket's, then the free list's.
 *
 * **Deaths.** Where a keeper holds the mount the table outlives its servers, and `open_nodes_recovery.ts` makes it whole
 * between two of them. A cell is in use when its count is not 0, which is written after all else; one that is not in use
 * keeps its id until that is closed, so that the keeper finds it. Each loop writes down which count it changes last, and
 * for which request.
 */
import type { NodeId } from "../fs/filesystem.ts";
import { lock, unlock } from "../threads/mutex.ts";
import {
  AFTER,
  at,
  BACKING_ID,
  bucketOf,
  BY,
  CHANGED,
  COUNT,
  EXPECTED,
  FIRST_ID,
  FREE_HEAD,
  FREE_LOCK,
  HIGH_WATER,
  highOf,
  LAST_ID,
  lowOf,
  NEXT,
  NODE_HIGH,
  NODE_LOW,
  nodeAt,
  NODES,
  OVERFLOWN,
  recordAt,
  REQUEST_HIGH,
  REQUEST_LOW,
} from "./open_node_cells.ts";

/** As many as a process may have descriptors, unless the kernel is told otherwise (fs.nr_open). */
const MOST_NODES = 1 << 20;

/** What `join` answers for a node that nobody has open, and no id, whatever its sign. */
export const NOT_OPEN = -0x8000_0000;

/** How many bytes a table with room for `nodes` takes. */
export function openNodesSize(nodes = MOST_NODES): number {
  return at(nodes + 1) * 4;
}

/** Memory for {@linkcode OpenNodes}, with room for `nodes` of them. */
export function makeOpenNodes(nodes = MOST_NODES): Int32Array<SharedArrayBuffer> {
  return openNodesIn(new SharedArrayBuffer(openNodesSize(nodes)), nodes);
}

/** A table with room for `nodes`, in memory that is all zeros, or has one. */
export function openNodesIn(memory: SharedArrayBuffer, nodes = MOST_NODES): Int32Array<SharedArrayBuffer> {
  const words = new Int32Array(memory, 0, openNodesSize(nodes) / 4);
  if (words[HIGH_WATER] === 0) words[HIGH_WATER] = 1;
  return words;
}

/** One thread's view of the table. Requests are named by their numbers, where a loop writes them down. */
export class OpenNodes {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Where this thread writes down what it changes; 0 for one whose end is the table's. */
  readonly #record: number;

  /** `loop`: which loop the thread is, where the table outlives it. */
  constructor(words: Int32Array<SharedArrayBuffer>, loop?: number) {
    this.#words = words;
    this.#record = loop === undefined ? 0 : recordAt(loop);
  }

  /** How many nodes are open. */
  get size(): number {
    return Atomics.load(this.#words, NODES);
  }

  /** The nodes that the kernel may read and write itself. To be asked while nobody opens or releases. */
  *passedThrough(): IterableIterator<NodeId> {
    const words = this.#words;
    for (let cell = 1; cell < words[HIGH_WATER]!; cell++) {
      const start = at(cell);
      const id = words[start + BACKING_ID]!;
      if (words[start + COUNT]! > 0 && id !== 0 && id !== NOT_OPEN) yield nodeAt(words, start);
    }
  }

  /**
   * Whether a node was once turned away for want of room: it is open and nobody knows how, so that from then on no
   * node may be the first to have a backing id.
   */
  get overflown(): boolean {
    return Atomics.load(this.#words, OVERFLOWN) !== 0;
  }

  /** Counts one more open of a node that is open, and returns its backing id, 0 for none; {@linkcode NOT_OPEN}. */
  join(node: NodeId, request = 0): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    const cell = this.#find(bucket, node);
    const id = cell === 0 ? NOT_OPEN : words[at(cell) + BACKING_ID]!;
    if (id !== NOT_OPEN) this.#count(cell, 1, request);
    unlock(words, bucket);
    return id;
  }

  /** A cell for the first open of a node, without an id: the caller's until {@linkcode add}; 0 when there is no room. */
  reserve(): number {
    const words = this.#words;
    lock(words, FREE_LOCK);
    let cell = words[FREE_HEAD]!;
    if (cell !== 0) words[FREE_HEAD] = words[at(cell) + NEXT]!;
    else if (at(words[HIGH_WATER]! + 1) <= words.length) cell = words[HIGH_WATER]!++;
    else Atomics.store(words, OVERFLOWN, 1);
    unlock(words, FREE_LOCK);
    return cell;
  }

  /** The kernel is about to be asked for an id. Whoever ends before {@linkcode setId} leaves one that no cell names. */
  expectId(): void {
    if (this.#record === 0) return;
    const last = this.#words[LAST_ID]!;
    Atomics.store(this.#words, this.#record + EXPECTED, last === 0x7fff_ffff ? FIRST_ID : last + 1);
  }

  /** What came of it, for a cell that is the caller's: an id, negated at will, or 0. */
  setId(cell: number, id: number): void {
    const words = this.#words;
    Atomics.store(words, at(cell) + BACKING_ID, id);
    if (this.#record === 0) return;
    if (id !== 0) Atomics.store(words, LAST_ID, Math.abs(id));
    Atomics.store(words, this.#record + EXPECTED, 0);
  }

  /** What is in a cell that the caller has, or has counted an open in. */
  idOf(cell: number): number {
    const id = this.#words[at(cell) + BACKING_ID]!;
    return id === NOT_OPEN ? 0 : id;
  }

  /**
   * Counts the first open of a node, with what is in `cell`. Returns the cell that it counts in: another one when another
   * thread's open was the first, and then `cell` is still the caller's, to be discarded.
   */
  add(node: NodeId, cell: number, request = 0): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    const known = this.#find(bucket, node);
    if (known === 0) this.#insert(bucket, cell, node);
    else if (words[at(known) + BACKING_ID] === NOT_OPEN) {
      Atomics.store(words, at(known) + BACKING_ID, words[at(cell) + BACKING_ID]!);
      Atomics.store(words, at(cell) + BACKING_ID, 0);
    }
    const counted = known === 0 ? cell : known;
    this.#count(counted, 1, request);
    unlock(words, bucket);
    return counted;
  }

  /**
   * Counts one open less. Returns the cell of a node that nobody has open any more, or 0: the caller closes the id that
   * is in it and discards it.
   */
  leave(node: NodeId, request = 0): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    const cell = this.#find(bucket, node);
    let unused = 0;
    if (cell !== 0) {
      this.#count(cell, -1, request);
      if (words[at(cell) + COUNT] === 0) this.#remove(bucket, unused = cell);
    }
    unlock(words, bucket);
    return unused;
  }

  /** Gives back a cell that nobody counts in, whose id, if it had one, is closed. */
  discard(cell: number): void {
    const words = this.#words;
    Atomics.store(words, at(cell) + BACKING_ID, 0);
    lock(words, FREE_LOCK);
    words[at(cell) + NEXT] = words[FREE_HEAD]!;
    words[FREE_HEAD] = cell;
    unlock(words, FREE_LOCK);
  }

  /** Under the bucket's lock: whoever ends in here, nobody else has changed the count since. */
  #count(cell: number, by: number, request: number): void {
    const words = this.#words;
    const count = at(cell) + COUNT;
    const after = words[count]! + by;
    const record = this.#record;
    if (record === 0) return void (words[count] = after);
    Atomics.store(words, record + CHANGED, 0);
    words[record + BY] = by;
    words[record + AFTER] = after;
    words[record + REQUEST_LOW] = lowOf(request);
    words[record + REQUEST_HIGH] = highOf(request);
    words[record + NODE_LOW] = words[at(cell) + NODE_LOW]!;
    words[record + NODE_HIGH] = words[at(cell) + NODE_HIGH]!;
    Atomics.store(words, record + CHANGED, -cell);
    Atomics.store(words, count, after);
    Atomics.store(words, record + CHANGED, cell);
  }

  #find(bucket: number, node: NodeId): number {
    const words = this.#words;
    const low = lowOf(node);
    const high = highOf(node);
    for (let cell = words[bucket + 1]!; cell !== 0; cell = words[at(cell) + NEXT]!) {
      if (words[at(cell) + NODE_LOW] === low && words[at(cell) + NODE_HIGH] === high) return cell;
    }
    return 0;
  }

  #insert(bucket: number, cell: number, node: NodeId): void {
    const words = this.#words;
    const start = at(cell);
    words[start + NODE_LOW] = lowOf(node);
    words[start + NODE_HIGH] = highOf(node);
    words[start + NEXT] = words[bucket + 1]!;
    words[bucket + 1] = cell;
    Atomics.add(words, NODES, 1);
  }

  #remove(bucket: number, cell: number): void {
    const words = this.#words;
    let link = bucket + 1;
    while (words[link] !== cell) link = at(words[link]!) + NEXT;
    words[link] = words[at(cell) + NEXT]!;
    Atomics.sub(words, NODES, 1);
  }
}
