/** The time as a loop takes it, twice for each request. */
import { CLOCK_MONOTONIC } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";

/** Milliseconds since some moment. A call took 60 ns, one of `performance.now()` 170. */
export class Clock {
  readonly #libc: Libc;
  /** `struct timespec`, whose seconds fit in their lower half. */
  readonly #time = new Uint32Array(4);
  readonly #bytes = new Uint8Array(this.#time.buffer);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  now(): number {
    this.#libc.symbols.clock_gettime(CLOCK_MONOTONIC, this.#bytes);
    return this.#time[0]! * 1e3 + this.#time[2]! / 1e6;
  }
}
