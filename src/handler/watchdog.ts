/**
 * Looks after handler workers from the mounting isolate, since one that hangs notices nothing by itself: neither that a
 * deadline has passed nor that the mount is gone.
 */
import { type Libc, openLibc } from "../../ffi/library.ts";
import type { ServeSettings } from "../messages.ts";
import type { Limits } from "./limits.ts";
import { processTime } from "../threads/process_clock.ts";

/** How often it is seen whether the mount is gone. A wake-up a second is the price of an idle pool. */
const PERIOD_MILLISECONDS = 1_000;

/** Not more often than this, whatever is due. */
const LEAST_MILLISECONDS = 10;

/** How long after the end the workers may take: a second's grace for what runs, and their own `destroy`. */
const ENDING_MILLISECONDS = 2_500;

// poll.h
const POLLIN = 1;

export interface WatchdogTasks {
  /** Sees to what is due at `now` and returns when to look again, both in the process's milliseconds. */
  readonly check: (now: number) => number;
  /** The mount is gone or told to stop, and the time to end is over. */
  readonly over: () => void;
  /** No request is due sooner than the shortest of these. */
  readonly deadlines: Limits["deadlines"];
}

export class Watchdog implements Disposable {
  readonly #tasks: WatchdogTasks;
  readonly #libc: Libc = openLibc();
  /** Two `struct pollfd`: the device, of which only errors are wanted, and the session's wish to stop. */
  readonly #polled: Uint8Array<ArrayBuffer>;
  readonly #results: Int16Array;
  readonly #period: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endedAt = Infinity;

  constructor({ device, stop }: Pick<ServeSettings, "device" | "stop">, tasks: WatchdogTasks) {
    this.#tasks = tasks;
    this.#period = Math.min(PERIOD_MILLISECONDS, ...Object.values(tasks.deadlines));
    const words = new Int32Array(4);
    this.#results = new Int16Array(words.buffer);
    this.#polled = new Uint8Array(words.buffer);
    words[0] = device;
    words[2] = stop;
    this.#results[6] = POLLIN;
  }

  start(): void {
    const now = processTime();
    if (this.#endedAt === Infinity && this.#hasEnded()) this.#endedAt = now;
    if (now - this.#endedAt > ENDING_MILLISECONDS) return this.#tasks.over();
    const next = Math.min(this.#tasks.check(now), now + this.#period);
    this.#timer = setTimeout(() => this.start(), Math.max(LEAST_MILLISECONDS, next - now));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #hasEnded(): boolean {
    return this.#libc.symbols.poll(this.#polled, 2, 0) > 0;
  }
}
