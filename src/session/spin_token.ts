/**
 * Which loop of a session reads an empty device again and again before it sleeps: one at a time. Others would take the
 * processor from the clients whose next request they wait for.
 */
export class SpinToken {
  readonly #word: Int32Array<SharedArrayBuffer>;
  #mine = false;

  /** `word` is one word of memory that all loops of the session share. */
  constructor(word: Int32Array<SharedArrayBuffer>) {
    this.#word = word;
  }

  /** Whether this loop may spin: it has the token, or has got it now. */
  take(): boolean {
    return this.#mine ||= Atomics.compareExchange(this.#word, 0, 0, 1) === 0;
  }

  /** Lets another loop have it. */
  give(): void {
    if (!this.#mine) return;
    this.#mine = false;
    Atomics.store(this.#word, 0, 0);
  }
}
