/** One clock for all isolates of this process: `performance.now()` begins anew in each. */
import { CLOCK_MONOTONIC } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";

/** The system's monotonic time, in milliseconds. */
export function processTime(): number {
  // struct timespec, two 64-bit words on every architecture that is supported
  const time = new BigInt64Array(2);
  openLibc().symbols.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
  return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
}
