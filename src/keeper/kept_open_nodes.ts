/** The table of open nodes where it outlives servers, as they all and their keeper see it. */
import { openLibc } from "../../ffi/library.ts";
import { mapKept } from "../kept/kept_memory.ts";
import { BackingIds } from "../transport/backing_ids.ts";
import { openNodesIn, openNodesSize } from "../transport/open_nodes.ts";
import { settleOpenNodes } from "../transport/open_nodes_recovery.ts";

/** The table in a memfd, which may be empty. */
export function openKeptNodes(descriptor: number): Int32Array<SharedArrayBuffer> {
  return openNodesIn(mapKept(descriptor, openNodesSize()));
}

/** The keeper's view, between two servers of the connection that `device` belongs to. */
export class KeptOpenNodes {
  readonly #descriptor: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #ids: BackingIds;

  constructor(descriptor: number, device: number) {
    this.#descriptor = descriptor;
    this.#words = openKeptNodes(descriptor);
    this.#ids = new BackingIds(openLibc(), device);
  }

  /** Settles what servers that have ended were in the midst of; `interrupted` by loop. */
  settle(interrupted: readonly (number | null)[]): void {
    // The table's own file will do as a sample: it is a regular one, of a filesystem that may have backing ids.
    settleOpenNodes(this.#words, interrupted, this.#ids, this.#descriptor);
  }
}
