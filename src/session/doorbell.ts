/**
 * How a loop is called away from its requests: it blocks in the kernel, under load it never does, and its event loop
 * stands still either way. A word of shared memory says how often it is called, which it reads between two requests; an
 * eventfd in its epoll descriptor wakes it if it sleeps.
 */
import type { Libc } from "../../ffi/library.ts";
import { addCall } from "../transport/device_poll.ts";
import { openEventfd, signalEventfd } from "../transport/eventfd.ts";

/** The word that a loop looks at: how often it is called. */
export type Call = Int32Array<SharedArrayBuffer>;

/**
 * Whether the loop is called; takes one call. Read without Atomics, which took 10 ns against half of one: between two
 * looks lies a system call, over which no value is kept, and the eventfd's own lock orders it after what was written.
 */
export function takeCall(call: Call): boolean {
  if (call[0] === 0) return false;
  Atomics.sub(call, 0, 1);
  return true;
}

/** The bell of one loop, on the side that calls. */
export class Doorbell implements Disposable {
  /** What the loop looks at. */
  readonly call: Call = new Int32Array(new SharedArrayBuffer(4));
  readonly #libc: Libc;
  readonly #eventfd: number;

  /** @throws when the process has no descriptor left. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#eventfd = openEventfd(libc);
  }

  /** Wakes whoever waits on `poll` when it rings. */
  hang(poll: number): void {
    addCall(this.#libc, poll, this.#eventfd);
  }

  ring(): void {
    // In this order: a loop that reads the word too early has not slept yet, and then does not.
    Atomics.add(this.call, 0, 1);
    signalEventfd(this.#libc, this.#eventfd);
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#eventfd);
  }
}
