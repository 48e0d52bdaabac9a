/** What the library and a keeper in a process of its own say to each other; see `messages.ts`. */
import type { BranchStep, RemovalOptions } from "../fs/branches.ts";
import type { LimitOptions } from "../fs/limits.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ServerState } from "./kept_mount.ts";
import type { Failed } from "./failure.ts";

/** The module as `mount` was told of it. */
export interface PlacedModule {
  readonly placement?: "loop" | "handler";
  readonly module: string;
  readonly options?: unknown;
  readonly loops?: number;
  readonly workers?: number;
  readonly handlers?: readonly LimitOptions[];
}

export type ToKeeper =
  /** What to mount, first of all. Answered with "kept". `options` are those of `mount` that JSON can say. */
  | {
    readonly kind: "keep";
    readonly version: number;
    readonly placement: PlacedModule;
    readonly mountpoint: string;
    readonly options: Readonly<Record<string, unknown>>;
  }
  /** Answered with "status". */
  | { readonly kind: "status" }
  /** Answered with "restarted". */
  | { readonly kind: "restart" }
  | { readonly kind: "invalidate"; readonly node: number }
  /** Answered with "changed". */
  | { readonly kind: "change"; readonly steps: readonly BranchStep[]; readonly options: RemovalOptions }
  /** Answered with "finished", and the end of the process. */
  | { readonly kind: "unmount" };

/** The mount is live. */
export interface Kept {
  readonly kind: "kept";
  readonly mountpoint: string;
  readonly minor: number;
  readonly features: readonly string[];
  readonly kernelFeatures: readonly string[];
  readonly server: ServerState;
}

export type FromKeeper =
  | Kept
  | { readonly kind: "status"; readonly operations: Metrics }
  | { readonly kind: "restarted"; readonly server: ServerState }
  | { readonly kind: "changed"; readonly opened: number }
  | { readonly kind: "log"; readonly message: string; readonly detail: string }
  /** Another server serves. */
  | { readonly kind: "served"; readonly server: ServerState }
  /** The mount is gone; why, when nobody wanted that. */
  | { readonly kind: "finished"; readonly failure?: Failed };

export const TO_KEEPER: readonly ToKeeper["kind"][] = ["keep", "status", "restart", "invalidate", "change", "unmount"];
export const FROM_KEEPER: readonly FromKeeper["kind"][] = [
  "kept",
  "status",
  "restarted",
  "changed",
  "log",
  "served",
  "finished",
];
