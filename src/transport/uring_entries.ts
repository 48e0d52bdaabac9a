/**
 * The entries of one loop. A request that is to be served again later keeps its entry meanwhile, so that requests that
 * wait for a lock could take all of a queue's, and with them the way of the unlock that they wait for. For each that is
 * kept another one is therefore registered.
 */
import type { Libc, LibcUring } from "../../ffi/library.ts";
import { encodeNotification } from "../protocol/notification.ts";
import { allowedCores, runOn } from "./cores.ts";
import type { Uring } from "./uring.ts";
import { UringEntry } from "./uring_entry.ts";
import type { UringShare } from "./uring_share.ts";

export interface UringEntriesOptions {
  readonly libc: Libc;
  readonly uring: LibcUring;
  readonly ring: Uring;
  readonly share: UringShare;
  readonly device: number;
  readonly payloadSize: number;
}

/** The number of requests that entries beget themselves: even, as the kernel's, which never count that far. */
const NUDGE = 2 ** 52;

export class UringEntries {
  readonly #options: UringEntriesOptions;
  readonly #entries: UringEntry[] = [];
  /** By queue: the entries that keep no request. */
  readonly #free = new Map<number, number>();
  /** Queues that got more entries than they had at first. */
  readonly #grown = new Set<number>();
  #nudges = 0;

  /** Registers those that each queue of the share begins with, at the next submission. */
  constructor(options: UringEntriesOptions) {
    this.#options = options;
    for (const [queue, depth] of options.share.queues) {
      for (let count = 0; count < depth; count++) this.#add(queue);
    }
  }

  /** The entry that a completion is about. */
  at(index: number): UringEntry {
    return this.#entries[index]!;
  }

  /** Gives an answer to the kernel with the next submission, and the entry for another request. */
  commit(entry: UringEntry, length: number): void {
    if (entry.held) this.#count(entry.queue, 1);
    entry.commit(this.#options.ring, length);
  }

  /** Keeps the entry's request, which is to be served again, for as long as it is not committed. */
  hold(entry: UringEntry): void {
    if (entry.held) return;
    entry.held = true;
    const { queue } = entry;
    const { share } = this.#options;
    if (this.#count(queue, -1) <= share.queues.get(queue)! >> 1) {
      this.#add(queue);
      this.#grown.add(queue);
    }
    if (this.#grown.has(queue)) this.#nudge(entry);
  }

  #count(queue: number, change: number): number {
    const count = (this.#free.get(queue) ?? 0) + change;
    this.#free.set(queue, count);
    return count;
  }

  #add(queue: number): void {
    const { device, payloadSize, ring } = this.#options;
    const entry = new UringEntry({ index: this.#entries.length, queue, device, payloadSize });
    this.#entries.push(entry);
    this.#count(queue, 1);
    entry.register(ring);
  }

  /**
   * Has a request arrive in the queue. The kernel gives requests that wait in a queue to an entry that is committed, but
   * not to one that is registered (fuse_uring_do_register), so that they would wait for the next that arrives. This one
   * does: what the page cache has of no byte of the file that the kept request is about. It arrives in the queue of the
   * core that asks for it. Of a directory there is no such request: then it is the next one of that core that helps.
   */
  #nudge({ queue, node }: UringEntry): void {
    const { ring, libc, uring, share, device } = this.#options;
    // The new entry first, or the nudge waits with the others.
    ring.submit();
    const cores = share.cores.length === 1 ? share.cores : allowedCores(uring);
    const moved = cores.length > 1 && runOn(uring, [queue]);
    const unique = NUDGE + 2 * (this.#nudges++ % 2 ** 20);
    const message = encodeNotification({ kind: "retrieve", unique, node, offset: 0, size: 0 });
    // It fails for a directory, and when the connection has ended, which the loop will notice.
    libc.symbols.write(device, message, message.length);
    if (moved) runOn(uring, cores);
  }
}
