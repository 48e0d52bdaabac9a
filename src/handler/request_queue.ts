/**
 * The requests of one kind: some at work, the next ones in a queue, and behind it, for a while, those that the queue has
 * no room for. Each kind has a queue of its own, so that none starves another.
 */

export interface RequestQueueOptions<Request> {
  /** How many may be at work at once. */
  readonly atWork: number;
  /** How many may wait. */
  readonly length: number;
  /** How many bytes all that wait, in the queue and outside of it, may take together. */
  readonly bytes: number;
  readonly sizeOf: (request: Request) => number;
  /** How long one that finds the queue full waits for room, in milliseconds. */
  readonly sendTimeout: number;
  /** Begins to work on a request. May call `finish` before it returns. */
  readonly start: (request: Request) => void;
}

export class RequestQueue<Request extends object> {
  readonly #options: RequestQueueOptions<Request>;
  /** In order of arrival, as sets and maps are. */
  readonly #waiting = new Set<Request>();
  /** Those without room, and until when each waits for it. All of them came after all of `#waiting`. */
  readonly #outside = new Map<Request, number>();
  #atWork = 0;
  #bytes = 0;
  #starting = false;

  constructor(options: RequestQueueOptions<Request>) {
    this.#options = options;
  }

  /** Starts `request` now, or when its turn comes. Refused when the bytes do not fit. `now` is in milliseconds. */
  add(request: Request, now: number): "started" | "waits" | "refused" {
    const { atWork, length, bytes, sendTimeout, sizeOf, start } = this.#options;
    if (this.#atWork < atWork && this.#waiting.size === 0) {
      this.#atWork++;
      start(request);
      return "started";
    }
    if (this.#bytes + sizeOf(request) > bytes) return "refused";
    this.#bytes += sizeOf(request);
    if (this.#waiting.size < length) this.#waiting.add(request);
    else this.#outside.set(request, now + sendTimeout);
    return "waits";
  }

  /** One that was started is done. */
  finish(): void {
    this.#atWork--;
    // A request that answers at once comes here from `start`: the loop below goes on, rather than ever deeper.
    if (this.#waiting.size > 0 && !this.#starting) this.#startWaiting();
  }

  /** Takes out one that has not been started. */
  remove(request: Request): void {
    if (this.#waiting.delete(request)) this.#leave(request);
    else if (this.#outside.delete(request)) this.#bytes -= this.#options.sizeOf(request);
  }

  /** Until when the first of those without room waits for it; `Infinity` when there is none. */
  get nextOverdue(): number {
    for (const until of this.#outside.values()) return until;
    return Infinity;
  }

  /** Takes out those that have waited for room for too long. */
  takeOverdue(now: number): Request[] {
    const overdue: Request[] = [];
    for (const [request, until] of this.#outside) {
      if (until > now) break;
      this.remove(request);
      overdue.push(request);
    }
    return overdue;
  }

  #startWaiting(): void {
    this.#starting = true;
    try {
      for (const next of this.#waiting) {
        if (this.#atWork >= this.#options.atWork) break;
        this.remove(next);
        this.#atWork++;
        this.#options.start(next);
      }
    } finally {
      this.#starting = false;
    }
  }

  /** One that waited in the queue has left it: there is room for another. */
  #leave(request: Request): void {
    this.#bytes -= this.#options.sizeOf(request);
    for (const request of this.#outside.keys()) {
      if (this.#waiting.size >= this.#options.length) break;
      this.#outside.delete(request);
      this.#waiting.add(request);
    }
  }
}
