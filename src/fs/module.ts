/**
 * A filesystem that is served by threads of its own: a module that each of them loads for itself. With placement "loop"
 * its methods must answer at once, for a loop blocks in the kernel between requests and never runs an event loop. With
 * placement "handler" they may be async, and a worker that dies is started again: what it knew besides `shared` is gone,
 * so that handles and nodes may come which it does not know (`ESTALE`).
 */
import type { Awaitable, FileSystem } from "./filesystem.ts";

/** What a loop, or a handler worker, tells the filesystem that it makes. */
export interface LoopHost<Shared = unknown> {
  /** This loop's (or worker's) number, from 0. */
  readonly loop: number;
  /** How many loops serve the mount, the handlers beside them counted too. */
  readonly loops: number;
  /** For a handler beside loops (`LoopPlacement.handlers`): its number among those, from 0. Missing elsewhere. */
  readonly handler?: number;
  /** How many workers died in this one's place before it; missing in loops. */
  readonly restarts?: number;
  /** What `prepare` returned, the same memory in every loop. */
  readonly shared: Shared;
}

/** The exports of such a module. `options` must survive a structured clone. */
export interface FileSystemModule<Options = unknown, Shared = unknown> {
  /** Makes the filesystem of one loop or worker. */
  default(options: Options, host: LoopHost<Shared>): FileSystem;
  /**
   * Called once, on the mounting side, before any loop or worker makes its filesystem: opens and allocates what all loops share
   * (SharedArrayBuffers, descriptor numbers). What it throws fails the mount.
   */
  prepare?(options: Options, loops: number): Awaitable<Shared>;
  /** Called once after the last loop has ended, with what `prepare` returned. */
  release?(shared: Shared): Awaitable<void>;
  /**
   * For a tree: called when the branch that it had at `path` from the start was removed and no loop has it any more.
   * Closes what that branch had of `shared`, for which `release` comes in any case.
   */
  releaseBranch?(shared: Shared, path: string): Awaitable<void>;
}
