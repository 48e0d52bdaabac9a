/** Types only: all that crosses between the isolate that mounts and a handler worker. */
import type {
  LogRecord,
  LoopAnswer,
  LoopCommand,
  LoopEnded,
  LoopFailed,
  LoopReady,
  LoopStart,
  LoopUnused,
  ServeSettings,
} from "../messages.ts";
import type { ErrnoName } from "../fs/errors.ts";
import type { MetricsBlock } from "../metrics/metrics.ts";
import type { Notification } from "../protocol/notification.ts";
import type { ForwardedSource } from "../transport/forwarding.ts";
import type { Limits } from "./limits.ts";
import type { WatchFlag } from "./watcher.ts";

/** What outlives the worker. */
export interface WorkerMemory {
  /** The table of `taken_requests.ts`. */
  readonly taken: SharedArrayBuffer;
  /** What the worker reads the device into. */
  readonly buffer: SharedArrayBuffer;
  /** The figures of `src/metrics`, which the worker that takes its place counts on in. */
  readonly metrics: MetricsBlock;
  /** The flag of its watcher. */
  readonly watch: WatchFlag;
}

/** To a new worker: what to serve. Answered with `HandlerReady` or `LoopFailed`. */
export interface HandlerStart extends Omit<LoopStart, "loop" | "loops"> {
  readonly worker: number;
  readonly workers: number;
  /** How many workers died in this one's place before it. */
  readonly restarts: number;
  readonly limits: Limits;
  /** For a handler beside loops: its number among those. */
  readonly handler?: number;
}

/** To a ready worker: serve until the end. Answered with `LoopEnded` or `LoopFailed`. */
export interface HandlerServe {
  readonly kind: "serve";
  readonly settings: ServeSettings;
  readonly memory: WorkerMemory;
  /** For a handler beside loops: what it reads instead of the settings' device. */
  readonly forwarded?: ForwardedSource;
  /** Calls all workers, where there are several; see `rally.ts`. */
  readonly rally?: number | undefined;
}

/** The kernel interrupts a request that another worker has taken, or had. To the mounting isolate, and on to the others. */
export interface InterruptMessage {
  readonly kind: "interrupt";
  readonly uniqueLower: number;
  readonly uniqueUpper: number;
}

/** A notification, or the wish for contents of the page cache. Answered with `Notified`. */
export interface Notify {
  readonly kind: "notify";
  readonly ticket: number;
  readonly notification: Notification;
}

/** What came of it: an outcome or bytes, or the error. */
export interface Notified {
  readonly kind: "notified";
  readonly ticket: number;
  readonly value?: unknown;
  readonly error?: { readonly code: ErrnoName; readonly message: string };
}

/** The kernel's answer to a `retrieve`, which may come to any worker. */
export interface Retrieved {
  readonly kind: "retrieved";
  readonly unique: number;
  readonly data: Uint8Array;
}

/** The filesystem is made. */
export interface HandlerReady extends LoopReady {
  /** The worker's thread, as in /proc/self/task. */
  readonly thread: string;
}

export type ToHandler = HandlerStart | HandlerServe | InterruptMessage | Notified | LoopCommand;
export type FromHandler =
  | HandlerReady
  | LoopAnswer
  | LoopUnused
  | LoopEnded
  | LoopFailed
  | LogRecord
  | InterruptMessage
  | Notify
  | Retrieved;
