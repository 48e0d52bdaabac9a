/**
 * A channel: messages from any number of senders, each taken by exactly one of any number of receivers. The channel
 * itself is a queue in one isolate; senders and receivers are there too, or reach it over a `MessagePort` from elsewhere.
 *
 * Sending never blocks and the queue has no bound: it is for events, which must not be lost. A receiver may be cut off
 * and another joined at any time. What a receiver was given stays with the channel until the receiver says that it took
 * it, and goes to another when it never does: nothing is lost and nothing taken twice.
 */
import { receiveMessageOnPort } from "node:worker_threads";

/** To a receiver: a message, or the wish that it take no more. */
type ToReceiver<Message> = { readonly number: number; readonly message: Message } | "cut";

/** From a receiver: the number of a message that it took, or that it takes no more. */
type FromReceiver = number | "left";

/** How many messages a receiver is given before it has taken the first; the rest waits for whoever is free. */
const GIVEN_AHEAD = 32;

/** How a channel treats messages that wait. All of it is optional. */
export interface ChannelOptions<Message> {
  /** Called when a message waits and no receiver is joined. */
  wanted?(): void;
  /**
   * Makes one message of two that would follow each other: true when `waiting` now stands for `message` too. Both are of
   * the same `lane`, and nothing of that lane lies between them.
   */
  merge?(waiting: Message, message: Message): boolean;
  /** What messages may not overtake each other. Default: all are of one lane. */
  lane?(message: Message): unknown;
}

/** One receiver as the channel sees it. */
export class Joint<Message> {
  /** The receiver's end: to be wrapped in a {@linkcode Receiver}, here or where it was transferred to. */
  readonly port: MessagePort;
  readonly #own: MessagePort;
  readonly #given = new Map<number, Message>();
  readonly #left = Promise.withResolvers<void>();
  readonly #changed: (joint: Joint<Message>, returned: Message[] | undefined) => void;
  #next = 0;
  #open = true;

  /** `changed` is told when the receiver has room, and what it gave back when it has left. */
  constructor(changed: (joint: Joint<Message>, returned: Message[] | undefined) => void) {
    const { port1, port2 } = new MessageChannel();
    this.#own = port1;
    this.port = port2;
    this.#changed = changed;
    port1.onmessage = ({ data }: MessageEvent<FromReceiver>) => this.#receive(data);
    port1.addEventListener("close", () => this.#leave());
  }

  /** How many more messages it may be given. */
  get room(): number {
    return this.#open ? GIVEN_AHEAD - this.#given.size : 0;
  }

  give(message: Message): void {
    const number = this.#next++;
    this.#given.set(number, message);
    this.#own.postMessage({ number, message } satisfies ToReceiver<Message>);
  }

  /** Cuts off a receiver that lives; resolves when it has stopped. What it did not take is the channel's again. */
  cut(): Promise<void> {
    if (this.#open) this.#own.postMessage("cut" satisfies ToReceiver<Message>);
    return this.#left.promise;
  }

  /** The receiver's isolate has ended: counts what it still said, and takes back the rest. */
  lost(): void {
    for (;;) {
      // Deno's node:worker_threads takes the web's ports, which its types keep apart.
      const said = receiveMessageOnPort(this.#own as unknown as Parameters<typeof receiveMessageOnPort>[0]);
      if (said === undefined) break;
      this.#receive(said.message as FromReceiver);
    }
    this.#leave();
  }

  #receive(said: FromReceiver): void {
    if (said === "left") return this.#leave();
    this.#given.delete(said);
    if (this.#open) this.#changed(this, undefined);
  }

  #leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#own.close();
    this.#left.resolve();
    this.#changed(this, [...this.#given.values()]);
  }
}

/** The queue, and who is joined to it. Disposing cuts everybody off and forgets what waits. */
export class Channel<Message> implements Disposable {
  readonly #options: ChannelOptions<Message>;
  readonly #waiting: Message[] = [];
  /** The last waiting message of each lane. */
  readonly #last = new Map<unknown, Message>();
  readonly #joints = new Set<Joint<Message>>();
  readonly #senders = new Set<MessagePort>();
  #closed = false;

  constructor(options: ChannelOptions<Message> = {}) {
    this.#options = options;
  }

  /** How many messages no receiver was given yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Sends from the channel's own isolate. After the channel was disposed of: nothing. */
  send(message: Message): void {
    if (this.#closed) return;
    const lane = this.#options.lane?.(message);
    const last = this.#last.get(lane);
    if (last !== undefined && this.#options.merge?.(last, message)) return;
    this.#waiting.push(message);
    this.#last.set(lane, message);
    this.#distribute();
  }

  /** The port of one more sender: transfer it and send with {@linkcode Sender}. */
  openSender(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<Message>) => this.send(data);
    port1.addEventListener("close", () => this.#senders.delete(port1));
    this.#senders.add(port1);
    return port2;
  }

  /** Joins one more receiver, whose port is to be transferred and wrapped in {@linkcode Receiver}. */
  join(): Joint<Message> {
    const joint = new Joint<Message>((changed, returned) => this.#change(changed, returned));
    this.#joints.add(joint);
    this.#distribute();
    return joint;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#waiting.length = 0;
    for (const sender of this.#senders) sender.close();
    for (const joint of this.#joints) joint.lost();
  }

  #change(joint: Joint<Message>, returned: Message[] | undefined): void {
    if (returned !== undefined) {
      this.#joints.delete(joint);
      // In front, in the order in which they were sent.
      if (!this.#closed) this.#waiting.unshift(...returned);
    }
    this.#distribute();
  }

  /** Gives what waits to those who have room, to the emptiest first. */
  #distribute(): void {
    while (this.#waiting.length > 0) {
      const joint = [...this.#joints].reduce<Joint<Message> | undefined>(
        (best, next) => next.room > (best?.room ?? 0) ? next : best,
        undefined,
      );
      if (joint === undefined) break;
      const message = this.#waiting.shift()!;
      const lane = this.#options.lane?.(message);
      if (this.#last.get(lane) === message) this.#last.delete(lane);
      joint.give(message);
    }
    if (this.#waiting.length > 0 && this.#joints.size === 0) this.#options.wanted?.();
  }
}

/** The far end of `openSender`. Works in isolates that never run an event loop. */
export class Sender<Message> implements Disposable {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  send(message: Message): void {
    this.#port.postMessage(message);
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }
}

/**
 * The far end of `join`. Messages are pushed to `onMessage`, iterated with `for await`, or pulled with `tryReceive`; a
 * message counts as taken when one of these hands it out.
 */
export class Receiver<Message> implements Disposable, AsyncIterable<Message> {
  readonly #port: MessagePort;
  readonly #arrived: { number: number; message: Message }[] = [];
  readonly #hungry: (() => void)[] = [];
  #onMessage: ((message: Message) => void) | undefined;
  #open = true;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<ToReceiver<Message>>) => this.#receive(data);
    port.addEventListener("close", () => this.#leave());
  }

  /** Takes each message as it comes. */
  set onMessage(callback: (message: Message) => void) {
    this.#onMessage = callback;
    this.#push();
  }

  /** Takes the next message; undefined when none has come within `milliseconds`, or the receiver was cut off. */
  async tryReceive(milliseconds = 0): Promise<Message | undefined> {
    const deadline = performance.now() + milliseconds;
    while (this.#arrived.length === 0 && this.#open) {
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      await this.#arrival(left);
    }
    return this.#take();
  }

  /** Takes one message after another until the receiver is cut off; breaking out of the loop leaves. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    try {
      while (this.#open) {
        if (this.#arrived.length === 0) await this.#arrival(undefined);
        else yield this.#take()!;
      }
    } finally {
      this.#leave();
    }
  }

  /** Leaves: what was not taken goes to another. */
  [Symbol.dispose](): void {
    this.#leave();
  }

  #receive(data: ToReceiver<Message>): void {
    if (data === "cut") return this.#leave();
    if (!this.#open) return;
    this.#arrived.push(data);
    this.#push();
    this.#hungry.splice(0).forEach((wake) => wake());
  }

  #push(): void {
    while (this.#onMessage !== undefined && this.#arrived.length > 0) this.#onMessage(this.#take()!);
  }

  #take(): Message | undefined {
    const next = this.#arrived.shift();
    if (next === undefined) return undefined;
    this.#port.postMessage(next.number satisfies FromReceiver);
    return next.message;
  }

  #leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#arrived.length = 0;
    this.#port.postMessage("left" satisfies FromReceiver);
    this.#port.close();
    this.#hungry.splice(0).forEach((wake) => wake());
  }

  /** Resolves when something has changed, or after `milliseconds`. */
  #arrival(milliseconds: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#hungry.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
