/**
 * Metrics of mounts as OpenTelemetry instruments. An entry of its own, beside `mod.ts`: who does not want it does not
 * load `@opentelemetry/api`.
 *
 * Deno's own exporter (`OTEL_DENO=true`) asks every isolate of its process before it sends, and so never sends from one
 * whose workers wait in the kernel, as those of a mount do. There, give a meter of another provider; or let another
 * process export: `OTEL_DENO=true cli.ts status --watch`.
 *
 * @module
 */
import { bucketLimit } from "../metrics/latency.ts";
import type { Metrics, OperationMetrics } from "../metrics/metrics.ts";
import { type Meter, metrics, type Observable } from "./deps.ts";

/** What is observed: a `Session` is one. */
export interface Measured {
  /** Where it is mounted: `trellis.mountpoint` of each observation. */
  readonly mountpoint: string;
  /** What was counted so far. */
  readonly metrics: () => Metrics;
}

/** The attributes of an observation. `limit` is in seconds, as text: `"+Inf"` for the last bucket. */
interface Attributes {
  "trellis.mountpoint": string;
  "trellis.operation": string;
  "error.type"?: string;
  le?: string;
}

type Instrument = Observable<{ [Name in keyof Attributes]?: string }>;

type Observe = (instrument: Instrument, value: number, more?: Partial<Attributes>) => void;

/**
 * Offers the metrics of a mount, or of those that a function names each time, to a meter until the result is disposed
 * of. Nothing is computed until somebody collects.
 *
 * | instrument                          | what, by `trellis.mountpoint` and `trellis.operation`                       |
 * | ----------------------------------- | --------------------------------------------------------------------------- |
 * | `trellis.requests`                  | requests answered                                                           |
 * | `trellis.request.errors`            | those answered with an error, also by `error.type`, an errno's name          |
 * | `trellis.requests.in_flight`        | not answered yet                                                            |
 * | `trellis.requests.queued`           | those of them that wait in the queue                                        |
 * | `trellis.requests.overflowed`       | refused because the queue stayed full                                       |
 * | `trellis.requests.timed_out`        | answered at their deadline                                                  |
 * | `trellis.requests.dropped`          | answers that came after that                                                |
 * | `trellis.request.duration.bucket`   | requests answered in less than `le` seconds, cumulative, as Prometheus has it |
 *
 * The histogram is counters, since OpenTelemetry has no histogram that is observed: its own would have to be told of
 * every request.
 */
export function exportMetrics(
  measured: Measured | (() => Iterable<Measured>),
  meter: Meter = metrics.getMeter("trellis"),
): Disposable {
  const observers = makeObservers(meter);
  const instruments = observers.map(({ instrument }) => instrument);
  const collect = (result: { observe: (instrument: Instrument, value: number, attributes: Attributes) => void }) => {
    for (const { mountpoint, metrics } of typeof measured === "function" ? measured() : [measured]) {
      for (const [operation, figures] of Object.entries(metrics())) {
        const attributes = { "trellis.mountpoint": mountpoint, "trellis.operation": operation };
        const observe: Observe = (instrument, value, more) =>
          result.observe(instrument, value, { ...attributes, ...more });
        for (const { instrument, read } of observers) read(figures, instrument, observe);
      }
    }
  };
  meter.addBatchObservableCallback(collect, instruments);
  return { [Symbol.dispose]: () => meter.removeBatchObservableCallback(collect, instruments) };
}

interface Observer {
  readonly instrument: Instrument;
  readonly read: (figures: OperationMetrics, instrument: Instrument, observe: Observe) => void;
}

function makeObservers(meter: Meter): Observer[] {
  const unit = { unit: "{request}" };
  const total = (name: string, field: "count" | "overflowed" | "timedOut" | "dropped", description: string) => ({
    instrument: meter.createObservableCounter(name, { ...unit, description }),
    read: (figures: OperationMetrics, instrument: Instrument, observe: Observe) => observe(instrument, figures[field]),
  });
  const level = (name: string, field: "inFlight" | "queued", description: string) => ({
    instrument: meter.createObservableUpDownCounter(name, { ...unit, description }),
    read: (figures: OperationMetrics, instrument: Instrument, observe: Observe) => observe(instrument, figures[field]),
  });
  return [
    total("trellis.requests", "count", "Requests answered"),
    total("trellis.requests.overflowed", "overflowed", "Requests refused because the queue stayed full"),
    total("trellis.requests.timed_out", "timedOut", "Requests answered at their deadline"),
    total("trellis.requests.dropped", "dropped", "Answers that came after their deadline"),
    level("trellis.requests.in_flight", "inFlight", "Requests not answered yet"),
    level("trellis.requests.queued", "queued", "Requests that wait in the queue"),
    {
      instrument: meter.createObservableCounter("trellis.request.errors", {
        ...unit,
        description: "Requests answered with an error",
      }),
      read: observeErrors,
    },
    {
      instrument: meter.createObservableCounter("trellis.request.duration.bucket", {
        ...unit,
        description: "Requests answered in less than le seconds",
      }),
      read: observeLatency,
    },
  ];
}

function observeErrors({ errors }: OperationMetrics, instrument: Instrument, observe: Observe): void {
  for (const [errno, count] of Object.entries(errors)) observe(instrument, count, { "error.type": errno });
}

function observeLatency({ latency }: OperationMetrics, instrument: Instrument, observe: Observe): void {
  let below = 0;
  latency.forEach((count, bucket) => {
    const limit = bucketLimit(bucket) / 1e6;
    observe(instrument, below += count, { le: limit === Infinity ? "+Inf" : String(limit) });
  });
}
