/**
 * Whether a device that was found empty is read again at once, or its reader sleeps. A client that makes one call after
 * another asks the next thing within the time it takes to wake up on another core, and a thread that slept meanwhile would
 * have to be woken there, too. An idle mount sleeps and takes no processor time.
 *
 * How long that takes depends on the machine, so the time is found as KVM finds how long to poll for a halted processor
 * (Documentation/virt/kvm/halt-polling.rst): it grows where sleeps turn out to have been short. And it is no longer than
 * that, since a thread that sleeps may share a core with its client, which is faster than any reading
 * (`docs/performance.md`).
 */
import { processTime } from "../threads/process_clock.ts";

/**
 * Milliseconds for which an empty device is read again, at first and at most. A client on another core took 26 to 100 µs
 * on virtual machines, where a core that has nothing to do is halted.
 */
export const SHORTEST_SPIN = 0.04;
export const LONGEST_SPIN = 0.16;

/** So many requests in a row must come just after the reader fell asleep for the spin to last twice as long. */
const MISSES = 8;

/** Spins in vain, as where the client's core is taken, are followed by twice as many sleeps without, at most these. */
const MOST_SLEEPS = 16;

/** Of one reader. */
export class Spin {
  readonly #now: () => number;
  #length = SHORTEST_SPIN;
  /** When the device was found empty first; 0 while it is not known to be empty. */
  #since = 0;
  #asleep = false;
  #misses = 0;
  #sleepsToCome = 0;
  #sleepsAfterNext = 1;

  /** `now` is a clock in milliseconds that is never at 0. */
  constructor(now: () => number = processTime) {
    this.#now = now;
  }

  /** The device had a request. */
  end(): void {
    if (this.#since === 0) return;
    if (this.#asleep) {
      this.#learn(this.#now() - this.#since);
    } else {
      this.#misses = 0;
      this.#sleepsAfterNext = 1;
    }
    this.#since = 0;
    this.#asleep = false;
  }

  /** The device was empty: whether it is to be read again at once. When not, its reader sleeps until there is something. */
  goesOn(): boolean {
    const now = this.#now();
    if (this.#since === 0 || this.#asleep) {
      this.#since = now;
      this.#asleep = this.#sleepsToCome > 0;
      if (this.#asleep) this.#sleepsToCome--;
    }
    if (!this.#asleep && now - this.#since >= this.#length) {
      this.#asleep = true;
      this.#sleepsToCome = this.#sleepsAfterNext;
      this.#sleepsAfterNext = Math.min(2 * this.#sleepsAfterNext, MOST_SLEEPS);
    }
    return !this.#asleep;
  }

  /** A request came while the reader slept, so long after the device was found empty. */
  #learn(milliseconds: number): void {
    if (milliseconds >= LONGEST_SPIN) {
      this.#misses = 0;
      this.#length = Math.max(this.#length / 2, SHORTEST_SPIN);
    } else if (milliseconds >= this.#length && ++this.#misses === MISSES) {
      this.#misses = 0;
      this.#length = Math.min(2 * this.#length, LONGEST_SPIN);
      this.#sleepsToCome = 0;
      this.#sleepsAfterNext = 1;
    }
  }
}
