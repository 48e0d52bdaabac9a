/** Descriptors that wake whoever waits for them, in any thread: eventfd(2). */
import { EFD_CLOEXEC, EFD_NONBLOCK } from "../../ffi/libc.ts";
import type { Libc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";

/** What adds one to the counter. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/**
 * Makes one that cannot be read yet. Reads do not wait. Whoever makes it closes it.
 *
 * @throws when the process has no descriptor left.
 */
export function openEventfd({ symbols, errno }: Libc): number {
  const descriptor = symbols.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) throw new Error(`Cannot make an eventfd: ${errnoName(errno[0]!)}`);
  return descriptor;
}

/** Wakes who waits. From here on it can be read, until somebody does. */
export function signalEventfd({ symbols }: Libc, eventfd: number): void {
  symbols.write(eventfd, ONE, ONE.length);
}
