/**
 * Interrupts of requests that are not in flight here: most were answered, or are another handler's, and a few are yet to
 * come, by the way of another loop than the interrupt's.
 */

/** How many are remembered; a request comes soon after its interrupt. */
const REMEMBERED = 1024;

export class EarlyInterrupts {
  /** The lower halves of `unique`, in the order in which they came; the kernel counts by twos. */
  readonly #uniques = new Set<number>();

  add(uniqueLower: number): void {
    this.#uniques.add(uniqueLower);
    if (this.#uniques.size <= REMEMBERED) return;
    for (const oldest of this.#uniques) {
      this.#uniques.delete(oldest);
      break;
    }
  }

  /** Whether the interrupt of this request has come before it. */
  take(uniqueLower: number): boolean {
    return this.#uniques.size > 0 && this.#uniques.delete(uniqueLower);
  }
}
