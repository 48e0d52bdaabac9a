/** One request that a handler has taken: its place among the others, and its abort signal. */
import type { ContextHost } from "../protocol/context.ts";
import type { RequestView } from "../protocol/request.ts";
import type { RequestQueue } from "./request_queue.ts";

export class Flight implements ContextHost {
  readonly request: RequestView;
  /** When it came, and when its time is over, on the clock of `performance.now()`. */
  readonly begin: number;
  readonly due: number;
  /** The queue of its kind; undefined when it is not bounded. */
  readonly queue: RequestQueue<Flight> | undefined;
  /** Whether it waits in the queue. */
  queued = false;
  /** Where it is written down for the mounting isolate; see `taken_requests.ts`. */
  slot = 0;
  #controller: AbortController | undefined;
  #reason: DOMException | undefined;

  constructor(request: RequestView, begin = 0, due = Infinity, queue?: RequestQueue<Flight>) {
    this.request = request;
    this.begin = begin;
    this.due = due;
    this.queue = queue;
  }

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  allocate(size: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(size);
  }

  /** Made only when a method asks for it; an abort that came before is remembered. */
  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Fires the signal; the first reason counts. */
  abort(reason: DOMException): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}
