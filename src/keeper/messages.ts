/**
 * What keeper and server say to each other, and the library to a keeper: frames (see `src/control/frames.ts`), on the
 * other's standard input and output. Who was started speaks when it is spoken to, but for the events "log", "served",
 * "stopping" and "finished".
 */
import type { Agreement } from "../connection/handshake.ts";
import type { BranchStep, TreeHistory } from "../fs/branches.ts";
import type { LimitOptions } from "../fs/limits.ts";
import type { Agreed } from "../fs/module.ts";
import type { KeptHandles } from "../kept/kept_state.ts";
import type { EndReason } from "../messages.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ReplyDefaults } from "../protocol/reply.ts";

/** The version of everything here. Keeper and server may be of different releases; they must agree in this. */
export const VERSION = 5;

/** The longest message in bytes: trees of thousands of branches fit. */
export const LONGEST = 1 << 24;

/** A filesystem that is a module, and who serves it. */
export interface ServedModule {
  readonly placement: "loop" | "handler";
  readonly module: string;
  /** What the module is given: what JSON can say. */
  readonly options: unknown;
  /** How many loops, or workers of placement "handler", read the device, each from a descriptor of its own. */
  readonly readers: number;
  /** The limits of each handler beside loops. */
  readonly handlers: readonly LimitOptions[];
  /** Those of the workers of placement "handler", together. */
  readonly limits: LimitOptions;
}

/** How many isolates serve, each of which has a slot of the journal. */
export function countIsolates({ readers, handlers }: ServedModule): number {
  return readers + handlers.length;
}

/** What is served, and on which descriptors (`given_descriptors.ts`), which are sent before. Answered with "ready". */
export interface ServerStart {
  readonly kind: "start";
  readonly version: number;
  readonly served: ServedModule;
  readonly mountpoint: string;
  /** The mount's `major:minor` in the mount table. */
  readonly mountedDevice: string;
  /** The descriptors of the connection: one for each reader. */
  readonly devices: readonly number[];
  readonly defaults: ReplyDefaults;
  readonly debug: boolean;
  /** What outlives it, and what it is told of the servers before it. */
  readonly kept: KeptHandles;
  /** The filesystem's own file. */
  readonly file: number;
  /** Whether another server can go on with this connection. */
  readonly resumes: boolean;
  readonly history: ServerHistory;
}

/** What became of the mount before a server. */
export interface ServerHistory {
  readonly restarts: number;
  /** By loop, then by handler; null for one that was at nothing. */
  readonly interrupted: readonly (number | null)[];
  /** What the first server's filesystem had; missing for that one. */
  readonly agreed?: Agreed;
  /** What the tree has become; missing when its branches were never changed, or it is no tree. */
  readonly tree?: TreeHistory;
}

/** What was agreed with the kernel when the mount began. Answered with "serving". */
export interface ServerServe {
  readonly kind: "serve";
  readonly minor: number;
  readonly maxWrite: number;
  readonly features: readonly string[];
  /** How often a handler shows that it comes round to its events, in milliseconds. */
  readonly heartbeat: number;
}

/** What a server in reserve will be told to start. Not answered. */
export interface ServerLoad {
  readonly kind: "load";
  readonly served: ServedModule;
}

export type ToServer =
  | ServerLoad
  | ServerStart
  | ServerServe
  /** Answered with "status". */
  | { readonly kind: "status" }
  /** Tells the kernel that what it knows of a node is out of date. */
  | { readonly kind: "invalidate"; readonly node: number }
  /** Changes the branches of a tree, all or none. Answered with "changed". */
  | { readonly kind: "change"; readonly steps: readonly BranchStep[]; readonly lazy: boolean }
  /** Answered with "stopping", and the end of the process. */
  | { readonly kind: "stop" };

export type FromServer =
  /** The filesystem is made; what it has, and the longest write that it takes, when that is not as long as can be. */
  | {
    readonly kind: "ready";
    readonly methods: readonly string[];
    readonly features: readonly string[];
    readonly maxWrite?: number;
  }
  /** Requests are read. */
  | { readonly kind: "serving" }
  | { readonly kind: "status"; readonly operations: Metrics }
  /** What the tree has become, for the next server; and how much of what went was open. */
  | { readonly kind: "changed"; readonly opened: number; readonly tree: TreeHistory }
  | { readonly kind: "log"; readonly message: string; readonly detail: string }
  /** The server ends: the mount is gone, or it was told to stop. */
  | { readonly kind: "stopping"; readonly reason: EndReason };

export const FROM_SERVER: readonly FromServer["kind"][] = ["ready", "serving", "status", "changed", "log", "stopping"];
export const TO_SERVER: readonly ToServer["kind"][] = [
  "load",
  "start",
  "serve",
  "status",
  "invalidate",
  "change",
  "stop",
];

/** The message in a frame. @throws {TypeError} when it is none of the `kinds`, nor "failed". */
export function readMessage(value: unknown, kinds: readonly string[]): { readonly kind: string } {
  const { kind } = (value ?? {}) as { kind?: unknown };
  if (typeof kind === "string" && (kind === "failed" || kinds.includes(kind))) return value as { kind: string };
  throw new TypeError(`There is no such message: ${JSON.stringify(value)?.slice(0, 200)}`);
}

/** @throws {Error} when the other side is of a release that speaks differently. */
export function checkVersion({ version }: { readonly version: number }): void {
  if (version === VERSION) return;
  throw new Error(`The keeper speaks version ${version}, this process ${VERSION}: unmount, and mount anew`);
}

/** What the server needs for its settings. */
export function agreementOf({ minor, maxWrite, features }: ServerServe): Agreement {
  return { minor, maxWrite, features: new Set(features) };
}
