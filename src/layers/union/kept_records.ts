/** What a union writes down that outlives its server, and all of it put together. */
import type { Handle, NodeId, Opened } from "../../fs/filesystem.ts";
import type { Plan } from "./plans.ts";

/** A file; the letters are short since there are many. Inner nodes are by branch. */
export interface NodeRecord {
  readonly i: NodeId;
  /** Where its lookups are counted. */
  readonly p: number;
  /** `S_IFMT`, and `st_ino`. */
  readonly m: number;
  readonly n: number;
  readonly t: number;
  readonly l: number;
  readonly a: readonly Part[];
  readonly r?: readonly Part[];
  /** The names that it was seen under, the last one first. */
  readonly s?: readonly (readonly [parent: NodeId, name: string])[];
}

export type Part = readonly [member: number, node: NodeId];

/** An inner handle, and the part that is open. */
export type OpenPart = readonly [...Part, handle: Handle];

/** An open file: its part that is open, and the inner handle. */
export interface FileRecord {
  readonly h: Handle;
  readonly i: NodeId;
  readonly f: number;
  readonly p: Part;
  readonly o: Handle;
}

/** An entry of a directory that is being read. */
export type ListedRecord = readonly [name: string, inode: number, mode: number];

/** What came of a request: a file, with what was said of its being open; or an error's name. */
export interface Result {
  readonly node?: NodeId;
  readonly opened?: Opened;
  readonly error?: string;
}

/** Changes that are there wholly or not at all. */
export interface Batch {
  readonly nodes?: readonly NodeRecord[];
  readonly gone?: readonly NodeId[];
  readonly files?: readonly FileRecord[];
  readonly lists?: readonly (readonly [Handle, readonly ListedRecord[]])[];
  /** Handles that are open no more, of files and directories. */
  readonly closed?: readonly Handle[];
  /** Inodes of copies, and what is shown for them. */
  readonly inodes?: readonly (readonly [member: number, inode: number, shown: number])[];
  /** What is about to be done; null: it is. */
  readonly plan?: Plan | null;
  /** The request that is done with this batch. */
  readonly request?: readonly [unique: number, result: Result];
  /** What is open on a branch and nobody's any more: it is about to be closed. */
  readonly loose?: OpenPart;
  /** Requests that were done, and that servers may not have answered. */
  readonly done?: readonly (readonly [unique: number, result: Result])[];
}

/** How many requests are remembered that servers may not have answered: each server leaves one. */
const MOST_DONE = 64;

/** All that a log says, put together. */
export class UnionRecords {
  readonly nodes = new Map<NodeId, NodeRecord>();
  readonly files = new Map<Handle, FileRecord>();
  readonly lists = new Map<Handle, readonly ListedRecord[]>();
  readonly inodes: (readonly [member: number, inode: number, shown: number])[] = [];
  readonly done = new Map<number, Result>();
  plan: Plan | undefined;
  loose: OpenPart | undefined;

  constructor(batches: Iterable<Batch>) {
    let latest: Batch["request"];
    for (const batch of batches) {
      this.#apply(batch);
      latest = batch.request;
      // With the next batch it is closed.
      this.loose = batch.loose;
    }
    if (latest !== undefined) this.done.set(...latest);
    for (const request of [...this.done.keys()].slice(0, -MOST_DONE)) this.done.delete(request);
  }

  #apply({ nodes = [], gone = [], files = [], lists = [], closed = [], inodes = [], plan, done = [] }: Batch): void {
    for (const node of nodes) this.nodes.set(node.i, node);
    for (const node of gone) this.nodes.delete(node);
    for (const file of files) this.files.set(file.h, file);
    for (const [handle, list] of lists) this.lists.set(handle, list);
    for (const handle of closed) for (const table of [this.files, this.lists]) table.delete(handle);
    this.inodes.push(...inodes);
    if (plan !== undefined) this.plan = plan ?? undefined;
    for (const [request, result] of done) this.done.set(request, result);
  }
}
