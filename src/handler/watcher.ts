/**
 * Wakes an isolate with an event loop when its device has something to read. The waiting is done by a worker of its own
 * and not by Deno's pool of threads for blocking calls: programs of this very process that wait for the mount with async
 * calls take those, up to the last one, and the mount would wait for itself.
 */
import type { Watched, WatcherStart } from "../messages.ts";

/** Values of the flag. The isolate sets WATCHING, the worker IDLE. */
export const IDLE = 0;
export const WATCHING = 1;
export const ENDED = 2;

/** The flag's memory. */
export type WatchFlag = Int32Array<SharedArrayBuffer>;

export function makeWatchFlag(): WatchFlag {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Ends the watcher's thread, also for an isolate that was ended itself: who closes a worker does nothing after that. */
export function endWatch(flag: WatchFlag): void {
  Atomics.store(flag, 0, ENDED);
  Atomics.notify(flag, 0);
}

export class Watcher implements Disposable {
  readonly #worker: Worker;
  readonly #flag: WatchFlag;
  readonly #rally: number | undefined;
  #wake: (stopped: Watched) => void = () => {};

  /** `rally` calls others that watch the same device when this isolate does not come round to it (`rally.ts`). */
  constructor(flag: WatchFlag = makeWatchFlag(), rally?: number) {
    this.#flag = flag;
    this.#rally = rally;
    this.#worker = new Worker(new URL("../workers/watcher.ts", import.meta.url), {
      type: "module",
      name: "trellis-watcher",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<Watched>) => this.#wake(data);
  }

  /** Says what is to be watched. */
  watch(poll: number): void {
    this.#worker.postMessage({ poll, flag: this.#flag, rally: this.#rally } satisfies WatcherStart);
  }

  /** Resolves when the device has something to read (false), or the wish to stop has come (true). */
  wait(): Promise<Watched> {
    const { promise, resolve } = Promise.withResolvers<Watched>();
    this.#wake = resolve;
    Atomics.store(this.#flag, 0, WATCHING);
    Atomics.notify(this.#flag, 0);
    return promise;
  }

  [Symbol.dispose](): void {
    endWatch(this.#flag);
    this.#worker.terminate();
  }
}
