/**
 * The requests that a handler has taken and not answered: bounded by kind, each with a deadline, interrupted by `unique`,
 * answered once. The first answer takes a request out of here; what comes after it finds nothing, and is dropped.
 */
import { ERRNO } from "../fs/errors.ts";
import type { MetricsRecorder } from "../metrics/metrics.ts";
import type { RequestView } from "../protocol/request.ts";
import { Alarm } from "./alarm.ts";
import { Flight } from "./flight.ts";
import type { Limits } from "./limits.ts";
import { isBounded, type OperationKind, operationKind } from "./operation_kinds.ts";
import { RequestQueue } from "./request_queue.ts";
import type { TakenRequests } from "./taken_requests.ts";

export interface InFlightOptions {
  readonly limits: Limits;
  readonly metrics: MetricsRecorder;
  /** Where it is written down what was taken and not answered; undefined when nobody else needs to know. */
  readonly taken?: TakenRequests | undefined;
  /** Begins to work on a request. */
  readonly start: (flight: Flight) => void;
  /** Answers a request with a negative errno, as its method would: through `end` and `leave`. */
  readonly refuse: (request: RequestView, errno: number) => void;
}

const TWO_32 = 0x1_0000_0000;

export class InFlight implements Disposable {
  readonly #options: InFlightOptions;
  readonly #flights = new Map<number, Flight>();
  readonly #queues: Readonly<Record<OperationKind, RequestQueue<Flight>>>;
  readonly #alarm = new Alarm(() => this.#refuseDue());

  constructor(options: InFlightOptions) {
    this.#options = options;
    this.#queues = {
      data: this.#makeQueue("data"),
      metadata: this.#makeQueue("metadata"),
      administrative: this.#makeQueue("administrative"),
    };
  }

  #makeQueue(kind: OperationKind): RequestQueue<Flight> {
    const { queue: length, queueBytes: bytes, sendTimeout, [kind]: atWork } = this.#options.limits.bounds;
    return new RequestQueue({
      atWork,
      length,
      bytes,
      sendTimeout,
      sizeOf: ({ request }) => request.length,
      start: (flight) => this.#start(flight),
    });
  }

  get size(): number {
    return this.#flights.size;
  }

  /** Takes a request, and starts it now or when its turn comes. */
  take(request: RequestView): void {
    const { limits, metrics, taken, start } = this.#options;
    const { opcode } = request;
    const kind = operationKind(opcode);
    const now = performance.now();
    const due = kind === undefined ? Infinity : now + limits.deadlines[kind];
    const queue = kind === undefined || !isBounded(opcode) ? undefined : this.#queues[kind];
    const flight = new Flight(request, now, due, queue);
    this.#flights.set(key(request.uniqueLower, request.uniqueUpper), flight);
    if (taken !== undefined) flight.slot = taken.add(request, now, due);
    metrics.begin(opcode);
    this.#alarm.set(flight.due);
    if (queue === undefined) return start(flight);
    const place = queue.add(flight, now);
    if (place === "started") return;
    flight.queued = true;
    metrics.enqueue(opcode);
    if (place === "refused") this.#overflow(flight);
    else this.#alarm.set(queue.nextOverdue);
  }

  /** The request gets its answer. Undefined when it had one: then this one is dropped. */
  end(request: RequestView): Flight | undefined {
    const unique = key(request.uniqueLower, request.uniqueUpper);
    const flight = this.#flights.get(unique);
    if (flight === undefined) this.#options.metrics.drop(request.opcode);
    else this.#flights.delete(unique);
    return flight;
  }

  /** The answer has been sent: what waits for this one's place may start. */
  leave(flight: Flight, length: number): void {
    this.#options.metrics.end(flight.request.opcode, length, performance.now() - flight.begin);
    this.#options.taken?.remove(flight.slot);
    if (flight.queued) {
      this.#dequeue(flight);
      flight.queue?.remove(flight);
    } else {
      flight.queue?.finish();
    }
  }

  /** What is known of a request; undefined when it was answered. */
  get({ uniqueLower, uniqueUpper }: RequestView): Flight | undefined {
    return this.#flights.get(key(uniqueLower, uniqueUpper));
  }

  /** Fires the signal, and answers what has not been started. False when no such request is in flight here. */
  interrupt(uniqueLower: number, uniqueUpper: number): boolean {
    const flight = this.#flights.get(key(uniqueLower, uniqueUpper));
    if (flight === undefined) return false;
    this.#interrupt(flight);
    return true;
  }

  /** The session ends: answers what has not been started. */
  refuseQueued(): void {
    for (const flight of this.#flights.values()) {
      if (flight.queued) this.#interrupt(flight);
    }
  }

  /** Fires all signals. */
  interruptAll(): void {
    for (const flight of this.#flights.values()) this.#interrupt(flight);
  }

  [Symbol.dispose](): void {
    this.#alarm[Symbol.dispose]();
  }

  #start(flight: Flight): void {
    if (flight.queued) this.#dequeue(flight);
    this.#options.start(flight);
  }

  #dequeue(flight: Flight): void {
    flight.queued = false;
    this.#options.metrics.dequeue(flight.request.opcode);
  }

  #interrupt(flight: Flight): void {
    flight.abort(new DOMException("The caller was interrupted", "AbortError"));
    if (flight.queued) this.#options.refuse(flight.request, -ERRNO.EINTR);
  }

  /** Answers what is out of time, and returns when to look again. */
  #refuseDue(): number {
    const now = performance.now();
    let next = Infinity;
    for (const flight of this.#flights.values()) {
      if (flight.due <= now) this.#timeOut(flight);
      else next = Math.min(next, flight.due);
    }
    for (const queue of Object.values(this.#queues)) {
      for (const flight of queue.takeOverdue(now)) this.#overflow(flight);
      next = Math.min(next, queue.nextOverdue);
    }
    return next;
  }

  #timeOut(flight: Flight): void {
    this.#options.metrics.timeOut(flight.request.opcode);
    // The caller first: what the signal sets off may take its time.
    this.#options.refuse(flight.request, -ERRNO.ETIMEDOUT);
    flight.abort(new DOMException("The request's deadline has passed", "TimeoutError"));
  }

  #overflow(flight: Flight): void {
    this.#options.metrics.overflow(flight.request.opcode);
    this.#options.refuse(flight.request, -ERRNO.EAGAIN);
  }
}

/** Numbers are exact up to 2^53; the kernel counts by twos, and bit 63 (resent) belongs to the same request. */
function key(lower: number, upper: number): number {
  return (upper & 0x7fffffff) * TWO_32 + lower;
}
