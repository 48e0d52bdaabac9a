/**
 * Requests of one loop whose methods said `Later`: kept as copies, and served again when their time has come. An
 * interrupt of such a request may be read by any loop, so interrupts are written down where all loops see them.
 */
import { ERRNO } from "../fs/errors.ts";
import type { Answer } from "../protocol/dispatch.ts";
import type { RequestView } from "../protocol/request.ts";

/** The longest time between two tries, in milliseconds. */
const LONGEST = 20;

/** How many interrupts are remembered; more than requests that can be waiting on a sane day. */
const REMEMBERED = 1024;

interface Waiting {
  readonly request: RequestView;
  due: number;
  delay: number;
}

/** The interrupts of a session: a counter, and the last `unique`s (their lower halves; the kernel counts by twos). */
export type Interrupts = Int32Array<SharedArrayBuffer>;

/** The memory that all loops of a session share. */
export function makeInterrupts(): Interrupts {
  return new Int32Array(new SharedArrayBuffer(4 * (1 + REMEMBERED)));
}

export class WaitingRequests {
  readonly #interrupts: Interrupts;
  readonly #answer: Answer;
  readonly #waiting: Waiting[] = [];

  constructor(interrupts: Interrupts, answer: Answer) {
    this.#interrupts = interrupts;
    this.#answer = answer;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Keeps `request` for another try after `milliseconds`. */
  add(request: RequestView, milliseconds: number): void {
    this.#waiting.push({ request: request.keep(), due: performance.now() + milliseconds, delay: milliseconds });
  }

  /** Writes down that the kernel interrupts the request `uniqueLower`. */
  interrupt(uniqueLower: number): void {
    const count = Atomics.add(this.#interrupts, 0, 1);
    Atomics.store(this.#interrupts, 1 + (count & (REMEMBERED - 1)), uniqueLower);
  }

  /** Milliseconds until there is something to do; -1 when nothing waits. */
  untilNext(): number {
    if (this.#waiting.length === 0) return -1;
    const due = this.#waiting.reduce((least, waiting) => Math.min(least, waiting.due), Infinity);
    return Math.max(0, Math.ceil(due - performance.now()));
  }

  /** Answers what was interrupted, and hands to `serve` what is due; what still has to wait is kept for longer. */
  serveDue(serve: (request: RequestView) => void): void {
    const now = performance.now();
    for (const waiting of this.#waiting.splice(0)) {
      if (this.#isInterrupted(waiting.request.uniqueLower)) {
        this.#answer(waiting.request, -ERRNO.EINTR);
      } else if (waiting.due > now) {
        this.#waiting.push(waiting);
      } else {
        this.#retry(waiting, serve);
      }
    }
  }

  #retry({ request, delay }: Waiting, serve: (request: RequestView) => void): void {
    const before = this.#waiting.length;
    serve(request);
    if (this.#waiting.length === before) return;
    const again = this.#waiting.at(-1)!;
    again.delay = Math.min(LONGEST, delay * 2);
    again.due = performance.now() + again.delay;
  }

  #isInterrupted(uniqueLower: number): boolean {
    // A request never waits for as long as 2^31 others take, so that its number cannot be an older one's.
    return this.#interrupts.includes(uniqueLower | 0, 1);
  }
}
