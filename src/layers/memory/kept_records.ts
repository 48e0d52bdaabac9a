/** What the log of a kept memory filesystem says: how nodes and names are, each record all of its own. */
import type { Time } from "../../fs/attributes.ts";
import type { Name, NodeId } from "../../fs/filesystem.ts";
import { DirectoryNode } from "./directory.ts";
import type { ExtendedAttributes } from "./extended_attributes.ts";
import { type Node, SpecialNode, SymbolicLinkNode } from "./node.ts";

type ShortTime = readonly [seconds: number, nanoseconds: number];

/** A node, but for its names and extended attributes. The letters are short since there are many. */
export interface NodeRecord {
  readonly i: NodeId;
  /** Its place in the file. */
  readonly p: number;
  readonly m: number;
  readonly u: number;
  readonly g: number;
  readonly s: number;
  readonly a: ShortTime;
  readonly t: ShortTime;
  readonly c: ShortTime;
  readonly b: ShortTime;
  /** A symbolic link's target, a special file's device, a directory's next offset. */
  readonly l?: string;
  readonly d?: number;
  readonly o?: number;
  /** A directory that was removed. */
  readonly r?: true;
}

export type Record =
  | readonly ["node", NodeRecord]
  | readonly ["gone", NodeId]
  | readonly ["attributes", NodeId, readonly (readonly [name: string, value: string])[]]
  | readonly ["name", NodeId, Name, number, NodeId]
  | readonly ["unnamed", NodeId, Name]
  /** The last id that was given out. */
  | readonly ["last", NodeId]
  /** A request was done, on this node, by a server that may not have answered it. */
  | readonly ["done", number, NodeId]
  /** A connection has begun: what was done on another says nothing of its requests. */
  | readonly ["connected"];

/** The request that wanted it (0 for none that must not be repeated), the node it made or named, and what came of it. */
export type Batch = readonly [request: number, node: NodeId, records: readonly Record[]];

export function recordNode(node: Node, place: number): Record {
  const directory = node instanceof DirectoryNode;
  return ["node", {
    ...{ i: node.inode, p: place, m: node.mode, u: node.uid, g: node.gid, s: node.size },
    ...{ a: shorten(node.atime), t: shorten(node.mtime), c: shorten(node.ctime), b: shorten(node.birthTime) },
    ...node instanceof SymbolicLinkNode && { l: node.target },
    ...node instanceof SpecialNode && { d: node.device },
    ...directory && { o: node.nextOffset },
    ...directory && node.links === 0 && { r: true as const },
  }];
}

export function recordAttributes(inode: NodeId, attributes: ExtendedAttributes): Record {
  return ["attributes", inode, attributes.names().map((name) => [name, attributes.get(name)!.toBase64()] as const)];
}

function shorten({ seconds, nanoseconds }: Time): ShortTime {
  return [seconds, nanoseconds];
}

/** A time as a node has it. */
export function lengthen([seconds, nanoseconds]: ShortTime): Time {
  return { seconds, nanoseconds };
}

/** How many requests are remembered that servers may not have answered: each server leaves one. */
const MOST_DONE = 64;

/** All that a log says, put together. */
export class KeptTable {
  readonly nodes = new Map<NodeId, NodeRecord>();
  readonly attributes = new Map<NodeId, readonly (readonly [name: string, value: string])[]>();
  readonly names = new Map<NodeId, Map<Name, readonly [offset: number, node: NodeId]>>();
  /** By request, the node. */
  readonly done = new Map<number, NodeId>();
  last: NodeId = 0;

  constructor(batches: Iterable<Batch>) {
    let latest: readonly [number, NodeId] = [0, 0];
    for (const [request, node, records] of batches) {
      for (const record of records) this.#apply(record);
      latest = [request, node];
    }
    if (latest[0] !== 0) this.done.set(...latest);
    for (const request of [...this.done.keys()].slice(0, -MOST_DONE)) this.done.delete(request);
  }

  #apply(record: Record): void {
    switch (record[0]) {
      case "node":
        this.nodes.set(record[1].i, record[1]);
        this.last = Math.max(this.last, record[1].i);
        break;
      case "gone":
        for (const table of [this.nodes, this.attributes, this.names]) table.delete(record[1]);
        break;
      case "attributes":
        this.attributes.set(record[1], record[2]);
        break;
      case "name":
        this.names.getOrInsertComputed(record[1], () => new Map()).set(record[2], [record[3], record[4]]);
        break;
      case "unnamed":
        this.names.get(record[1])?.delete(record[2]);
        break;
      case "last":
        this.last = Math.max(this.last, record[1]);
        break;
      case "done":
        this.done.set(record[1], record[2]);
        break;
      case "connected":
        this.done.clear();
    }
  }
}
