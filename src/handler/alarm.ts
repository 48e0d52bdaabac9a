/**
 * One timer for many deadlines: it is set for the earliest, and asks what comes next when it rings. A request that is
 * answered in time leaves it alone, so that deadlines cost no timer per request.
 */

/** The longest time that setTimeout takes. */
const LONGEST = 0x7fff_ffff;

export class Alarm implements Disposable {
  /** Does what is due and returns when to ring next, on the clock of `performance.now()`; `Infinity` for never. */
  readonly #ring: () => number;
  #at = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ring: () => number) {
    this.#ring = ring;
  }

  /** Sees to it that it rings at `time` or earlier. */
  set(time: number): void {
    if (time >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = time;
    this.#timer = setTimeout(() => {
      this.#at = Infinity;
      this.set(this.#ring());
    }, Math.min(LONGEST, Math.max(0, Math.ceil(time - performance.now()))));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    // Nothing is earlier: it rings no more.
    this.#at = -Infinity;
  }
}
