/** How often what has crashed may be replaced: a fault that comes back at once must not keep a machine busy. */

/** How often within that time, unless somebody says otherwise. */
export const MOST_RESTARTS = 3;
const WITHIN_MILLISECONDS = 60_000;

/** So many in a minute. */
export class RestartBudget {
  readonly #most: number;
  readonly #spent: number[] = [];

  constructor(most: number = MOST_RESTARTS) {
    this.#most = most;
  }

  /** Takes one restart out of the budget at the time `now` (in milliseconds); false when there is none left. */
  spend(now: number = performance.now()): boolean {
    while (this.#spent.length > 0 && this.#spent[0]! <= now - WITHIN_MILLISECONDS) this.#spent.shift();
    if (this.#spent.length >= this.#most) return false;
    this.#spent.push(now);
    return true;
  }
}
