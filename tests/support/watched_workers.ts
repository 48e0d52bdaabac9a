/** Workers by their names, so that a test can make one crash that the library has started. */

/** While it is held, the names of all workers that are started, and the workers. */
export class WatchedWorkers implements Disposable {
  readonly started: { readonly name: string; readonly worker: Worker }[] = [];
  readonly #original = globalThis.Worker;

  constructor() {
    const { started } = this;
    globalThis.Worker = class extends Worker {
      constructor(specifier: string | URL, options?: WorkerOptions) {
        super(specifier, options);
        started.push({ name: options?.name ?? "", worker: this });
      }
    };
  }

  count(name: string): number {
    return this.started.filter((one) => one.name === name).length;
  }

  /** Makes the newest worker of that name fail in its own code: none of ours expects to be told nothing. */
  crash(name: string): void {
    this.started.findLast((one) => one.name === name)!.worker.postMessage(null);
  }

  [Symbol.dispose](): void {
    globalThis.Worker = this.#original;
  }
}
