/**
 * What the servers of a mount count, by operation. Each counts in shared memory of its own, which the mounting isolate
 * reads at any time: a few plain additions per request, no garbage, and no lock. What people read is made when they ask.
 */
import { OPCODE } from "../../ffi/kernel.ts";
import { ERRNO, type ErrnoName, errnoName } from "../fs/errors.ts";
import { LATENCY_BUCKETS, latencyBucket } from "./latency.ts";

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

/** The memory that one server counts in. */
export type MetricsBlock = Float64Array<SharedArrayBuffer>;

// A row by opcode. COUNT comes before BEGUN, and so is read before it while a server goes on counting.
const COUNT = 0;
const BEGUN = 1;
const QUEUED = 2;
const OVERFLOWED = 3;
const TIMED_OUT = 4;
const DROPPED = 5;
const LATENCY = 6;
const ERRORS = LATENCY + LATENCY_BUCKETS;
const ROW = ERRORS + Math.max(...Object.values(ERRNO)) + 1;

/** All opcodes are below; what is not is counted as 0, which no operation has. */
const ROWS = 64;

const NAMES = new Map<number, string>([
  [0, "unknown"],
  ...Object.entries(OPCODE).map(([name, opcode]): [number, string] => [opcode, name]),
]);

export function makeMetricsBlock(): MetricsBlock {
  return new Float64Array(new SharedArrayBuffer(ROWS * ROW * Float64Array.BYTES_PER_ELEMENT));
}

/** Counts what one server does. Nobody else writes to its block. */
export class MetricsRecorder {
  readonly #block: MetricsBlock;
  readonly #beginsElsewhere: boolean;

  /** `beginsElsewhere`: another server takes the requests, counts that they have come, and hands them on to this one. */
  constructor(block: MetricsBlock = makeMetricsBlock(), beginsElsewhere: boolean = false) {
    this.#block = block;
    this.#beginsElsewhere = beginsElsewhere;
  }

  /** What this server alone has counted. */
  read(): Metrics {
    return readMetrics([this.#block]);
  }

  /** A request has come. */
  begin(opcode: number): void {
    if (!this.#beginsElsewhere) this.#block[row(opcode) + BEGUN]!++;
  }

  /** It was answered with `length` bytes or a negative errno, after so many milliseconds. */
  end(opcode: number, length: number, milliseconds: number): void {
    const at = row(opcode);
    this.#block[at + COUNT]!++;
    if (length < 0) this.#block[at + ERRORS - length]!++;
    this.#block[at + LATENCY + latencyBucket(milliseconds)]!++;
  }

  enqueue(opcode: number): void {
    this.#block[row(opcode) + QUEUED]!++;
  }

  dequeue(opcode: number): void {
    this.#block[row(opcode) + QUEUED]!--;
  }

  overflow(opcode: number): void {
    this.#block[row(opcode) + OVERFLOWED]!++;
  }

  timeOut(opcode: number): void {
    this.#block[row(opcode) + TIMED_OUT]!++;
  }

  drop(opcode: number): void {
    this.#block[row(opcode) + DROPPED]!++;
  }

  /** Who counted here is gone: nothing is in flight or queued any more. */
  settle(): void {
    for (let at = 0; at < this.#block.length; at += ROW) {
      if (!this.#beginsElsewhere) this.#block[at + BEGUN] = this.#block[at + COUNT]!;
      this.#block[at + QUEUED] = 0;
    }
  }
}

function row(opcode: number): number {
  return (opcode < ROWS ? opcode : 0) * ROW;
}

/** The figures of all servers of a mount together, as they are now. */
export function readMetrics(blocks: readonly MetricsBlock[]): Metrics {
  const operations: Record<string, OperationMetrics> = {};
  for (let opcode = 0; opcode < ROWS; opcode++) {
    const figures = sumRows(blocks, row(opcode));
    if (figures[BEGUN]! > 0) operations[NAMES.get(opcode) ?? `opcode ${opcode}`] = describe(figures);
  }
  return operations;
}

function sumRows(blocks: readonly MetricsBlock[], at: number): Float64Array {
  const sum = new Float64Array(ROW);
  for (const block of blocks) {
    for (let figure = 0; figure < ROW; figure++) sum[figure]! += block[at + figure]!;
  }
  return sum;
}

function describe(figures: Float64Array): OperationMetrics {
  const count = figures[COUNT]!;
  return {
    count,
    errors: describeErrors(figures.subarray(ERRORS)),
    inFlight: figures[BEGUN]! - count,
    queued: figures[QUEUED]!,
    overflowed: figures[OVERFLOWED]!,
    timedOut: figures[TIMED_OUT]!,
    dropped: figures[DROPPED]!,
    latency: [...figures.subarray(LATENCY, LATENCY + LATENCY_BUCKETS)],
  };
}

function describeErrors(counts: Float64Array): OperationMetrics["errors"] {
  const errors: Partial<Record<ErrnoName, number>> = {};
  counts.forEach((count, errno) => {
    const name = count > 0 ? errnoName(errno) : undefined;
    if (name !== undefined) errors[name] = count;
  });
  return errors;
}
