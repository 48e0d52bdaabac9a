/**
 * Which files the kernel knows: a hash table from device and inode to node, shared by all loops.
 *
 * **Identity.** A node that has a descriptor pins its inode, so nobody else can get the inode's number: a node found
 * by device and inode is then that very file. A node whose descriptor was taken away (see `Descriptors`) is recognised
 * by its birth time as well; one that fails the test stays what it was until it is forgotten, and the file gets a new
 * node.
 *
 * **Lookup counts** are what the kernel knows plus one for each node whose place is remembered as a name in this one
 * (see `Places`). They are doubles, since a busy name is looked up more than 2^31 times in a day without a forget.
 *
 * **Locks.** A node's words are changed under the lock of the bucket that its key hashes to. Its key, and so its
 * bucket, never change while it lives. `FD` is also read without the lock, as told in `Descriptors`.
 */
import { FsError } from "../../fs/errors.ts";
import { type NodeId, ROOT_NODE } from "../../fs/filesystem.ts";
import type { FileKey } from "./file_status.ts";
import { lock, unlock } from "../../threads/mutex.ts";
import { Cells, EPOCH, EVICTED, type NodeMemory, NODES, OPEN_NODES } from "./node_memory.ts";

// Words of a node. The first two are the lookup count, a double.
/** The descriptor plus one, or 0. */
export const FD = 2;
/** How many nodes this cell has been. */
export const GENERATION = 3;
const INODE_LOW = 4;
const INODE_HIGH = 5;
export const DEVICE = 6;
export const MOUNT = 7;
/** The next node of the bucket's chain. */
const NEXT = 8;
/** The epoch in which the descriptor was opened. */
const OPEN_SINCE = 9;
/** Set when the descriptor is used, cleared when the search for unused ones passes. */
export const USED = 10;
/** `S_IFMT` of the mode. */
export const TYPE = 11;
/** The first cell of what says where to find the file again, or 0. */
export const PLACE = 12;
/** The first cell of the lock owners, or 0. */
export const LOCK_OWNERS = 13;
const BIRTH = 14;
export const STATE = 15;

// Bits of STATE.
export const LIVE = 1;
const HASHED = 2;
/** The descriptor must stay: without it the file could not be found again. So it is until `Places` knows where. */
export const PINNED = 4;

/** Its file may be mapped and written through a backing file, of which the kernel tells nobody. */
const MAPPABLE = 8;

/** The root's cell. It is always pinned. */
export const ROOT = 1;
/** A node id is the cell in the lower 24 bits and 16 bits of its generation above: below 2^40 in all. */
const PLACES = 1 << 24;
const GENERATIONS = 0xffff;

/** What a node leaves behind. */
export interface Remains {
  descriptor: number;
  place: number;
  lockOwners: number;
}

export class NodeTable {
  readonly cells: Cells;
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Whether the last {@linkcode adopt} kept the descriptor that it was given. */
  kept = false;

  constructor(memory: NodeMemory) {
    this.cells = new Cells(memory);
    this.words = this.cells.words;
  }

  /** Puts the root in its place. For `prepare`, before there are loops. */
  adoptRoot(key: FileKey, descriptor: number): void {
    this.#fill(this.cells.at(ROOT), key, descriptor);
    this.words[this.cells.at(ROOT) + STATE] = LIVE | PINNED;
    this.words[NODES] = 0;
  }

  /** Whether the root is the directory with this key. */
  isRoot(key: FileKey): boolean {
    return this.#hasKey(this.cells.at(ROOT), key);
  }

  /** Puts a node that is to be found by its key into its bucket's chain. For recovery, while nobody else uses the table. */
  chain(cell: number): void {
    const { words } = this;
    const at = this.cells.at(cell);
    if ((words[at + STATE]! & HASHED) === 0) return;
    const bucket = this.lockOf(cell);
    words[at + NEXT] = words[bucket + 1]!;
    words[bucket + 1] = cell;
  }

  /** The cell of a node. @throws {FsError} ESTALE for one that has been forgotten. */
  cellOf(node: NodeId): number {
    const cell = node & (PLACES - 1);
    const at = this.cells.at(cell);
    const { words } = this;
    if ((words[at + GENERATION]! & GENERATIONS) === Math.floor(node / PLACES) && words[at + STATE]! & LIVE) return cell;
    throw new FsError("ESTALE", `Node ${node} is not known`);
  }

  nodeOf(cell: number): NodeId {
    return cell === ROOT ? ROOT_NODE : cell + (this.words[this.cells.at(cell) + GENERATION]! & GENERATIONS) * PLACES;
  }

  /** How many nodes this cell has been: node and generation together never come again. */
  generationOf(cell: number): number {
    return this.words[this.cells.at(cell) + GENERATION]! >>> 0;
  }

  /** A moment for {@linkcode meet}. */
  get epoch(): number {
    return Atomics.load(this.words, EPOCH);
  }

  /**
   * Counts a lookup of the node with this key and returns its cell, or 0. The key comes from a name, not from a
   * descriptor, so between the two the name could have been removed and its inode number given to another file. A
   * descriptor that was open before the name was looked at (`epoch` was taken then) rules that out.
   */
  meet(key: FileKey, epoch: number): number {
    const { words } = this;
    const bucket = this.cells.bucket(hash(key));
    lock(words, bucket);
    const cell = this.#find(bucket, key);
    const at = this.cells.at(cell);
    const met = cell !== 0 && words[at + FD] !== 0 && ((epoch - words[at + OPEN_SINCE]!) | 0) >= 0;
    if (met) this.cells.floats[at / 2]! += 1;
    unlock(words, bucket);
    return met ? cell : 0;
  }

  /**
   * Counts a lookup of the file behind `descriptor` and returns its cell; a new one when it has none. When the node
   * has a descriptor already, `kept` is false and the caller closes its own.
   */
  adopt(key: FileKey, descriptor: number): number {
    const { words } = this;
    const bucket = this.cells.bucket(hash(key));
    lock(words, bucket);
    try {
      let cell = this.#find(bucket, key);
      if (cell !== 0 && !this.#isSame(cell, key)) {
        this.#unhash(bucket, cell);
        cell = 0;
      }
      this.kept = cell === 0 || words[this.cells.at(cell) + FD] === 0;
      if (cell === 0) cell = this.#insert(bucket, key, descriptor);
      else if (this.kept) this.#open(this.cells.at(cell), descriptor);
      this.cells.floats[this.cells.at(cell) / 2]! += 1;
      return cell;
    } finally {
      unlock(words, bucket);
    }
  }

  /** The cell of the node with this key, or 0, without counting. The caller knows that the kernel holds the node. */
  find(key: FileKey): number {
    const bucket = this.cells.bucket(hash(key));
    lock(this.words, bucket);
    const cell = this.#find(bucket, key);
    unlock(this.words, bucket);
    return cell;
  }

  /** Whether `key` is this node's file, birth time and all. */
  matches(cell: number, key: FileKey): boolean {
    return this.#hasKey(this.cells.at(cell), key) && this.words[this.cells.at(cell) + BIRTH] === key.birth;
  }

  /** Gives the node its descriptor back. False when another loop was faster; the caller then closes its own. */
  reopen(cell: number, descriptor: number): boolean {
    return this.locked(cell, (at) => {
      if (this.words[at + FD] !== 0) return false;
      this.#open(at, descriptor);
      return true;
    });
  }

  /**
   * Runs `action` under the node's lock, with its first word. No system call, no other lock but the free list's.
   * A cell that was picked without the kernel holding its node (to take its descriptor) may have become another node
   * by now: then its bucket is another too, or `LIVE`, which is set last, is not set.
   */
  locked<T>(cell: number, action: (at: number) => T): T {
    let bucket = this.lockOf(cell);
    for (lock(this.words, bucket); bucket !== this.lockOf(cell); lock(this.words, bucket)) {
      unlock(this.words, bucket);
      bucket = this.lockOf(cell);
    }
    try {
      return action(this.cells.at(cell));
    } finally {
      unlock(this.words, bucket);
    }
  }

  /** From here on the file may change through a mapping. Says whether that is new. */
  markMappable(cell: number): boolean {
    return this.locked(cell, (at) => {
      const state = this.words[at + STATE]!;
      this.words[at + STATE] = state | MAPPABLE;
      return (state & MAPPABLE) === 0;
    });
  }

  isMappable(cell: number): boolean {
    return (this.words[this.cells.at(cell) + STATE]! & MAPPABLE) !== 0;
  }

  /** Where the lock of a node is. */
  lockOf(cell: number): number {
    const { words } = this;
    const at = this.cells.at(cell);
    return this.cells.bucket(hashWords(words[at + INODE_LOW]!, words[at + INODE_HIGH]!, words[at + DEVICE]!));
  }

  /** Adds one to the lookup count on behalf of a node that is remembered by a name in this one. */
  retain(cell: number): void {
    if (cell !== ROOT) this.locked(cell, (at) => this.cells.floats[at / 2]! += 1);
  }

  /**
   * Takes `count` lookups back. At zero the node is gone: its cell is free, and its remains, which the caller has to
   * close, are written to `remains`. Says whether that was so.
   */
  forget(cell: number, count: number, remains: Remains): boolean {
    if (cell === ROOT) return false;
    const { words } = this;
    const { floats } = this.cells;
    const bucket = this.lockOf(cell);
    const at = this.cells.at(cell);
    lock(words, bucket);
    floats[at / 2]! -= count;
    const gone = floats[at / 2]! <= 0;
    if (gone) this.#remove(bucket, cell, remains);
    unlock(words, bucket);
    return gone;
  }

  #remove(bucket: number, cell: number, remains: Remains): void {
    const { words } = this;
    const at = this.cells.at(cell);
    if (words[at + STATE]! & HASHED) this.#unhash(bucket, cell);
    remains.descriptor = words[at + FD]! - 1;
    remains.place = words[at + PLACE]!;
    remains.lockOwners = words[at + LOCK_OWNERS]!;
    Atomics.store(words, at + FD, 0);
    words[at + STATE] = 0;
    words[at + GENERATION]! += 1;
    Atomics.sub(words, NODES, 1);
    Atomics.sub(words, remains.descriptor >= 0 ? OPEN_NODES : EVICTED, 1);
    this.cells.give(cell);
  }

  #find(bucket: number, key: FileKey): number {
    const { words } = this;
    for (let cell = words[bucket + 1]!; cell !== 0;) {
      const at = this.cells.at(cell);
      if (this.#hasKey(at, key)) return cell;
      cell = words[at + NEXT]!;
    }
    return 0;
  }

  #hasKey(at: number, key: FileKey): boolean {
    const { words } = this;
    return words[at + INODE_LOW] === key.inodeLow && words[at + INODE_HIGH] === key.inodeHigh &&
      words[at + DEVICE] === key.device && words[at + MOUNT] === key.mount && words[at + TYPE] === key.type;
  }

  /** The caller has the file open: so either it is the inode that the node pins, or the birth time has to decide. */
  #isSame(cell: number, key: FileKey): boolean {
    const at = this.cells.at(cell);
    return this.words[at + FD] !== 0 || this.words[at + BIRTH] === key.birth;
  }

  #insert(bucket: number, key: FileKey, descriptor: number): number {
    const cell = this.cells.take();
    const at = this.cells.at(cell);
    const { words } = this;
    this.#fill(at, key, descriptor);
    Atomics.store(words, at + STATE, LIVE | HASHED | PINNED);
    words[at + NEXT] = words[bucket + 1]!;
    words[bucket + 1] = cell;
    return cell;
  }

  #fill(at: number, key: FileKey, descriptor: number): void {
    const { words } = this;
    this.cells.floats[at / 2] = 0;
    words[at + INODE_LOW] = key.inodeLow;
    words[at + INODE_HIGH] = key.inodeHigh;
    words[at + DEVICE] = key.device;
    words[at + MOUNT] = key.mount;
    words[at + TYPE] = key.type;
    words[at + BIRTH] = key.birth;
    words[at + PLACE] = 0;
    words[at + LOCK_OWNERS] = 0;
    Atomics.add(words, NODES, 1);
    Atomics.add(words, EVICTED, 1);
    this.#open(at, descriptor);
  }

  #open(at: number, descriptor: number): void {
    const { words } = this;
    words[at + OPEN_SINCE] = Atomics.add(words, EPOCH, 1) + 1;
    words[at + USED] = 1;
    Atomics.store(words, at + FD, descriptor + 1);
    Atomics.add(words, OPEN_NODES, 1);
    Atomics.sub(words, EVICTED, 1);
  }

  #unhash(bucket: number, cell: number): void {
    const { words } = this;
    let link = bucket + 1;
    while (words[link] !== cell) link = this.cells.at(words[link]!) + NEXT;
    words[link] = words[this.cells.at(cell) + NEXT]!;
    words[this.cells.at(cell) + STATE]! &= ~HASHED;
  }
}

function hash(key: FileKey): number {
  return hashWords(key.inodeLow, key.inodeHigh, key.device);
}

function hashWords(inodeLow: number, inodeHigh: number, device: number): number {
  const mixed = Math.imul(inodeLow, 0x9e3779b1) ^ Math.imul(inodeHigh ^ device, 0x85ebca6b);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 12;
}
