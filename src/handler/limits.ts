/** How much a handler takes on at once, and for how long: what may be set, and what holds otherwise. */
import { OPERATION_KINDS, type OperationKind } from "./operation_kinds.ts";

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
  readonly deadlines?: Deadlines;
  readonly bounds?: Bounds;
}

/** Limits with nothing left open. */
export interface Limits {
  /** `Infinity` where there is none. */
  readonly deadlines: Readonly<Record<OperationKind, number>>;
  readonly bounds: Readonly<Required<Bounds>>;
}

const DEFAULT_DEADLINES = { data: Infinity, metadata: Infinity, administrative: Infinity };
const DEFAULT_BOUNDS = {
  data: 100,
  metadata: 100,
  administrative: 10,
  queue: 1000,
  queueBytes: 128 << 20,
  sendTimeout: 5000,
};

/**
 * Fills in what was left out.
 *
 * @throws {RangeError} for what is not above 0, and for a bound that is no whole number.
 */
export function completeLimits({ deadlines, bounds }: LimitOptions = {}): Limits {
  const limits = {
    deadlines: { ...DEFAULT_DEADLINES, ...deadlines },
    bounds: { ...DEFAULT_BOUNDS, ...bounds },
  };
  for (const kind of OPERATION_KINDS) check(`deadlines.${kind}`, limits.deadlines[kind], false);
  for (const name of [...OPERATION_KINDS, "queue", "queueBytes"] as const) {
    check(`bounds.${name}`, limits.bounds[name], true);
  }
  check("bounds.sendTimeout", limits.bounds.sendTimeout, false);
  return limits;
}

/** The share of one of `workers` that serve a mount together: bounds are the mount's, deadlines each request's. */
export function divideLimits({ deadlines, bounds }: Limits, workers: number): Limits {
  const share = (bound: number) => Math.ceil(bound / workers);
  return {
    deadlines,
    bounds: {
      data: share(bounds.data),
      metadata: share(bounds.metadata),
      administrative: share(bounds.administrative),
      queue: share(bounds.queue),
      queueBytes: share(bounds.queueBytes),
      sendTimeout: bounds.sendTimeout,
    },
  };
}

function check(name: string, value: number, whole: boolean): void {
  if (value > 0 && (!whole || value === Infinity || Number.isInteger(value))) return;
  throw new RangeError(`${name} is ${value}: it must be ${whole ? "a whole number" : "milliseconds"} above 0`);
}
