/** Shows the keeper again and again that this isolate comes round to its events, however long requests take. */
import type { Journal } from "../kept/journal.ts";

/** Where nobody says how often, in milliseconds. */
const USUAL = 1_000;

export class Heartbeat implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(journal: Journal, milliseconds = USUAL) {
    this.#timer = setInterval(() => journal.beat(), milliseconds);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
