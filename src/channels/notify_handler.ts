/**
 * The notify handler as the mounting side sees it: the channel that notifications of a mount wait in, and the worker that
 * takes them to the kernel. The worker starts when the first notification is sent, so that a mount that sends none pays
 * nothing for it.
 */
import { openLibc } from "../../ffi/library.ts";
import { ERRNO, errnoName, FsError } from "../fs/errors.ts";
import type { NodeId } from "../fs/filesystem.ts";
import type { NotifyOutcome } from "../fs/notifier.ts";
import type { Envelope, FromNotifier, ToNotifier } from "../messages.ts";
import { isDuplicate, laneOf, type Notification } from "../protocol/notification.ts";
import { Channel } from "./channel.ts";
import { refuseRequests } from "./refuse_requests.ts";
import { ChannelNotifier, type NotificationDelivery } from "./channel_notifier.ts";

/** How long the end of a session waits for a notification that the kernel is working on. */
const GRACE_MILLISECONDS = 1_000;

// fcntl.h
const F_DUPFD_CLOEXEC = 1030;

/** What somebody waits for: the outcome of one notification. */
interface Pending {
  readonly kind: Notification["kind"];
  resolve(outcome: NotifyOutcome): void;
  reject(error: Error): void;
}

/** Delivers the notifications of one mount. Before `open` and after disposal it delivers nothing. */
export class NotifyHandler implements NotificationDelivery, AsyncDisposable {
  /** For a filesystem that is served in this isolate. */
  readonly notifier = new ChannelNotifier(this);
  readonly #channel = new Channel<Envelope>({
    wanted: () => this.#start(),
    lane: ({ notification }) => laneOf(notification),
    merge(waiting, { tickets, notification }) {
      if (!isDuplicate(waiting.notification, notification)) return false;
      waiting.tickets.push(...tickets);
      return true;
    },
  });
  readonly #pending = new Map<number, Pending>();
  /** Who waits for the contents of the page cache, by the number that the kernel's answer carries. */
  readonly #retrievals = new Map<number, (data: Uint8Array) => void>();
  #ticket = 0;
  #worker: Worker | undefined;
  readonly #ended = Promise.withResolvers<void>();
  /** The handler's own descriptor of the connection, which the worker has a duplicate of. */
  #device = -1;
  /** Opens that descriptor; undefined while there is no mount. */
  #attach: (() => number) | undefined;

  /** The mount is live. */
  open(attach: () => number): void {
    this.#attach = attach;
  }

  /** The port of a loop's notifier. */
  openSender(): MessagePort {
    return this.#channel.openSender();
  }

  deliver(notification: Notification): Promise<NotifyOutcome> {
    return this.#deliver(++this.#ticket, notification);
  }

  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array> {
    const ticket = ++this.#ticket;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    promise.catch(() => {});
    this.#retrievals.set(ticket, resolve);
    this.#deliver(ticket, { kind: "retrieve", node, offset, size }).then(
      (outcome) => void (outcome !== "delivered" && this.retrieved(ticket, new Uint8Array())),
      (error) => {
        this.#retrievals.delete(ticket);
        reject(error);
      },
    );
    return promise;
  }

  /** The kernel's answer to a `retrieve` (NOTIFY_REPLY); it may come before the outcome does. */
  retrieved(ticket: number, data: Uint8Array): void {
    this.#retrievals.get(ticket)?.(data);
    this.#retrievals.delete(ticket);
  }

  /** Ends the worker. What waits is not sent any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#attach = undefined;
    this.#channel[Symbol.dispose]();
    if (this.#worker !== undefined) {
      this.#worker.postMessage({ kind: "end" } satisfies ToNotifier);
      await this.#waitForEnd();
      this.#worker.terminate();
      openLibc().symbols.close(this.#device);
    }
    for (const { resolve } of this.#pending.values()) resolve("not mounted");
    for (const resolve of this.#retrievals.values()) resolve(new Uint8Array());
    this.#pending.clear();
    this.#retrievals.clear();
  }

  /**
   * The worker may be in the kernel, waiting for a page that a request has locked. What was read ended with its servers'
   * descriptors; what comes after is refused here, since this connection lives for as long as the worker's descriptor.
   */
  async #waitForEnd(): Promise<void> {
    const refusing = setInterval(() => refuseRequests(openLibc(), this.#device), 10);
    const grace = setTimeout(() => this.#ended.resolve(), GRACE_MILLISECONDS);
    await this.#ended.promise;
    clearInterval(refusing);
    clearTimeout(grace);
  }

  #deliver(ticket: number, notification: Notification): Promise<NotifyOutcome> {
    if (this.#attach === undefined) return Promise.resolve("not mounted");
    const { promise, resolve, reject } = Promise.withResolvers<NotifyOutcome>();
    // Who does not look at a promise does not want to know.
    promise.catch(() => {});
    this.#pending.set(ticket, { kind: notification.kind, resolve, reject });
    this.#channel.send({ tickets: [ticket], notification });
    return promise;
  }

  #start(): void {
    if (this.#worker !== undefined || this.#attach === undefined) return;
    try {
      this.#device = this.#attach();
    } catch (error) {
      return this.#fail(
        new FsError("EIO", "Cannot notify the kernel: no descriptor for the notify handler", { cause: error }),
      );
    }
    this.#worker = new Worker(new URL("../workers/notifier.ts", import.meta.url), {
      type: "module",
      name: "trellis-notifier",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromNotifier>) => {
      if (data === "ended") this.#ended.resolve();
      else this.#settle(data.tickets, data.errno);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new FsError("EIO", `Cannot notify the kernel: the notify handler failed: ${event.message}`));
    };
    const { port } = this.#channel.join();
    const device = openLibc().symbols.fcntl(this.#device, F_DUPFD_CLOEXEC, 3);
    this.#worker.postMessage({ kind: "start", device, port } satisfies ToNotifier, [port]);
  }

  #settle(tickets: readonly number[], errno: number): void {
    for (const ticket of tickets) {
      const pending = this.#pending.get(ticket);
      this.#pending.delete(ticket);
      if (errno === 0) pending?.resolve("delivered");
      else if (errno === ERRNO.ENOENT) pending?.resolve("not cached");
      else if (errno === ERRNO.ENODEV || errno === ERRNO.ECONNABORTED) pending?.resolve("not mounted");
      else pending?.reject(refusal(pending.kind, errno));
    }
  }

  /** The worker is gone, and with it what it was given: nobody is to wait for that. */
  #fail(error: FsError): void {
    this.#attach = undefined;
    this.#ended.resolve();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#channel[Symbol.dispose]();
  }
}

/** The Linux that brought what an older kernel answers with EINVAL. */
const SINCE: Partial<Record<Notification["kind"], string>> = {
  resend: "6.9",
  incrementEpoch: "6.16",
  prune: "6.18",
};

function refusal(kind: Notification["kind"], errno: number): FsError {
  const name = errnoName(errno) ?? "EIO";
  const since = name === "EINVAL" ? SINCE[kind] : undefined;
  const hint = since === undefined ? "" : `; it needs Linux ${since} or newer`;
  return new FsError(name, `Cannot notify the kernel (${kind}): it answers ${name}${hint}`);
}
