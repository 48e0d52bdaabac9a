/**
 * Where a server keeps something of each node: places by number, which are used again, and how often the kernel was told
 * of the node in each.
 */
import { FsError } from "../../fs/errors.ts";
import type { NodeId } from "../../fs/filesystem.ts";

export class NodePlaces {
  /**
   * By place, of which there are as many; zeros for a new connection. It outlives the server, so that it is right when the
   * next one begins.
   */
  readonly #counts: Int32Array | Float64Array;
  readonly #places = new Map<NodeId, number>();
  readonly #free: number[] = [];
  #next = 0;
  #lastNode: NodeId = 0;

  constructor(counts: Int32Array | Float64Array) {
    this.#counts = counts;
  }

  /** Takes over the places that nodes had. */
  restore(nodes: Iterable<{ readonly i: NodeId; readonly p: number }>, last: NodeId): void {
    for (const { i, p } of nodes) {
      this.#places.set(i, p);
      this.#next = Math.max(this.#next, p + 1);
    }
    const taken = new Set(this.#places.values());
    for (let place = 0; place < this.#next; place++) if (!taken.has(place)) this.#free.push(place);
    this.#lastNode = last;
  }

  /** Of nodes with a place, in the order in which they came. */
  nodes(): Iterable<NodeId> {
    return this.#places.keys();
  }

  /** The greatest id of a node that ever had a place. */
  get lastNode(): NodeId {
    return this.#lastNode;
  }

  /** A node's place, which it takes if it has none. @throws {FsError} `ENOSPC` */
  of(node: NodeId): number {
    return this.#places.getOrInsertComputed(node, () => {
      const place = this.#free.pop() ?? this.#next++;
      if (place >= this.#counts.length) throw new FsError("ENOSPC", "Cannot make another file: all places are taken");
      this.#counts[place] = 0;
      this.#lastNode = Math.max(this.#lastNode, node);
      return place;
    });
  }

  /** The kernel is about to be told of a node. */
  raise(node: NodeId): void {
    this.#counts[this.of(node)]! += 1;
  }

  /** The kernel was told of it `count` times less. */
  lower(node: NodeId, count: number): void {
    const place = this.#places.get(node);
    if (place !== undefined) this.#counts[place] = Math.max(0, this.#counts[place]! - count);
  }

  /** Whether the node has a place, and the kernel does not know it. */
  isUnknown(node: NodeId): boolean {
    const place = this.#places.get(node);
    return place !== undefined && this.#counts[place] === 0;
  }

  /** Gives the node's place to others. */
  release(node: NodeId): void {
    this.#free.push(this.of(node));
    this.#places.delete(node);
  }
}
