/** How much a handler takes on at once, and for how long: what may be set, and what holds otherwise. */
import type { Bounds, Deadlines, LimitOptions } from "../fs/limits.ts";
import { OPERATION_KINDS, type OperationKind } from "./operation_kinds.ts";

export type { Bounds, Deadlines, LimitOptions };

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
