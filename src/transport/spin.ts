/**
 * Whether a device that was found empty is read again at once, or its reader sleeps. A client that makes one call after
 * another asks the next thing within the time it takes to wake up on another core, and a thread that slept meanwhile would
 * have to be woken there, too. An idle mount sleeps and takes no processor time.
 */
import { processTime } from "../threads/process_clock.ts";

/**
 * For how many milliseconds an empty device is read again: for about as long as a client takes to wake up and to ask the
 * next thing, 25 to 100 µs on virtual machines. By the clock and not by number: 50 reads, enough on one machine, took
 * half of that time on a faster one, where each request then met a thread that had just gone to sleep, and took 2.3
 * times as long (`docs/performance.md`).
 */
export const SPIN_MILLISECONDS = 0.08;

/** Spins in vain, as where the client's core is taken, are followed by twice as many sleeps without, at most these. */
const MOST_SLEEPS = 16;

/** Of one reader. */
export class Spin {
  readonly #now: () => number;
  /** When the device was found empty first; 0 while it is not known to be empty. */
  #since = 0;
  #sleepsToCome = 0;
  #sleepsAfterNext = 1;

  /** `now` is a clock in milliseconds that is never at 0. */
  constructor(now: () => number = processTime) {
    this.#now = now;
  }

  /** The device had a request. */
  end(): void {
    if (this.#since === 0) return;
    this.#since = 0;
    this.#sleepsAfterNext = 1;
  }

  /** The device was empty: whether it is to be read again at once. When not, its reader sleeps until there is something. */
  goesOn(): boolean {
    if (this.#sleepsToCome > 0) {
      this.#sleepsToCome--;
      return false;
    }
    const now = this.#now();
    if (this.#since === 0) this.#since = now;
    if (now - this.#since < SPIN_MILLISECONDS) return true;
    this.#since = 0;
    this.#sleepsToCome = this.#sleepsAfterNext;
    this.#sleepsAfterNext = Math.min(2 * this.#sleepsAfterNext, MOST_SLEEPS);
    return false;
  }
}
