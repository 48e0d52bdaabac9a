/**
 * What a union knows, in a log that outlives its server, where a keeper holds the mount: which files of the branches each
 * node is made of, and what is open. How often the kernel was told of a node is counted in memory beside it.
 *
 * **Order.** A part is looked up on its branch before the log says that the union has it, and given back after the log says
 * that it has not: so the log names no node that a branch has forgotten. A server that ends in between leaves one that is
 * known for longer than need be.
 *
 * **Requests.** What a request changed is in the log as one batch, with the request's number and what it is answered, before
 * it is. When it comes again, that is the answer. What takes several steps on the branches is written down before the first
 * of them (`plans.ts`), and done to the end by the next server before it serves.
 */
import type { Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { ROOT_NODE } from "../../fs/filesystem.ts";
import type { KeptFilePlace, KeptState } from "../../fs/module.ts";
import { KeptFile } from "../../kept/kept_file.ts";
import { KeptLog } from "../../kept/kept_log.ts";
import { NodePlaces } from "../support/node_places.ts";
import {
  type Batch,
  type FileRecord,
  type ListedRecord,
  type OpenPart,
  type Result,
  UnionRecords,
} from "./kept_records.ts";
import type { UnionNodes } from "./nodes.ts";
import type { Plan, Step } from "./plans.ts";

/** How many nodes there can be. */
const MOST_NODES = 1 << 22;

// Numbers of the memory: the next node and the next handle; then the counts.
const NEXT_NODE = 0;
const NEXT_HANDLE = 1;
const COUNTS = 8;

/** Where all of it is; it survives a structured clone. */
export interface KeptUnionMemory {
  readonly file: KeptFilePlace;
  readonly memory: SharedArrayBuffer;
}

/** Finds what the server before left. Undefined where nobody asks the next server for what this one knows. */
export function shareKeptUnion(kept: KeptState): KeptUnionMemory | undefined {
  if (!kept.resumes) return undefined;
  return { file: kept.file(), memory: kept.memory((COUNTS + MOST_NODES) * 8) };
}

/**
 * What the branches are told of the servers before: of a request that the union has done, it answers what they did for it,
 * and they take back nothing of that.
 */
export function statesOfMembers(parts: readonly KeptState[], { file, memory }: KeptUnionMemory): KeptState[] {
  const { done } = new UnionRecords(isNew(memory) ? [] : new KeptLog<Batch>(new KeptFile(file)).replay());
  return parts.map((part) => ({
    ...part,
    interrupted: part.interrupted.map((unique) => unique !== undefined && done.has(unique) ? undefined : unique),
  }));
}

/** Whether no union was served on this connection. */
function isNew(memory: SharedArrayBuffer): boolean {
  return new Float64Array(memory, 0, COUNTS)[NEXT_NODE] === 0;
}

type Changes = {
  -readonly [Key in "files" | "lists" | "closed" | "gone" | "inodes"]: NonNullable<Batch[Key]>[number][];
};

export class KeptTables {
  /** What the server before had. */
  readonly found: UnionRecords;
  /** What is under way, and what the server before was at. */
  plan: Plan | undefined;
  readonly #log: KeptLog<Batch>;
  readonly #numbers: Float64Array;
  readonly #places: NodePlaces;
  readonly #files: Map<Handle, FileRecord>;
  readonly #lists: Map<Handle, readonly ListedRecord[]>;
  readonly #inodes: (readonly [member: number, inode: number, shown: number])[];
  readonly #done: Map<number, Result>;
  /** The records of nodes as the log has them. */
  readonly #written = new Map<NodeId, string>();
  #nodes!: UnionNodes;
  /** What the next batch says beside nodes. */
  #changes: Changes = noChanges();

  constructor({ file, memory }: KeptUnionMemory) {
    this.#numbers = new Float64Array(memory, 0, COUNTS);
    this.#places = new NodePlaces(new Float64Array(memory, COUNTS * 8, memory.byteLength / 8 - COUNTS));
    this.#log = new KeptLog(new KeptFile(file));
    if (isNew(memory)) this.#log.rewrite([]);
    const found = this.found = new UnionRecords(this.#log.replay());
    const { files, lists, inodes, done, plan } = found;
    [this.#files, this.#lists, this.#inodes, this.#done, this.plan] = [files, lists, inodes, done, plan];
    this.#places.restore(found.nodes.values(), ROOT_NODE);
    if (isNew(memory)) this.#numbers[NEXT_HANDLE] = 1;
  }

  /** Begins to write down what changes in `nodes`, which have been made of `found`. */
  begin(nodes: UnionNodes): void {
    this.#nodes = nodes;
    for (const record of this.found.nodes.values()) this.#written.set(record.i, JSON.stringify(record));
    // Only the last batch says what the last server may not have answered.
    if (this.#done.size > 0) this.#log.append({ done: [...this.#done] });
    nodes.touched!.add(nodes.root);
    this.commitPart();
    if (this.#places.isUnknown(ROOT_NODE)) this.#places.raise(ROOT_NODE);
    if (this.#numbers[NEXT_NODE] === 0) this.#numbers[NEXT_NODE] = ROOT_NODE + 1;
  }

  /** Frees what the kernel was never told of. What is planned may be about such files: first that is done. */
  dropUnknown(): void {
    for (const id of [...this.found.nodes.keys()]) this.dropUntold(id);
  }

  nextNode(): NodeId {
    return this.#numbers[NEXT_NODE]!++;
  }

  nextHandle(): Handle {
    return this.#numbers[NEXT_HANDLE]!++;
  }

  /** The kernel is about to be told of a node. */
  raise(node: NodeId): void {
    if (node !== ROOT_NODE) this.#places.raise(node);
  }

  forget(node: NodeId, count: number): void {
    if (node === ROOT_NODE) return;
    this.#places.lower(node, count);
    this.dropUntold(node);
  }

  /** Frees a node, unless the kernel has been told of it and has not forgotten it. */
  dropUntold(id: NodeId): void {
    if (id === ROOT_NODE || !this.#places.isUnknown(id)) return;
    this.#nodes.forget(id);
    this.#changes.gone.push(id);
    this.#written.delete(id);
    this.commitPart();
    // From here on it may be another's.
    this.#places.release(id);
  }

  opened(file: FileRecord): void {
    this.#files.set(file.h, file);
    this.#changes.files.push(file);
  }

  /** What a directory showed when it was read from the start. */
  listed(handle: Handle, entries: readonly ListedRecord[]): void {
    this.#lists.set(handle, entries);
    this.#changes.lists.push([handle, entries]);
  }

  closed(handle: Handle): void {
    if (this.#files.delete(handle) || this.#lists.delete(handle)) this.#changes.closed.push(handle);
  }

  /** From here on a file of a branch shows this inode. */
  renumbered(member: number, inode: number, shown: number): void {
    this.#inodes.push([member, inode, shown]);
    this.#changes.inodes.push([member, inode, shown]);
  }

  /** Writes down what is about to be done, unless it is part of what is already. */
  intend(step: Step, { uid, gid, pid, umask, unique }: RequestContext): void {
    if (this.plan !== undefined) return;
    const plan = { step, caller: { uid, gid, pid, umask, unique }, mark: crypto.randomUUID() };
    this.#write({ ...this.#takeChanges(), plan });
    this.plan = plan;
  }

  /** Writes down what has changed, and that what was intended goes on. */
  commitPart(): void {
    this.#commit({});
  }

  /** As `commitPart`, of what a request has opened for good; and of what it is about to close. */
  commitOpened(unique: number, loose: OpenPart): void {
    this.#commit({ request: [unique, {}], loose });
  }

  /** Writes down what has changed, and that nothing is under way; and what comes of a request. */
  commit(request?: readonly [unique: number, result: Result]): void {
    const ends = this.plan !== undefined;
    this.plan = undefined;
    this.#commit({ ...ends && { plan: null }, ...request && { request } });
  }

  /** What became of a request that comes again, when a server before has done it. */
  takeDone({ resent, unique }: RequestContext): Result | undefined {
    if (!resent) return undefined;
    const result = this.#done.get(unique);
    this.#done.delete(unique);
    return result;
  }

  /** The request of `plan` is done by this server in the place of the one before. */
  settle(plan: Plan, result: Result): void {
    const { unique } = plan.caller;
    if (plan.step.action === "copy") return this.commit();
    this.#done.set(unique, result);
    this.commit([unique, result]);
    this.#write({ done: [[unique, result]] });
  }

  #commit(more: Batch): void {
    const batch = { ...this.#takeChanges(), ...more };
    if (Object.keys(batch).length > 0) this.#write(batch);
    this.#nodes.giveBack();
  }

  #takeChanges(): Batch {
    const nodes = [];
    for (const node of this.#nodes.touched!) {
      if (!this.#nodes.has(node.id)) continue;
      const record = node.record(this.#places.of(node.id));
      const text = JSON.stringify(record);
      if (this.#written.get(node.id) === text) continue;
      this.#written.set(node.id, text);
      nodes.push(record);
    }
    this.#nodes.touched!.clear();
    const changes = this.#changes;
    this.#changes = noChanges();
    const said = Object.entries({ nodes, ...changes }).filter(([, list]) => list.length > 0);
    return Object.fromEntries(said);
  }

  #write(batch: Batch): void {
    this.#log.write(batch, () => this.#snapshot(batch));
  }

  /** All there is, as a log. */
  *#snapshot(latest: Batch): Generator<Batch> {
    yield { inodes: this.#inodes, done: [...this.#done], ...this.plan && { plan: this.plan } };
    for (const node of this.#nodes.all()) yield { nodes: [node.record(this.#places.of(node.id))] };
    for (const file of this.#files.values()) yield { files: [file] };
    for (const list of this.#lists) yield { lists: [list] };
    const { plan, request, loose } = latest;
    yield { ...plan !== undefined && { plan }, ...request && { request }, ...loose && { loose } };
  }
}

function noChanges(): Changes {
  return { files: [], lists: [], closed: [], gone: [], inodes: [] };
}
