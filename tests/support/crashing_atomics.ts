/** Atomic operations of this thread that end in a crash: what was done before it is done, and nothing more is. */
type Operations = Record<string, (...parameters: unknown[]) => unknown>;

const CHANGING = ["add", "sub", "store", "exchange", "compareExchange"];

/** Stands before `Atomics`, and before what is passed by hand, until it is disposed of. */
export class CrashingAtomics implements Disposable {
  readonly #originals = { ...pick(Atomics as unknown as Operations) };
  /** How many more points are passed; undefined when there is no crash to come. */
  #left: number | undefined;
  #onCrash: () => void = () => {};
  #crashed = false;

  constructor() {
    const operations = Atomics as unknown as Operations;
    for (const name of CHANGING) operations[name] = (...given) => this.pass(() => this.#originals[name]!(...given));
  }

  /**
   * Runs `act`, which dies at `point`: of each operation there is one before it (even) and one after it. `onCrash` sees
   * what is there then. False when there was no such point.
   */
  crashAt(point: number, act: () => void, onCrash: () => void): boolean {
    [this.#left, this.#onCrash, this.#crashed] = [point, onCrash, false];
    try {
      act();
    } catch (error) {
      if (!this.#crashed) throw error;
    } finally {
      this.#left = undefined;
    }
    return this.#crashed;
  }

  /** Does one thing between two points, in which nobody dies. */
  pass<Result>(act: () => Result): Result {
    if (this.#left === undefined) return act();
    this.#die();
    const left = this.#left;
    this.#left = undefined;
    const result = act();
    this.#left = left;
    this.#die();
    return result;
  }

  #die(): void {
    if (!this.#crashed && this.#left!-- > 0) return;
    if (!this.#crashed) this.#onCrash();
    this.#crashed = true;
    throw new Error("A crash");
  }

  [Symbol.dispose](): void {
    Object.assign(Atomics, this.#originals);
  }
}

function pick(operations: Operations): Operations {
  return Object.fromEntries(CHANGING.map((name) => [name, operations[name]!]));
}
