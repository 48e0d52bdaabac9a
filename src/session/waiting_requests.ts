/**
 * Requests of one loop whose methods said `Later`: kept as copies, and served again when their time has come. An
 * interrupt of such a request may be read by any loop, so interrupts are written down where all loops see them
 * (`interrupts.ts`).
 */
import { ERRNO } from "../fs/errors.ts";
import type { Answer } from "../protocol/dispatch.ts";
import type { RequestView } from "../protocol/request.ts";
import { type Interrupts, LoopInterrupts } from "./interrupts.ts";

/** The longest time between two tries, in milliseconds. */
const LONGEST = 20;

/** Milliseconds until an interrupt is written down for a loop that had no room. */
const RETRY = 5;

interface Waiting {
  readonly request: RequestView;
  due: number;
  delay: number;
}

/** What waits in one loop. */
export class WaitingRequests {
  readonly #interrupts: LoopInterrupts;
  readonly #answer: Answer;
  readonly #waiting: Waiting[] = [];

  /** For the loop number `loop`, from 0. */
  constructor(interrupts: Interrupts, answer: Answer, loop: number) {
    this.#interrupts = new LoopInterrupts(interrupts, loop);
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
    this.#interrupts.write(uniqueLower);
  }

  /** Milliseconds until there is something to do; -1 when nothing waits. */
  untilNext(): number {
    const { hasUnwritten } = this.#interrupts;
    if (this.#waiting.length === 0) return hasUnwritten ? RETRY : -1;
    const due = this.#waiting.reduce((least, waiting) => Math.min(least, waiting.due), Infinity);
    const next = Math.max(0, Math.ceil(due - performance.now()));
    return hasUnwritten ? Math.min(RETRY, next) : next;
  }

  /** To be called before the loop sleeps: returns for how long, as `untilNext`. */
  rest(): number {
    // Others need not wait for this loop to look at what they write.
    if (this.#waiting.length === 0) this.#interrupts.leave();
    return this.untilNext();
  }

  /** To be called when the loop goes on, before it serves what it was woken for. `serveDue` does it too. */
  attend(): void {
    this.#interrupts.attend();
  }

  /**
   * To be called before the loop reads, also when nothing waits. Answers what was interrupted, and hands to `serve` what is
   * due; what still has to wait is kept for longer.
   */
  serveDue(serve: (request: RequestView) => void): void {
    this.attend();
    const interrupted = this.#interrupts.look();
    if (this.#interrupts.hasUnwritten) this.#interrupts.writeAgain();
    if (this.#waiting.length === 0) return;
    const now = performance.now();
    for (const waiting of this.#waiting.splice(0)) {
      if (interrupted?.has(waiting.request.uniqueLower | 0)) {
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
}
