/** The far ends of a channel, which may be in other isolates: those who send, and those who receive. */
import type { FromReceiver, ToReceiver } from "./channel.ts";

/** From a sender: a message, or that there are no more. */
type FromSender<Message> = { readonly message: Message } | "left";

/** The near ends of any number of senders, whose messages all go to one callback. Disposing closes them. */
export class SenderPorts<Message> implements Disposable {
  readonly #receive: (message: Message) => void;
  readonly #ports = new Set<MessagePort>();

  constructor(receive: (message: Message) => void) {
    this.#receive = receive;
  }

  /** The port of one more sender: transfer it and send with {@linkcode Sender}. */
  open(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<FromSender<Message>>) => {
      if (data !== "left") return this.#receive(data.message);
      this.#ports.delete(port1);
      port1.close();
    };
    this.#ports.add(port1);
    return port2;
  }

  /** How many have not left. */
  get size(): number {
    return this.#ports.size;
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
  }
}

/** The far end of a sender's port. Works in isolates that never run an event loop. */
export class Sender<Message> implements Disposable {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  send(message: Message): void {
    this.#port.postMessage({ message } satisfies FromSender<Message>);
  }

  [Symbol.dispose](): void {
    this.#port.postMessage("left" satisfies FromSender<Message>);
    this.#port.close();
  }
}

/**
 * The far end of `join`. Messages are pushed to `onMessage`, iterated with `for await`, or pulled with `tryReceive`. A
 * message counts as taken when `onMessage` has returned, or when one of the others hands it out.
 */
export class Receiver<Message, Answer = void> implements Disposable, AsyncIterable<Message> {
  readonly #port: MessagePort;
  readonly #arrived: { number: number; message: Message }[] = [];
  readonly #hungry: (() => void)[] = [];
  #onMessage: ((message: Message) => Answer) | undefined;
  /** A message is with `onMessage` now. */
  #busy = false;
  #open = true;

  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<ToReceiver<Message>>) => this.#receive(data);
  }

  /** Takes each message as it comes; what it returns is the channel's to know. One that throws has not taken it. */
  set onMessage(callback: (message: Message) => Answer) {
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
    while (this.#onMessage !== undefined && this.#arrived.length > 0) {
      const { number, message } = this.#arrived.shift()!;
      this.#busy = true;
      try {
        this.#acknowledge(number, this.#onMessage(message));
      } finally {
        this.#busy = false;
        if (!this.#open) this.#close();
      }
    }
  }

  #take(): Message | undefined {
    const next = this.#arrived.shift();
    // Only callbacks have answers.
    if (next !== undefined) this.#acknowledge(next.number, undefined as Answer);
    return next?.message;
  }

  #acknowledge(number: number, answer: Answer): void {
    this.#port.postMessage({ number, answer } satisfies FromReceiver<Answer>);
  }

  #leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#arrived.length = 0;
    // A callback that leaves still takes its own message.
    if (!this.#busy) this.#close();
  }

  #close(): void {
    this.#port.postMessage("left" satisfies FromReceiver<Answer>);
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
