/** What may be said about how much a handler takes on at once, and for how long. */

/** What an operation works on: bytes of files, names and attributes, or the filesystem as a whole. */
export type OperationKind = "data" | "metadata" | "administrative";

/**
 * How long a request of a kind may take, in milliseconds from its arrival (time in the queue counts). Then its caller gets
 * `ETIMEDOUT`, the request's signal fires with a `TimeoutError`, and its answer is dropped when it comes. Default: as long
 * as it takes.
 */
export type Deadlines = Readonly<Partial<Record<OperationKind, number>>>;

/**
 * How many requests of a kind are at work at once: `data` (default 100), `metadata` (100), `administrative` (10). The
 * others wait, in order. Where requests of a kind wait for others of that kind, as reads of a pipe do for writes, the bound
 * must be above what waits; `Infinity` is none.
 */
export interface Bounds extends Readonly<Partial<Record<OperationKind, number>>> {
  /** How many requests of each kind may wait. Default 1000. */
  readonly queue?: number;
  /**
   * How many bytes may wait, of each kind; what would exceed them is `EAGAIN` at once, since waiting outside of the queue
   * takes memory too. Only writes are long. Default 128 MiB.
   */
  readonly queueBytes?: number;
  /** How long a request that finds the queue full waits for room before it gets `EAGAIN`, in milliseconds. Default 5000. */
  readonly sendTimeout?: number;
}

/** What a handler may be told about its limits. */
export interface LimitOptions {
  /** How long requests may take, by kind. */
  readonly deadlines?: Deadlines;
  /** How many requests are at work, and how many wait. */
  readonly bounds?: Bounds;
}
