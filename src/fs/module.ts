/**
 * A filesystem that is served inside the session loops (placement "loop"): a module that every loop loads for itself.
 * Its methods must answer at once, for a loop blocks in the kernel between requests and never runs an event loop.
 */
import type { Awaitable, FileSystem } from "./filesystem.ts";

/** What a loop tells the filesystem that it makes. */
export interface LoopHost<Shared = unknown> {
  /** This loop's number, from 0. */
  readonly loop: number;
  /** How many loops serve the mount. */
  readonly loops: number;
  /** What `prepare` returned, the same memory in every loop. */
  readonly shared: Shared;
}

/** The exports of such a module. `options` must survive a structured clone. */
export interface FileSystemModule<Options = unknown, Shared = unknown> {
  /** Makes the filesystem of one loop. */
  default(options: Options, host: LoopHost<Shared>): FileSystem;
  /**
   * Called once, on the mounting side, before any loop starts: opens and allocates what all loops share
   * (SharedArrayBuffers, descriptor numbers). What it throws fails the mount.
   */
  prepare?(options: Options, loops: number): Awaitable<Shared>;
  /** Called once after the last loop has ended, with what `prepare` returned. */
  release?(shared: Shared): Awaitable<void>;
}
