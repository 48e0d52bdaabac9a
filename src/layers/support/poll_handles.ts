/** Who waits in poll for a file: the kernel's handles, by open file, and how they are woken. */
import type { Handle, NodeId, PollHandle } from "../../fs/filesystem.ts";
import type { Notifier } from "../../fs/notifier.ts";

/**
 * The poll handles of a filesystem. Each open file has at most one, however many programs wait on it; it is good for one
 * wake-up, after which the kernel asks again. Register first and then look whether the file is ready, or answer at once:
 * then no change falls between the two.
 */
export class PollHandles {
  readonly #notifier: Notifier;
  readonly #waiting = new Map<NodeId, Map<Handle, PollHandle>>();

  constructor(notifier: Notifier) {
    this.#notifier = notifier;
  }

  /** How many open files have somebody who waits. */
  get size(): number {
    return this.#waiting.values().reduce((sum, files) => sum + files.size, 0);
  }

  /** What `poll` was given for an open file of `node`: takes the place of what it had. Undefined: nobody waits. */
  register(node: NodeId, handle: Handle, wakeup: PollHandle | undefined): void {
    if (wakeup !== undefined) this.#waiting.getOrInsertComputed(node, () => new Map()).set(handle, wakeup);
  }

  /** Wakes, once, all who wait for `node`: something about it is ready now. */
  wake(node: NodeId): void {
    const files = this.#waiting.get(node);
    this.#waiting.delete(node);
    for (const wakeup of files?.values() ?? []) void this.#notifier.wakePoll(wakeup);
  }

  /** The open file is released: nobody waits on it any more. */
  release(node: NodeId, handle: Handle): void {
    const files = this.#waiting.get(node);
    if (files?.delete(handle) && files.size === 0) this.#waiting.delete(node);
  }
}
