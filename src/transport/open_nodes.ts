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
 */
import type { NodeId } from "../fs/filesystem.ts";
import { lock, unlock } from "../threads/mutex.ts";

// Words of the header.
const FREE_LOCK = 0;
const FREE_HEAD = 1;
/** One past the last cell that was ever used; cell 0 is none. */
const HIGH_WATER = 2;
/** Set for good when there was no room for a node. */
const OVERFLOWN = 3;
/** How many nodes are open, for `size`. */
const NODES = 4;
const HEADER_WORDS = 8;

const BUCKETS = 1 << 14;
/** A bucket is a lock and the first cell of its chain. */
const BUCKET_WORDS = 2;

// Words of a cell.
const NODE_LOW = 0;
const NODE_HIGH = 1;
const COUNT = 2;
const BACKING_ID = 3;
const NEXT = 4;
const CELL_WORDS = 5;

/** As many as a process may have descriptors, unless the kernel is told otherwise (fs.nr_open). */
const MOST_NODES = 1 << 20;

/** What `join` answers for a node that nobody has open: no id, whatever its sign. */
export const NOT_OPEN = -0x8000_0000;

/** Memory for {@linkcode OpenNodes}, with room for `nodes` of them. */
export function makeOpenNodes(nodes = MOST_NODES): Int32Array<SharedArrayBuffer> {
  const words = HEADER_WORDS + BUCKETS * BUCKET_WORDS + (nodes + 1) * CELL_WORDS;
  const memory = new Int32Array(new SharedArrayBuffer(words * 4));
  memory[HIGH_WATER] = 1;
  return memory;
}

/** One thread's view of the table. */
export class OpenNodes {
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
  }

  /** How many nodes are open. */
  get size(): number {
    return Atomics.load(this.#words, NODES);
  }

  /**
   * Whether a node was once turned away for want of room: it is open and nobody knows how, so that from then on no
   * node may be the first to have a backing id.
   */
  get overflown(): boolean {
    return Atomics.load(this.#words, OVERFLOWN) !== 0;
  }

  /** Counts one more open of a node that is open, and returns its backing id, 0 for none; {@linkcode NOT_OPEN}. */
  join(node: NodeId): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    const cell = this.#find(bucket, node);
    if (cell !== 0) words[at(cell) + COUNT]! += 1;
    const id = cell === 0 ? NOT_OPEN : words[at(cell) + BACKING_ID]!;
    unlock(words, bucket);
    return id;
  }

  /**
   * Counts the first open of a node and returns `id`. When another thread's open was the first, it is that one's id:
   * the caller takes its own back.
   */
  add(node: NodeId, id: number): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    let cell = this.#find(bucket, node);
    if (cell === 0) cell = this.#insert(bucket, node, id);
    if (cell !== 0) words[at(cell) + COUNT]! += 1;
    const agreed = cell === 0 ? 0 : words[at(cell) + BACKING_ID]!;
    unlock(words, bucket);
    return agreed;
  }

  /** Counts one open less. Returns the backing id that nobody has any more, or 0. */
  leave(node: NodeId): number {
    const words = this.#words;
    const bucket = bucketOf(node);
    lock(words, bucket);
    const cell = this.#find(bucket, node);
    let unused = 0;
    if (cell !== 0 && --words[at(cell) + COUNT]! === 0) {
      unused = words[at(cell) + BACKING_ID]!;
      this.#remove(bucket, cell);
    }
    unlock(words, bucket);
    return unused;
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

  /** A new cell with a count of 0; 0 when there is no room. */
  #insert(bucket: number, node: NodeId, id: number): number {
    const words = this.#words;
    const cell = this.#take();
    if (cell === 0) return 0;
    const start = at(cell);
    words[start + NODE_LOW] = lowOf(node);
    words[start + NODE_HIGH] = highOf(node);
    words[start + COUNT] = 0;
    words[start + BACKING_ID] = id;
    words[start + NEXT] = words[bucket + 1]!;
    words[bucket + 1] = cell;
    Atomics.add(words, NODES, 1);
    return cell;
  }

  #remove(bucket: number, cell: number): void {
    const words = this.#words;
    let link = bucket + 1;
    while (words[link] !== cell) link = at(words[link]!) + NEXT;
    words[link] = words[at(cell) + NEXT]!;
    Atomics.sub(words, NODES, 1);
    lock(words, FREE_LOCK);
    words[at(cell) + NEXT] = words[FREE_HEAD]!;
    words[FREE_HEAD] = cell;
    unlock(words, FREE_LOCK);
  }

  #take(): number {
    const words = this.#words;
    lock(words, FREE_LOCK);
    let cell = words[FREE_HEAD]!;
    if (cell !== 0) words[FREE_HEAD] = words[at(cell) + NEXT]!;
    else if (at(words[HIGH_WATER]! + 1) <= words.length) cell = words[HIGH_WATER]!++;
    else Atomics.store(words, OVERFLOWN, 1);
    unlock(words, FREE_LOCK);
    return cell;
  }
}

/** The first word of a cell. */
function at(cell: number): number {
  return HEADER_WORDS + BUCKETS * BUCKET_WORDS + cell * CELL_WORDS;
}

/** The lock word of a node's bucket; its chain's head is the next word. */
function bucketOf(node: NodeId): number {
  const mixed = Math.imul(lowOf(node) ^ Math.imul(highOf(node), 0x85ebca6b), 0x9e3779b1);
  return HEADER_WORDS + ((mixed >>> 8) & (BUCKETS - 1)) * BUCKET_WORDS;
}

/** The two halves of a node id, as words hold them. */
function lowOf(node: NodeId): number {
  return node | 0;
}

function highOf(node: NodeId): number {
  return Math.floor(node / 0x1_0000_0000);
}
