/** How often what crashes is started again: so many times in so long, then no more. */

/** Three in a minute: a crash now and then is survived, a module that crashes at once is not started for ever. */
const RESTARTS = 3;
const MILLISECONDS = 60_000;

export class RestartBudget {
  #taken: number[] = [];

  /** Whether one more may start at `now`, in milliseconds. */
  take(now: number): boolean {
    this.#taken = this.#taken.filter((time) => now - time < MILLISECONDS);
    if (this.#taken.length >= RESTARTS) return false;
    this.#taken.push(now);
    return true;
  }
}
