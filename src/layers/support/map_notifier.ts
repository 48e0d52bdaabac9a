/**
 * What a layer that wraps another gives it as a notifier: the inner layer speaks of its own nodes, and what goes up
 * speaks of the outer one's. Layers stack, so the notifier that is wrapped may itself be another layer's.
 */
import type { NodeId } from "../../fs/filesystem.ts";
import type { Notifier, NotifyOutcome } from "../../fs/notifier.ts";

/**
 * A notifier for an inner layer. `toOuterNode` gives the node that the inner layer's node is seen as from outside, and
 * undefined for one that is not seen there at all: notifications about it are `"not cached"` and go nowhere.
 *
 * Poll handles are the kernel's own and pass as they are. `incrementEpoch` and `resend` are about the whole mount.
 */
export function mapNotifier(outer: Notifier, toOuterNode: (node: NodeId) => NodeId | undefined): Notifier {
  const about = (node: NodeId, notify: (node: NodeId) => Promise<NotifyOutcome>): Promise<NotifyOutcome> => {
    const outside = toOuterNode(node);
    return outside === undefined ? Promise.resolve("not cached") : notify(outside);
  };
  return {
    invalidateNode: (node, offset, length) => about(node, (node) => outer.invalidateNode(node, offset, length)),
    invalidateEntry: (parent, name) => about(parent, (parent) => outer.invalidateEntry(parent, name)),
    expireEntry: (parent, name) => about(parent, (parent) => outer.expireEntry(parent, name)),
    deleteEntry: (parent, node, name) =>
      about(parent, (parent) => about(node, (node) => outer.deleteEntry(parent, node, name))),
    store: (node, offset, data) => about(node, (node) => outer.store(node, offset, data)),
    retrieve(node, offset, size) {
      const outside = toOuterNode(node);
      return outside === undefined ? Promise.resolve(new Uint8Array()) : outer.retrieve(outside, offset, size);
    },
    prune(nodes) {
      const outside = nodes.map(toOuterNode).filter((node) => node !== undefined);
      return outside.length === 0 ? Promise.resolve("not cached") : outer.prune(outside);
    },
    incrementEpoch: () => outer.incrementEpoch(),
    resend: () => outer.resend(),
    wakePoll: (handle) => outer.wakePoll(handle),
  };
}
