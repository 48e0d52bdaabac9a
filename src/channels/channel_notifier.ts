/** The notifier that filesystems see: each method is a message for whoever delivers it. */
import type { Name, NodeId, PollHandle } from "../fs/filesystem.ts";
import type { Notifier, NotifyOutcome } from "../fs/notifier.ts";
import type { Notification } from "../protocol/notification.ts";
import { Sender } from "./channel_ends.ts";

/** Where a notifier's messages go. */
export interface NotificationDelivery {
  deliver(notification: Notification): Promise<NotifyOutcome>;
  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array>;
}

/** Turns calls into messages. */
export class ChannelNotifier implements Notifier {
  readonly #delivery: NotificationDelivery;

  constructor(delivery: NotificationDelivery) {
    this.#delivery = delivery;
  }

  invalidateNode(node: NodeId, offset = 0, length = 0): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "invalidateNode", node, offset, length });
  }

  invalidateEntry(parent: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "invalidateEntry", parent, name });
  }

  expireEntry(parent: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "expireEntry", parent, name });
  }

  deleteEntry(parent: NodeId, node: NodeId, name: Name): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "deleteEntry", parent, node, name });
  }

  store(node: NodeId, offset: number, data: Uint8Array): Promise<NotifyOutcome> {
    // A copy of its own: the sender may go on with its buffer, of which a message would carry the whole.
    return this.#delivery.deliver({ kind: "store", node, offset, data: data.slice() });
  }

  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array> {
    return this.#delivery.retrieve(node, offset, size);
  }

  incrementEpoch(): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "incrementEpoch" });
  }

  prune(nodes: readonly NodeId[]): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "prune", nodes });
  }

  resend(): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "resend" });
  }

  wakePoll(handle: PollHandle): Promise<NotifyOutcome> {
    return this.#delivery.deliver({ kind: "wakePoll", handle });
  }
}

/** The notifier of a loop, which sends over `port` and never hears what came of it. */
export function loopNotifier(port: MessagePort): Notifier {
  const sender = new Sender<Notification>(port);
  return new ChannelNotifier({
    deliver(notification) {
      sender.send(notification);
      return new Promise(() => {});
    },
    retrieve: () => new Promise(() => {}),
  });
}
