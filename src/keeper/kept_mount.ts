/** A mount that outlives the process that serves it, as whoever mounted holds it. */
import type { Feature } from "../connection/features.ts";
import type { BranchStep, ChangedBranches, RemovalOptions } from "../fs/branches.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** The process that serves. */
export interface ServerState {
  /** Its process id. */
  readonly pid: number;
  /** How many servers there were before it. */
  readonly restarts: number;
  /**
   * How often the mount was made anew for another server, because the kernel could not send requests again (Linux 6.9 can):
   * what was open then got errors.
   */
  readonly mountedAnew: number;
}

/** Hold it with `await using`: at the end of the scope it is unmounted. */
export interface KeptMount extends AsyncDisposable {
  /** Where it is mounted: an absolute path. */
  readonly mountpoint: string;
  /** The features in force, by name. */
  readonly features: ReadonlySet<Feature>;
  /** All features that this kernel offers. */
  readonly kernelFeatures: ReadonlySet<Feature>;
  /** The kernel's FUSE protocol is 7.`minor`. */
  readonly minor: number;
  /** The process that holds the mount, and never serves it. */
  readonly keeper: number;
  /** The process that serves now. */
  readonly server: ServerState;
  /** Resolves when the mount is gone and everything is closed. Rejects with a `KeeperError` when it could not go on. */
  readonly finished: Promise<void>;
  /** What the server that serves now has counted. Waits for the next one when there is none. */
  metrics(): Promise<Metrics>;
  /** Replaces the server by a new one, of another release say, and returns when that one serves. */
  restart(): Promise<void>;
  /**
   * Makes several changes of branches as one, as `Session.changeBranches` does: of a tree. The next servers begin with it.
   * A server that dies meanwhile is no failure: the next one makes the change.
   *
   * @throws as `Session.changeBranches` does.
   */
  changeBranches(steps: readonly BranchStep[], options?: RemovalOptions): Promise<Pick<ChangedBranches, "opened">>;
  /** Tells the kernel that what it knows of a node is out of date. */
  invalidate(node: number): Promise<void>;
  /** Unmounts and returns when everything is closed. Files that are still open get a second's grace. */
  unmount(): Promise<void>;
}

/** Servers ended too often, or the mount could not go on for another reason; the message says which. */
export class KeeperError extends Error {
  /** The name of the class. */
  override readonly name = "KeeperError";
}
