/**
 * The notifications of one mount as the mounting side sees them: two lines to the kernel. Wake-ups of those who wait in
 * poll have one of their own, whose worker is the poll handler: a wake-up never waits in the kernel, and so must not wait
 * behind a notification that does, for a page that a request has locked.
 */
import { F_DUPFD_CLOEXEC } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import type { NodeId } from "../fs/filesystem.ts";
import type { NotifyOutcome } from "../fs/notifier.ts";
import type { Notification } from "../protocol/notification.ts";
import { SenderPorts } from "./channel_ends.ts";
import { ChannelNotifier, type NotificationDelivery } from "./channel_notifier.ts";
import { NotificationLine } from "./notification_line.ts";
import { refuseRequests } from "./refuse_requests.ts";

/** How often what asks of a mount that ends is refused. */
const REFUSING_MILLISECONDS = 10;

/** Delivers the notifications of one mount. Before `open` and after disposal it delivers nothing. */
export class NotifyHandler implements NotificationDelivery, AsyncDisposable {
  /** For everybody in this isolate. */
  readonly notifier = new ChannelNotifier(this);
  readonly #changes: NotificationLine;
  readonly #wakeUps: NotificationLine;
  readonly #senders = new SenderPorts<Notification>((notification) => {
    if (this.#attach !== undefined) this.#lineOf(notification).send(notification);
  });
  /** Who waits for the contents of the page cache, by the number that the kernel's answer carries. */
  readonly #retrievals = new Map<number, (data: Uint8Array) => void>();
  #retrieval = 0;
  /** The handler's own descriptor of the connection, which the workers have duplicates of. */
  #device = -1;
  /** Opens that descriptor; undefined while there is no mount. */
  #attach: (() => number) | undefined;

  readonly #connectionEnds: boolean;

  /**
   * `log` is told of workers that crash. `connectionEnds`: whether nobody serves the connection after this; where another
   * does, what is asked meanwhile is left to that one.
   */
  constructor(log: (message: string, detail: string) => void = () => {}, connectionEnds = true) {
    this.#connectionEnds = connectionEnds;
    const openDevice = () => this.#openDevice();
    this.#changes = new NotificationLine({ name: "trellis-notifier", openDevice, log });
    this.#wakeUps = new NotificationLine({ name: "trellis-poll", openDevice, log });
  }

  /** The mount is live. */
  open(attach: () => number): void {
    this.#attach = attach;
  }

  /** The port of a notifier in another isolate. */
  openSender(): MessagePort {
    return this.#senders.open();
  }

  deliver(notification: Notification): Promise<NotifyOutcome> {
    if (this.#attach === undefined) return Promise.resolve("not mounted");
    return this.#lineOf(notification).deliver(notification);
  }

  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array> {
    const unique = ++this.#retrieval;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    promise.catch(() => {});
    this.#retrievals.set(unique, resolve);
    this.deliver({ kind: "retrieve", unique, node, offset, size }).then(
      (outcome) => void (outcome !== "delivered" && this.retrieved(unique, new Uint8Array())),
      (error) => {
        this.#retrievals.delete(unique);
        reject(error);
      },
    );
    return promise;
  }

  /** The kernel's answer to a `retrieve` (NOTIFY_REPLY); it may come before the outcome does. */
  retrieved(unique: number, data: Uint8Array): void {
    this.#retrievals.get(unique)?.(data);
    this.#retrievals.delete(unique);
  }

  /**
   * Ends the workers. One may be in the kernel, waiting for a page that a request has locked. What was read ended with its
   * servers' descriptors; what comes after is refused here, since this connection lives for as long as their descriptors.
   * Where it outlives them all, the worker's thread waits for the next server.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#attach = undefined;
    this.#senders[Symbol.dispose]();
    const { symbols } = openLibc();
    const refusing = this.#connectionEnds && this.#device >= 0
      ? setInterval(() => refuseRequests(openLibc(), this.#device), REFUSING_MILLISECONDS)
      : undefined;
    await Promise.all([this.#changes[Symbol.asyncDispose](), this.#wakeUps[Symbol.asyncDispose]()]);
    clearInterval(refusing);
    if (this.#device >= 0) symbols.close(this.#device);
    for (const resolve of this.#retrievals.values()) resolve(new Uint8Array());
    this.#retrievals.clear();
  }

  #lineOf({ kind }: Notification): NotificationLine {
    return kind === "wakePoll" ? this.#wakeUps : this.#changes;
  }

  /** A duplicate for a worker. @throws when the connection cannot be attached to. */
  #openDevice(): number | undefined {
    if (this.#attach === undefined) return undefined;
    if (this.#device < 0) this.#device = this.#attach();
    const duplicate = openLibc().symbols.fcntl(this.#device, F_DUPFD_CLOEXEC, 3);
    if (duplicate < 0) throw new Error("Cannot duplicate the descriptor of the mount: too many open files");
    return duplicate;
  }
}
