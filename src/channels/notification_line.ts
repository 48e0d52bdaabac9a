/**
 * A line to the kernel: a channel that notifications wait in, and the worker that takes them there. The worker starts
 * with the first notification, so that a mount that sends none pays nothing. One that crashes is replaced: what it has
 * not reported goes to the next, the one in its hands again too. That one the kernel may get twice, which does no harm (it
 * forgets what it has forgotten, and wakes who then asks again), while a lost one would leave a program waiting for ever.
 */
import { FsError } from "../fs/errors.ts";
import type { NotifyOutcome } from "../fs/notifier.ts";
import type { Envelope, NotifyAnswer } from "../messages.ts";
import { isDuplicate, laneOf, type Notification } from "../protocol/notification.ts";
import { Channel, type Joint } from "./channel.ts";
import { outcomeOf } from "./notify_outcome.ts";
import { NotifyWorker } from "./notify_worker.ts";
import { RestartBudget } from "../threads/restart_budget.ts";

/** Who waits for the outcome of one notification. */
interface Pending {
  readonly kind: Notification["kind"];
  resolve(outcome: NotifyOutcome): void;
  reject(error: unknown): void;
}

export interface NotificationLineOptions {
  /** The name of the worker's thread. */
  readonly name: string;
  /** Opens a descriptor of the connection that its worker closes; undefined while there is no mount. */
  openDevice(): number | undefined;
  /** Told of each crash. */
  log(message: string, detail: string): void;
}

export class NotificationLine implements AsyncDisposable {
  readonly #options: NotificationLineOptions;
  readonly #channel = new Channel<Envelope, NotifyAnswer>({
    wanted: () => this.#start(),
    lane: ({ notification }) => laneOf(notification),
    merge(waiting, { tickets, notification }) {
      if (!isDuplicate(waiting.notification, notification)) return false;
      waiting.tickets.push(...tickets);
      return true;
    },
    taken: ({ tickets }, answer) => this.#settle(tickets, answer),
  });
  readonly #pending = new Map<number, Pending>();
  readonly #restarts = new RestartBudget();
  #ticket = 0;
  #worker: NotifyWorker | undefined;
  /** Why nothing is sent any more. */
  #failure: FsError | undefined;

  constructor(options: NotificationLineOptions) {
    this.#options = options;
  }

  /** Sends a notification. @throws {FsError} what the kernel answers; `EIO` when the workers crash again and again. */
  deliver(notification: Notification): Promise<NotifyOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<NotifyOutcome>();
    // Who does not look at a promise does not want to know.
    promise.catch(() => {});
    if (this.#failure !== undefined) {
      reject(this.#failure);
    } else {
      const ticket = ++this.#ticket;
      this.#pending.set(ticket, { kind: notification.kind, resolve, reject });
      this.#channel.send({ tickets: [ticket], notification });
    }
    return promise;
  }

  /** Sends a notification whose outcome nobody waits for. */
  send(notification: Notification): void {
    this.#channel.send({ tickets: [], notification });
  }

  /** Ends the worker. What waits is not sent any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel[Symbol.dispose]();
    await this.#worker?.end();
    for (const { resolve } of this.#pending.values()) resolve("not mounted");
    this.#pending.clear();
  }

  #start(): void {
    if (this.#worker !== undefined) return;
    let device: number | undefined;
    try {
      device = this.#options.openDevice();
    } catch (error) {
      return this.#fail(new FsError("EIO", "Cannot notify the kernel: no descriptor for it", { cause: error }));
    }
    if (device === undefined) return;
    const joint = this.#channel.join();
    const crashed = (reason: string) => this.#replace(joint, reason);
    this.#worker = new NotifyWorker({ name: this.#options.name, device, port: joint.port, crashed });
  }

  #replace(joint: Joint<Envelope, NotifyAnswer>, reason: string): void {
    this.#worker = undefined;
    this.#options.log(`The notify worker ${this.#options.name} crashed`, reason);
    if (!this.#restarts.spend()) {
      return this.#fail(new FsError("EIO", `Cannot notify the kernel: the worker crashes each time: ${reason}`));
    }
    joint.lost();
    // When its receiver had left before, nobody has said so.
    if (this.#channel.waiting > 0) this.#start();
  }

  #settle(tickets: readonly number[], answer: NotifyAnswer): void {
    for (const ticket of tickets) {
      const pending = this.#pending.get(ticket)!;
      this.#pending.delete(ticket);
      try {
        pending.resolve(outcomeOf(pending.kind, answer));
      } catch (error) {
        pending.reject(error);
      }
    }
  }

  #fail(error: FsError): void {
    this.#failure = error;
    this.#channel[Symbol.dispose]();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
