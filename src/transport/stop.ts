/**
 * A session's wish to stop. Servers that wait find it in an eventfd; those that always have a request never wait, and look
 * at a word of shared memory between two requests. It is for ever: nothing takes it back.
 */
import type { Libc } from "../../ffi/library.ts";
import { openEventfd, signalEventfd } from "./eventfd.ts";

/** The word that a server looks at. */
export type Stopped = Int32Array<SharedArrayBuffer>;

/** Whether a server is to stop. Read without Atomics, as a call is (`doorbell.ts`): a system call lies between two looks. */
export function isStopped(stopped: Stopped): boolean {
  return stopped[0] !== 0;
}

/** The wish to stop, on the side that has it. */
export class Stop implements Disposable {
  /** What servers look at. */
  readonly stopped: Stopped = new Int32Array(new SharedArrayBuffer(4));
  /** What servers wait for: can be read from then on. */
  readonly eventfd: number;
  readonly #libc: Libc;

  /** @throws when the process has no descriptor left. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.eventfd = openEventfd(libc);
  }

  /** From now on all servers are to stop. */
  signal(): void {
    Atomics.store(this.stopped, 0, 1);
    signalEventfd(this.#libc, this.eventfd);
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.eventfd);
  }
}
