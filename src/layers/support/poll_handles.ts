/** Who waits in poll for a file: the kernel's handles, by open file, and how they are woken. */
import type { Handle, NodeId, PollHandle } from "../../fs/filesystem.ts";
import type { Notifier } from "../../fs/notifier.ts";
import { allocatePollMemory, type PollMemory, PollTable } from "./poll_table.ts";

/**
 * The poll handles of a filesystem. Each open file has at most one, however many programs wait on it; it is good for one
 * wake-up, after which the kernel asks again. Register first and then look whether the file is ready, or answer at once:
 * then no change falls between the two.
 *
 * With several loops each has its own `PollHandles` over memory that they share: whichever loop was polled, any isolate
 * that has the memory and a notifier wakes.
 */
export class PollHandles {
  readonly #notifier: Notifier;
  readonly #table: PollTable;

  /** `memory` is what `PollHandles.allocate` returned, in `prepare` of a module with several loops. */
  constructor(notifier: Notifier, memory: PollMemory = allocatePollMemory()) {
    this.#notifier = notifier;
    this.#table = new PollTable(memory);
  }

  /** Memory for the handles of a filesystem that several isolates serve. */
  static allocate(): PollMemory {
    return allocatePollMemory();
  }

  /** How many open files have somebody who waits. */
  get size(): number {
    return this.#table.size;
  }

  /** What `poll` was given for an open file of `node`: takes the place of what it had. Undefined: nobody waits. */
  register(node: NodeId, handle: Handle, wakeup: PollHandle | undefined): void {
    if (wakeup !== undefined) this.#table.set(node, handle, wakeup);
  }

  /** Wakes, once, all who wait for `node`: something about it is ready now. Returns on how many open files they wait. */
  wake(node: NodeId): number {
    const wakeups = this.#table.take(node);
    for (const wakeup of wakeups) void this.#notifier.wakePoll(wakeup);
    return wakeups.length;
  }

  /** The open file is released: nobody waits on it any more. */
  release(node: NodeId, handle: Handle): void {
    this.#table.delete(node, handle);
  }
}
