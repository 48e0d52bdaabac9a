/** How often what has crashed may be replaced: a fault that comes back at once must not keep a machine busy. */

const MOST = 3;
const WITHIN_MILLISECONDS = 60_000;

/** Three in a minute. */
export class RestartBudget {
  readonly #spent: number[] = [];

  /** Takes one restart out of the budget at the time `now` (in milliseconds); false when there is none left. */
  spend(now: number = performance.now()): boolean {
    while (this.#spent.length > 0 && this.#spent[0]! <= now - WITHIN_MILLISECONDS) this.#spent.shift();
    if (this.#spent.length >= MOST) return false;
    this.#spent.push(now);
    return true;
  }
}
