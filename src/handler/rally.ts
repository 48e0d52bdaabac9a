/**
 * Calls all handler workers of a pool to the device. The kernel wakes one worker for a request, which may be computing, or
 * waiting for something, between two events: then its watcher has the others look.
 */
import { CLOCK_MONOTONIC, TFD_CLOEXEC, TFD_NONBLOCK } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/**
 * Makes a descriptor that ends the waits of all whom `addCall` gave it to. Whoever makes it closes it.
 *
 * It is a timerfd that runs out at once and not an eventfd: a watcher may be about to use it when it is closed, and would
 * write into whatever file has got its number.
 *
 * @throws when the process has no descriptor left.
 */
export function openRally({ symbols, errno }: Libc): number {
  const descriptor = symbols.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (descriptor < 0) throw new Error(`Cannot call handler workers: ${errnoName(errno[0]!)}`);
  return descriptor;
}

/** Calls all. */
export function callAll({ symbols }: Libc, rally: number): void {
  symbols.timerfd_settime(rally, 0, AT_ONCE, null);
}

/** `struct itimerspec` of a nanosecond, without a second time; none at all would stop the timer. */
const AT_ONCE = new Uint8Array(new BigInt64Array([0n, 0n, 0n, 1n]).buffer);
