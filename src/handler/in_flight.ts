/**
 * The requests that a handler is working on, by `unique`, and their abort signals. A signal is made only when a method
 * asks for it; an interrupt that comes before is remembered.
 */

interface Flight {
  controller: AbortController | undefined;
  interrupted: boolean;
}

const TWO_32 = 0x1_0000_0000;

export class InFlight {
  readonly #flights = new Map<number, Flight>();

  get size(): number {
    return this.#flights.size;
  }

  begin(uniqueLower: number, uniqueUpper: number): void {
    this.#flights.set(key(uniqueLower, uniqueUpper), { controller: undefined, interrupted: false });
  }

  end(uniqueLower: number, uniqueUpper: number): void {
    this.#flights.delete(key(uniqueLower, uniqueUpper));
  }

  /** The signal of a request that is in flight; of any other one that has fired. */
  signal(uniqueLower: number, uniqueUpper: number): AbortSignal {
    const flight = this.#flights.get(key(uniqueLower, uniqueUpper));
    if (flight === undefined) return AbortSignal.abort(interruption());
    flight.controller ??= new AbortController();
    if (flight.interrupted) flight.controller.abort(interruption());
    return flight.controller.signal;
  }

  /** Fires the signal. False when no such request is in flight here. */
  interrupt(uniqueLower: number, uniqueUpper: number): boolean {
    const flight = this.#flights.get(key(uniqueLower, uniqueUpper));
    if (flight === undefined) return false;
    flight.interrupted = true;
    flight.controller?.abort(interruption());
    return true;
  }

  isInterrupted(uniqueLower: number, uniqueUpper: number): boolean {
    return this.#flights.get(key(uniqueLower, uniqueUpper))?.interrupted ?? true;
  }

  /** Fires all signals: the session ends. */
  interruptAll(): void {
    for (const flight of this.#flights.values()) {
      flight.interrupted = true;
      flight.controller?.abort(interruption());
    }
  }
}

/** Numbers are exact up to 2^53; the kernel counts by twos, and bit 63 (resent) belongs to the same request. */
function key(lower: number, upper: number): number {
  return (upper & 0x7fffffff) * TWO_32 + lower;
}

function interruption(): DOMException {
  return new DOMException("The caller was interrupted", "AbortError");
}
