/** The notifier that a branch is given: it says its own node ids, the kernel knows the tree's. */
import type { Name, NodeId, PollHandle } from "../../fs/filesystem.ts";
import type { Notifier, NotifyOutcome } from "../../fs/notifier.ts";

export class BranchNotifier implements Notifier {
  readonly #tree: Notifier;
  readonly #outer: (inner: NodeId) => NodeId;

  constructor(tree: Notifier, outer: (inner: NodeId) => NodeId) {
    this.#tree = tree;
    this.#outer = outer;
  }

  invalidateNode(node: NodeId, offset?: number, length?: number): Promise<NotifyOutcome> {
    return this.#tree.invalidateNode(this.#outer(node), offset, length);
  }

  invalidateEntry(parent: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#tree.invalidateEntry(this.#outer(parent), name);
  }

  expireEntry(parent: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#tree.expireEntry(this.#outer(parent), name);
  }

  deleteEntry(parent: NodeId, node: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#tree.deleteEntry(this.#outer(parent), this.#outer(node), name);
  }

  store(node: NodeId, offset: number, data: Uint8Array): Promise<NotifyOutcome> {
    return this.#tree.store(this.#outer(node), offset, data);
  }

  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array> {
    return this.#tree.retrieve(this.#outer(node), offset, size);
  }

  incrementEpoch(): Promise<NotifyOutcome> {
    return this.#tree.incrementEpoch();
  }

  prune(nodes: readonly NodeId[]): Promise<NotifyOutcome> {
    return this.#tree.prune(nodes.map(this.#outer));
  }

  resend(): Promise<NotifyOutcome> {
    return this.#tree.resend();
  }

  wakePoll(handle: PollHandle): Promise<NotifyOutcome> {
    return this.#tree.wakePoll(handle);
  }
}
