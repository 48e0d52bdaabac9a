/**
 * What a handler counts, by operation. Counting is a few additions in arrays by opcode and makes no garbage; what people
 * read is made when they ask.
 */
import { OPCODE } from "../../ffi/kernel.ts";
import { ERRNO, type ErrnoName, errnoName } from "../fs/errors.ts";

/** One operation's figures since the mount began. */
export interface OperationMetrics {
  /** How many requests were answered. */
  readonly count: number;
  /** How many of them with an error, by errno. */
  readonly errors: Readonly<Partial<Record<ErrnoName, number>>>;
  /** How many are not answered yet, those that wait in the queue among them. */
  readonly inFlight: number;
  /** How many wait in the queue. */
  readonly queued: number;
  /** How many were answered `EAGAIN` because the queue stayed full. */
  readonly overflowed: number;
  /** How many were answered `ETIMEDOUT` at their deadline. */
  readonly timedOut: number;
  /** How many answers came after that, and were dropped. */
  readonly dropped: number;
  /**
   * From a request's arrival to its answer: `latency[0]` is how many took less than 1 µs, `latency[n]` how many from
   * 2^(n-1) to less than 2^n µs.
   */
  readonly latency: readonly number[];
}

/** The figures of the operations that have been asked for, by the kernel's name (`"LOOKUP"`, `"READ"`, …). */
export type Metrics = Readonly<Record<string, OperationMetrics>>;

/** All opcodes are below; what is not is counted as 0, which no operation has. */
const SLOTS = 64;
const BUCKETS = 32;
const ERRNOS = Math.max(...Object.values(ERRNO)) + 1;

const NAMES = new Map<number, string>([
  [0, "unknown"],
  ...Object.entries(OPCODE).map(([name, opcode]): [number, string] => [opcode, name]),
]);

export class MetricsRecorder {
  readonly #begun = new Float64Array(SLOTS);
  readonly #count = new Float64Array(SLOTS);
  readonly #queued = new Float64Array(SLOTS);
  readonly #overflowed = new Float64Array(SLOTS);
  readonly #timedOut = new Float64Array(SLOTS);
  readonly #dropped = new Float64Array(SLOTS);
  readonly #errors = new Float64Array(SLOTS * ERRNOS);
  readonly #latency = new Float64Array(SLOTS * BUCKETS);

  /** A request has come. */
  begin(opcode: number): void {
    this.#begun[slot(opcode)]!++;
  }

  /** It was answered with `length` bytes or a negative errno, after so many milliseconds. */
  end(opcode: number, length: number, milliseconds: number): void {
    const at = slot(opcode);
    this.#count[at]!++;
    if (length < 0) this.#errors[at * ERRNOS - length]!++;
    const microseconds = Math.min(0x7fff_ffff, milliseconds * 1000);
    this.#latency[at * BUCKETS + 32 - Math.clz32(microseconds)]!++;
  }

  enqueue(opcode: number): void {
    this.#queued[slot(opcode)]!++;
  }

  dequeue(opcode: number): void {
    this.#queued[slot(opcode)]!--;
  }

  overflow(opcode: number): void {
    this.#overflowed[slot(opcode)]!++;
  }

  timeOut(opcode: number): void {
    this.#timedOut[slot(opcode)]!++;
  }

  drop(opcode: number): void {
    this.#dropped[slot(opcode)]!++;
  }

  /** The figures as they are now. */
  read(): Metrics {
    const operations: Record<string, OperationMetrics> = {};
    for (let at = 0; at < SLOTS; at++) {
      if (this.#begun[at]! > 0) operations[NAMES.get(at) ?? `opcode ${at}`] = this.#operation(at);
    }
    return operations;
  }

  #operation(at: number): OperationMetrics {
    const count = this.#count[at]!;
    return {
      count,
      errors: this.#errorsOf(at),
      inFlight: this.#begun[at]! - count,
      queued: this.#queued[at]!,
      overflowed: this.#overflowed[at]!,
      timedOut: this.#timedOut[at]!,
      dropped: this.#dropped[at]!,
      latency: [...this.#latency.subarray(at * BUCKETS, (at + 1) * BUCKETS)],
    };
  }

  #errorsOf(at: number): OperationMetrics["errors"] {
    const errors: Partial<Record<ErrnoName, number>> = {};
    this.#errors.subarray(at * ERRNOS, (at + 1) * ERRNOS).forEach((count, errno) => {
      const name = count > 0 ? errnoName(errno) : undefined;
      if (name !== undefined) errors[name] = count;
    });
    return errors;
  }
}

function slot(opcode: number): number {
  return opcode < SLOTS ? opcode : 0;
}
