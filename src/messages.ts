/** Types only: all that crosses between the isolate that mounts, the loops and the handlers. */
import type { ReplyDefaults } from "./protocol/reply.ts";

/** What serves a loop's requests. */
export type Placement =
  /** A module that the loop itself loads; see `src/fs/module.ts`. `shared` is what its `prepare` returned. */
  | { readonly kind: "loop"; readonly module: string; readonly options: unknown; readonly shared: unknown }
  /** Another isolate, behind this port: every request goes there as its bytes, in a buffer that it then owns. */
  | { readonly kind: "handler"; readonly port: MessagePort };

/** To a new loop worker: what to serve. Answered with `LoopReady` or `LoopFailed`. */
export interface LoopStart {
  readonly kind: "start";
  readonly loop: number;
  readonly loops: number;
  readonly placement: Placement;
}

/** To a ready loop: serve this device until the end. Answered with `LoopEnded` or `LoopFailed`. */
export interface LoopServe {
  readonly kind: "serve";
  /** The loop's own descriptor of the connection. */
  readonly device: number;
  /** An eventfd that becomes readable when loops are to stop. */
  readonly stop: number;
  readonly minor: number;
  readonly features: ReadonlySet<string>;
  readonly maxWrite: number;
  readonly defaults: ReplyDefaults;
  /** Whether every request is to be logged. */
  readonly debug: boolean;
}

export type ToLoop = LoopStart | LoopServe;

/** The filesystem is made; what it has, so that the kernel can be asked for what fits. */
export interface LoopReady {
  readonly kind: "ready";
  readonly methods: readonly string[];
  readonly features: readonly string[];
}

/** The loop has ended: unmounted, aborted through /sys/fs/fuse/connections, or told to stop. */
export interface LoopEnded {
  readonly kind: "ended";
  readonly reason: "unmounted" | "aborted" | "stopped";
}

/** The loop cannot go on, or could not begin. */
export interface LoopFailed {
  readonly kind: "failed";
  readonly message: string;
  readonly stack: string | undefined;
}

/** A line for the log, such as an exception of a filesystem. */
export interface LogRecord {
  readonly kind: "log";
  readonly message: string;
  /** The stack of what was thrown, or the thing itself as text. */
  readonly detail: string;
}

export type FromLoop = LoopReady | LoopEnded | LoopFailed | LogRecord;
