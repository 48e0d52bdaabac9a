/**
 * A channel: messages from any number of senders, each taken by exactly one of any number of receivers. The channel
 * itself is a queue in one isolate; senders and receivers are there too, or reach it over a `MessagePort` from elsewhere.
 *
 * Sending never blocks and the queue has no bound: it is for events, which must not be lost. A receiver may be cut off
 * and another joined at any time. What a receiver was given stays with the channel until the receiver says that it took
 * it, and goes to another when it never does: nothing is lost and nothing taken twice. The ends are in `channel_ends.ts`.
 */
import { SenderPorts } from "./channel_ends.ts";

/** To a receiver: a message, or the wish that it take no more. */
export type ToReceiver<Message> = { readonly number: number; readonly message: Message } | "cut";

/** From a receiver: that it took a message and what it answers, or that it takes no more. */
export type FromReceiver<Answer> = { readonly number: number; readonly answer: Answer } | "left";

/** How many messages a receiver is given before it has taken the first; the rest waits for whoever is free. */
const GIVEN_AHEAD = 32;

/** How a channel treats messages that wait. All of it is optional. */
export interface ChannelOptions<Message, Answer> {
  /** Called when a message waits and no receiver is joined. */
  wanted?(): void;
  /**
   * Makes one message of two that would follow each other: true when `waiting` now stands for `message` too. Both are of
   * the same `lane`, and nothing of that lane lies between them.
   */
  merge?(waiting: Message, message: Message): boolean;
  /** What messages may not overtake each other. Default: all are of one lane. */
  lane?(message: Message): unknown;
  /** Told, once for each message, that it was taken, and what the receiver's callback returned. */
  taken?(message: Message, answer: Answer): void;
}

/** What a channel is told by its joints. */
interface JointEvents<Message, Answer> {
  /** The receiver took a message, and has room for one more. */
  taken(message: Message, answer: Answer): void;
  /** The receiver has left and gives back what it did not take. */
  left(joint: Joint<Message, Answer>, returned: readonly Message[]): void;
}

/** One receiver as the channel sees it. */
export class Joint<Message, Answer = void> {
  /** The receiver's end: to be wrapped in a `Receiver`, here or where it was transferred to. */
  readonly port: MessagePort;
  readonly #own: MessagePort;
  readonly #given = new Map<number, Message>();
  readonly #left = Promise.withResolvers<void>();
  readonly #events: JointEvents<Message, Answer>;
  #next = 0;
  #open = true;

  constructor(events: JointEvents<Message, Answer>) {
    const { port1, port2 } = new MessageChannel();
    this.#own = port1;
    this.port = port2;
    this.#events = events;
    port1.onmessage = ({ data }: MessageEvent<FromReceiver<Answer>>) => this.#receive(data);
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

  /**
   * The receiver's isolate has ended: counts what it still said, and takes back the rest. Somebody must say so: Deno tells
   * a port that its other end is closed only where modules of Node are loaded.
   */
  lost(): void {
    if (this.#given.size === 0) return this.#leave();
    // Loaded now: few mounts ever lose a receiver that is at something, and Node's modules take 30 ms.
    const { receiveMessageOnPort } = process.getBuiltinModule("node:worker_threads");
    for (;;) {
      // Deno's node:worker_threads takes the web's ports, which its types keep apart.
      const said = receiveMessageOnPort(this.#own as unknown as Parameters<typeof receiveMessageOnPort>[0]);
      if (said === undefined) break;
      this.#receive(said.message as FromReceiver<Answer>);
    }
    this.#leave();
  }

  #receive(said: FromReceiver<Answer>): void {
    if (said === "left") return this.#leave();
    const message = this.#given.get(said.number)!;
    this.#given.delete(said.number);
    this.#events.taken(message, said.answer);
  }

  #leave(): void {
    if (!this.#open) return;
    this.#open = false;
    // A receiver that lives hears that it waits in vain.
    this.#own.postMessage("cut" satisfies ToReceiver<Message>);
    this.#own.close();
    this.#left.resolve();
    this.#events.left(this, [...this.#given.values()]);
  }
}

/** The queue, and who is joined to it. Disposing cuts everybody off and forgets what waits. */
export class Channel<Message, Answer = void> implements Disposable {
  readonly #options: ChannelOptions<Message, Answer>;
  /** The queue is what lies from `#first` on: taking from the front of a long array would move all the rest. */
  readonly #queue: Message[] = [];
  #first = 0;
  /** The last waiting message of each lane. */
  readonly #last = new Map<unknown, Message>();
  readonly #joints = new Set<Joint<Message, Answer>>();
  readonly #senders = new SenderPorts<Message>((message) => this.send(message));
  #closed = false;

  constructor(options: ChannelOptions<Message, Answer> = {}) {
    this.#options = options;
  }

  /** How many messages no receiver was given yet. */
  get waiting(): number {
    return this.#queue.length - this.#first;
  }

  /** Sends from the channel's own isolate. After the channel was disposed of: nothing. */
  send(message: Message): void {
    if (this.#closed) return;
    const lane = this.#options.lane?.(message);
    const last = this.#last.get(lane);
    if (last !== undefined && this.#options.merge?.(last, message)) return;
    this.#queue.push(message);
    this.#last.set(lane, message);
    this.#distribute();
  }

  /** The port of one more sender: transfer it and send with `Sender`. */
  openSender(): MessagePort {
    return this.#senders.open();
  }

  /** Joins one more receiver, whose port is to be transferred and wrapped in `Receiver`. */
  join(): Joint<Message, Answer> {
    const joint = new Joint<Message, Answer>({
      taken: (message, answer) => {
        this.#options.taken?.(message, answer);
        this.#distribute();
      },
      left: (joint, returned) => {
        this.#joints.delete(joint);
        // In front, in the order in which they were sent.
        if (!this.#closed) this.#queue.splice(this.#first, 0, ...returned);
        this.#distribute();
      },
    });
    this.#joints.add(joint);
    this.#distribute();
    return joint;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#queue.length = this.#first = 0;
    this.#senders[Symbol.dispose]();
    for (const joint of this.#joints) joint.lost();
  }

  /** Gives what waits to those who have room, to the emptiest first. */
  #distribute(): void {
    while (this.waiting > 0) {
      let joint: Joint<Message, Answer> | undefined;
      for (const next of this.#joints) if (next.room > (joint?.room ?? 0)) joint = next;
      if (joint === undefined) break;
      joint.give(this.#shift());
    }
    if (this.waiting > 0 && this.#joints.size === 0) this.#options.wanted?.();
  }

  #shift(): Message {
    const message = this.#queue[this.#first++]!;
    // Now and then what has gone is cut off, at a cost that the messages share.
    if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    const lane = this.#options.lane?.(message);
    if (this.#last.get(lane) === message) this.#last.delete(lane);
    return message;
  }
}
