/** System calls of this thread that end in a crash: what was done before it is done, and nothing more is. */
import { openLibcUring } from "../../ffi/library.ts";
import { openFiles } from "../../ffi/symbols/files.ts";

/** Thrown in the place of a death. What catches it can do nothing any more. */
class Crash extends Error {
  override readonly name = "Crash";
}

type Calls = Record<string, (...parameters: unknown[]) => unknown>;

/** Puts another function in the place of one of libc's, for this thread. */
export function replaceCall<Calls extends object, Name extends keyof Calls>(
  calls: Calls,
  name: Name,
  value: Calls[Name],
): void {
  // Not by an assignment: as long as a function is rarely called, it is behind a getter (`ffi/open_symbols.ts`).
  Object.defineProperty(calls, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Stands before libc's file calls and those that keep files, until it is disposed of. */
export class CrashingCalls implements Disposable {
  readonly #originals: [calls: Calls, name: string, call: Calls[string]][] = [];
  /** How many more points are passed; undefined when there is no crash to come. */
  #left: number | undefined;
  #onCrash: () => void = () => {};
  #crashed = false;

  constructor() {
    const files = openFiles() as unknown as Calls;
    const uring = openLibcUring().symbols as unknown as Calls;
    for (const name of Object.keys(files)) if (name !== "__errno_location") this.#cover(files, name);
    for (const name of ["io_uring_register", "io_uring_enter"]) this.#cover(uring, name);
  }

  /**
   * Runs `act`, which dies at `point`: of each call there is one before it (even) and one after it. `onCrash` sees what is
   * there then. Returns undefined when there was no such point.
   */
  crashAt(point: number, act: () => void, onCrash: () => void): boolean {
    [this.#left, this.#onCrash, this.#crashed] = [point, onCrash, false];
    try {
      act();
      return this.#crashed;
    } catch (error) {
      if (!this.#crashed) throw error;
      return true;
    } finally {
      [this.#left, this.#crashed] = [undefined, false];
    }
  }

  [Symbol.dispose](): void {
    for (const [calls, name, call] of this.#originals) replaceCall(calls, name, call);
  }

  #cover(calls: Calls, name: string): void {
    const call = calls[name]!;
    this.#originals.push([calls, name, call]);
    replaceCall(calls, name, (...parameters) => {
      if (this.#left === undefined) return call(...parameters);
      this.#pass(name);
      const result = call(...parameters);
      this.#pass(name);
      return result;
    });
  }

  #pass(name: string): void {
    if (!this.#crashed && this.#left!-- > 0) return;
    if (!this.#crashed) this.#onCrash();
    this.#crashed = true;
    throw new Crash(name);
  }
}
