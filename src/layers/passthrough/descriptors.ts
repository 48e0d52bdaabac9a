/**
 * The nodes' descriptors (`O_PATH`: they pin an inode, permit nothing) and their bound. A node has one from its first
 * lookup on; when there are more than the limit, the least recently used are closed and opened again when needed. Open
 * files have descriptors of their own and are not touched.
 *
 * **Hazards.** A descriptor may not be closed while another loop is inside a call with it. So a loop reads a node's
 * descriptor, writes it into one of its hazard words, and reads it once more: if it is still the node's, it is safe. Who
 * wants to close one first takes it out of the node and then looks at all hazards. Atomics order the steps, so that at
 * least one of the two sees the other: the reader finds the descriptor gone (and opens the file again), or the closer
 * finds the hazard (and puts the descriptor back, or closes it later). A hazard is not cleared after use: it holds up
 * one descriptor, whose number nobody else can have meanwhile.
 */
import { FsError } from "../../fs/errors.ts";
import type { NodeId } from "../../fs/filesystem.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_PATH } from "../../fs/flags.ts";
import { type DescriptorRegister, NODE } from "./descriptor_register.ts";
import { FileStatus, STATX_MASK } from "./file_status.ts";
import type { Identity } from "./identity.ts";
import { EVICTED, HAND, HAZARDS, HIGH_WATER, OPEN_NODES } from "./node_memory.ts";
import { FD, GENERATION, LIVE, type NodeTable, PINNED, PLACE, type Remains, ROOT, STATE, USED } from "./node_table.ts";
import type { Places } from "./places.ts";
import { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, EMPTY, type SystemCalls } from "./system_calls.ts";

// The hazard words of a loop: two for a request's own nodes, one for a parent on the way back to a file, one for the
// node whose descriptor is to be taken.
export const FIRST = 0;
export const SECOND = 1;
const PARENT = 2;
const TAKEN = 3;

/** How many cells one search for unused descriptors looks at, at most: everything may be pinned. */
const SEARCH = 4096;
/** A tree deeper than this is not walked back to. */
const DEPTH = 2000;

/** What `Descriptors` works with. */
export interface DescriptorParts {
  readonly table: NodeTable;
  readonly places: Places;
  readonly register: DescriptorRegister;
  readonly calls: SystemCalls;
  readonly identity: Identity;
  readonly loop: number;
  /** How many nodes may have a descriptor. */
  readonly limit: number;
}

export class Descriptors {
  readonly #parts: DescriptorParts;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #hazards: number;
  readonly #status = new FileStatus();
  readonly #remains: Remains = { descriptor: -1, place: 0, lockOwners: 0 };
  /** Descriptors that another loop may still be using. */
  readonly #later: number[] = [];
  #reclaiming = false;
  #depth = 0;

  constructor(parts: DescriptorParts) {
    this.#parts = parts;
    this.#words = parts.table.words;
    this.#hazards = parts.table.cells.hazards(parts.loop);
    parts.places.releaseParent = (parent) => {
      this.forgetCell(parent, 1);
    };
  }

  /** A node's descriptor, safe until the same hazard is used again. */
  use(node: NodeId, hazard = FIRST): number {
    return this.useCell(this.#parts.table.cellOf(node), hazard);
  }

  /** As {@linkcode use}, by cell. */
  useCell(cell: number, hazard: number): number {
    const at = this.#parts.table.cells.at(cell);
    const descriptor = this.#protect(at, hazard);
    if (descriptor < 0) return this.#reopen(cell, hazard);
    if (this.#words[at + USED] === 0) this.#words[at + USED] = 1;
    return descriptor;
  }

  /** A node's descriptor, named by a hazard; -1 when it has none. */
  #protect(at: number, hazard: number): number {
    const words = this.#words;
    for (let found = Atomics.load(words, at + FD); found !== 0;) {
      Atomics.store(words, this.#hazards + hazard, found);
      const still = Atomics.load(words, at + FD);
      if (still === found) return found - 1;
      found = still;
    }
    return -1;
  }

  #reopen(cell: number, hazard: number): number {
    const { identity } = this.#parts;
    this.reclaim();
    if (this.#depth > DEPTH) throw new FsError("ESTALE", "Cannot find the file again: its path is too deep");
    this.#depth++;
    try {
      identity.asServer(() => this.#openAgain(cell));
    } finally {
      this.#depth--;
    }
    return this.useCell(cell, hazard);
  }

  #openAgain(cell: number): void {
    const { table, places, register } = this.#parts;
    const found = places.open(cell, (parent) => this.useCell(parent, PARENT));
    if (!this.#isFile(cell, found)) {
      this.#parts.calls.close(found);
      throw new FsError("ESTALE", "Cannot find the file again: another one has its name now");
    }
    register.add(found, NODE);
    if (!table.reopen(cell, found)) register.close(found);
  }

  #isFile(cell: number, descriptor: number): boolean {
    return this.#look(descriptor, EMPTY, AT_EMPTY_PATH) >= 0 &&
      this.#parts.table.matches(cell, this.#status.readKey());
  }

  #look(directory: number, name: Uint8Array<ArrayBuffer>, flags: number): number {
    return this.#parts.calls.files.statx(directory, name, flags | AT_NO_AUTOMOUNT, STATX_MASK, this.#status.buffer);
  }

  /** The kernel took back `count` lookups of a node. One that is not known (any more) is passed over. */
  forget(node: NodeId, count: number): void {
    this.forgetCell(this.#parts.table.cellOf(node), count);
  }

  /** As {@linkcode forget}, by cell. */
  forgetCell(cell: number, count: number): void {
    const remains = this.#remains;
    if (!this.#parts.table.forget(cell, count, remains)) return;
    const { descriptor, place, lockOwners } = remains;
    this.#closeLater();
    if (descriptor >= 0) this.#closeUnused(descriptor);
    if (lockOwners !== 0) this.closeLockOwners(lockOwners);
    this.#parts.places.drop(place);
  }

  /** Set by `lockOperations`, which knows what the chain is. */
  closeLockOwners: (first: number) => void = () => {};

  #closeUnused(descriptor: number): void {
    if (this.#isInUse(descriptor, true)) this.#later.push(descriptor);
    else this.#parts.register.close(descriptor);
  }

  #closeLater(): void {
    for (let index = this.#later.length - 1; index >= 0; index--) {
      const descriptor = this.#later[index]!;
      if (this.#isInUse(descriptor, true)) continue;
      this.#parts.register.close(descriptor);
      this.#later.splice(index, 1);
    }
  }

  /** Whether a hazard names the descriptor; `others`: one of another loop's. */
  #isInUse(descriptor: number, others: boolean): boolean {
    const { cells } = this.#parts.table;
    for (let loop = 0; loop < cells.loops; loop++) {
      const own = loop === this.#parts.loop;
      if (own && others) continue;
      const start = cells.hazards(loop);
      for (let hazard = 0; hazard < HAZARDS; hazard++) {
        if (own && hazard === TAKEN) continue;
        if (Atomics.load(this.#words, start + hazard) === descriptor + 1) return true;
      }
    }
    return false;
  }

  /**
   * A name is about to go or to move. Should its node be without a descriptor, or lose it meanwhile, nothing would
   * lead to the file any more; so it gets one and keeps it. Costs a call only while descriptors are short. Returns the
   * node's cell, or 0 when there is nothing to keep.
   */
  hold(directory: number, name: Uint8Array<ArrayBuffer>): number {
    if (Atomics.load(this.#words, EVICTED) === 0) return 0;
    const { table, places, calls, register } = this.#parts;
    if (this.#look(directory, name, AT_SYMLINK_NOFOLLOW) < 0) return 0;
    const cell = table.find(this.#status.readKey());
    if (cell === 0 || cell === ROOT) return 0;
    places.pin(cell);
    if (Atomics.load(this.#words, table.cells.at(cell) + FD) !== 0) return cell;
    const found = calls.files.openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (found < 0) return 0;
    const same = this.#isFile(cell, found);
    if (same && table.reopen(cell, register.add(found, NODE))) return cell;
    register.close(found);
    return same ? cell : 0;
  }

  /** Takes descriptors away while there are more than the limit. */
  reclaim(): void {
    if (this.#words[OPEN_NODES]! > this.#parts.limit) this.makeRoom();
  }

  /** Takes some descriptors away, the least recently used first (by the clock algorithm). Says whether it got any. */
  makeRoom(): boolean {
    if (this.#reclaiming) return false;
    this.#reclaiming = true;
    try {
      return this.#parts.identity.asServer(() => this.#takeSome(Math.max(4, this.#parts.limit >> 5)));
    } finally {
      this.#reclaiming = false;
    }
  }

  #takeSome(most: number): boolean {
    const words = this.#words;
    let taken = 0;
    for (let step = 0; step < SEARCH && taken < most; step++) {
      const cell = ROOT + 1 + (Atomics.add(words, HAND, 1) >>> 0) % Math.max(1, words[HIGH_WATER]! - ROOT - 1);
      const at = this.#parts.table.cells.at(cell);
      if ((words[at + STATE]! & (LIVE | PINNED)) !== LIVE || words[at + FD] === 0) continue;
      if (words[at + USED] !== 0) words[at + USED] = 0;
      else if (this.#take(cell)) taken++;
    }
    return taken > 0;
  }

  #take(cell: number): boolean {
    const words = this.#words;
    const at = this.#parts.table.cells.at(cell);
    const generation = words[at + GENERATION]!;
    const descriptor = this.#protect(at, TAKEN);
    if (descriptor < 0) return false;
    // Whoever renames or removes a name from here on holds its node (see `hold`).
    Atomics.add(words, EVICTED, 1);
    const place = this.#findAgain(cell, descriptor);
    const taken = place !== undefined && this.#parts.table.locked(cell, () => {
      const same = words[at + GENERATION] === generation && words[at + FD] === descriptor + 1;
      if (!same || (words[at + STATE]! & (LIVE | PINNED)) !== LIVE || (words[at + PLACE] === 0) !== (place !== 0)) {
        return false;
      }
      return this.#takeOut(cell, descriptor, place);
    });
    if (taken) this.#parts.register.close(descriptor);
    else {
      Atomics.sub(words, EVICTED, 1);
      if (place) this.#parts.places.drop(place);
    }
    return taken;
  }

  /** Under the node's lock. */
  #takeOut(cell: number, descriptor: number, place: number): boolean {
    const words = this.#words;
    const at = this.#parts.table.cells.at(cell);
    Atomics.store(words, at + FD, 0);
    if (this.#isInUse(descriptor, false)) {
      Atomics.store(words, at + FD, descriptor + 1);
      return false;
    }
    if (place !== 0) words[at + PLACE] = place;
    Atomics.sub(words, OPEN_NODES, 1);
    return true;
  }

  /** Whether the file can be found again: 0 when its place is known, a place to put in, or undefined when it cannot. */
  #findAgain(cell: number, descriptor: number): number | undefined {
    const { places } = this.#parts;
    if (!places.byHandle(cell)) {
      return this.#isFoundByName(cell) ? 0 : undefined;
    }
    // Nothing but this descriptor may hold an inode that has no name.
    if (this.#look(descriptor, EMPTY, AT_EMPTY_PATH) < 0 || this.#status.links === 0) return undefined;
    if (this.#words[this.#parts.table.cells.at(cell) + PLACE] !== 0) return 0;
    const place = places.storeHandle(descriptor);
    return place === 0 ? undefined : place;
  }

  #isFoundByName(cell: number): boolean {
    try {
      return this.#parts.places.isFoundByName(cell, this.#status, (parent) => this.useCell(parent, PARENT));
    } catch (error) {
      // The parent itself could not be found again: then this one must keep what it has.
      if (error instanceof FsError) return false;
      throw error;
    }
  }
}
