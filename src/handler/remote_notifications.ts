/** Notifications of a handler worker: the mounting isolate delivers them, and says what came of each. */
import { FsError } from "../fs/errors.ts";
import type { NodeId } from "../fs/filesystem.ts";
import type { NotifyOutcome } from "../fs/notifier.ts";
import type { Notification } from "../protocol/notification.ts";
import type { Notified, Notify } from "./worker_messages.ts";

/** What delivers on the mounting side. */
export interface Notifications {
  deliver(notification: Notification): Promise<NotifyOutcome>;
  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array>;
  /** Told the kernel's answer to a `retrieve`. */
  retrieved(unique: number, data: Uint8Array): void;
}

/** The worker's side: keeps who waits. */
export class RemoteNotifications implements Omit<Notifications, "retrieved"> {
  readonly #post: (message: Notify) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #ticket = 0;

  constructor(post: (message: Notify) => void) {
    this.#post = post;
  }

  deliver(notification: Notification): Promise<NotifyOutcome> {
    return this.#send(notification) as Promise<NotifyOutcome>;
  }

  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array> {
    // Its number is the mounting side's to give.
    return this.#send({ kind: "retrieve", unique: 0, node, offset, size }) as Promise<Uint8Array>;
  }

  /** The mounting side has an outcome. */
  settle({ ticket, value, error }: Notified): void {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new FsError(error.code, error.message));
  }

  #send(notification: Notification): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    // Who does not look at a promise does not want to know.
    waiting.promise.catch(() => {});
    this.#waiting.set(++this.#ticket, waiting);
    this.#post({ kind: "notify", ticket: this.#ticket, notification });
    return waiting.promise;
  }
}

/** The mounting side: delivers what a worker sent, and answers. */
export async function deliverFor(
  notifications: Notifications,
  { ticket, notification }: Notify,
  answer: (message: Notified) => void,
): Promise<void> {
  try {
    const value = notification.kind === "retrieve"
      ? await notifications.retrieve(notification.node, notification.offset, notification.size)
      : await notifications.deliver(notification);
    answer({ kind: "notified", ticket, value });
  } catch (thrown) {
    const error = thrown instanceof FsError ? thrown : new FsError("EIO", String(thrown));
    answer({ kind: "notified", ticket, error: { code: error.code, message: error.message } });
  }
}
