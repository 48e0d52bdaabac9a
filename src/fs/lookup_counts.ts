/**
 * How many times each node was handed to the kernel. The kernel gives the count back with FORGET; at zero it knows the
 * node no more. A count is raised before its reply is sent, in the same turn, so that a FORGET can never overtake it.
 */
import { type NodeId, ROOT_NODE } from "./filesystem.ts";

export class LookupCounts {
  readonly #counts = new Map<NodeId, number>();

  /** How many nodes the kernel knows. */
  get size(): number {
    return this.#counts.size;
  }

  raise(node: NodeId): void {
    if (node !== ROOT_NODE) this.#counts.set(node, (this.#counts.get(node) ?? 0) + 1);
  }

  /** Takes `count` back and says whether the kernel knows the node no more. */
  lower(node: NodeId, count: number): boolean {
    const known = this.#counts.get(node);
    if (known === undefined) return false;
    if (known > count) {
      this.#counts.set(node, known - count);
      return false;
    }
    this.#counts.delete(node);
    return true;
  }
}
