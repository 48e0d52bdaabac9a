/** What a filesystem is told when a connection begins. */
import type { Notifier } from "./notifier.ts";

/** What the kernel has agreed to, told once before the first request. */
export interface ConnectionInfo {
  /** The kernel's FUSE protocol, as in 7.`minor`. */
  readonly minor: number;
  /** The features in force; see `FileSystem.features`. */
  readonly features: ReadonlySet<string>;
  /** The largest `write`, in bytes. */
  readonly maxWrite: number;
  /** Tells the kernel what changed and wakes who waits in poll, from anywhere, for as long as the mount lives. */
  readonly notifier: Notifier;
  /**
   * Says that what the filesystem is at gets on: for a request that may take longer than `hangTimeout`, after which a keeper
   * takes a server for one that hangs (docs/keeper.md). To be called in the thread that serves; costs next to nothing.
   * Missing where nobody watches.
   */
  readonly noteProgress?: (() => void) | undefined;
}
