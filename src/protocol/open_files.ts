/** What is counted of open files where the kernel passes reads and writes through to backing files. */
import type { NodeId, Opened } from "../fs/filesystem.ts";

/** Knows which nodes are open, and the kernel's backing ids of those that are passed through. */
export interface OpenFiles {
  /**
   * Counts an open before it is answered, and returns the backing id to answer with; 0 for none, negated where only
   * mappings may be the backing file's: it was registered with other rights than this open `mayWrite` with. `request` is the number of who asks
   * (`RequestContext.unique`).
   */
  opened(node: NodeId, opened: Opened, mayWrite: boolean, request: number): number;
  /** Takes that back: the file was released, or the answer did not reach the kernel. */
  released(node: NodeId, request: number): void;
}

/** For mounts without the feature `passthrough`: all files are read and written the ordinary way. */
export const WITHOUT_BACKING: OpenFiles = { opened: () => 0, released: () => {} };
