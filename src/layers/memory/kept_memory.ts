/**
 * The memory filesystem whose files outlive its server, where a keeper holds the mount. It is the other one (`mod.ts`), and
 * writes down what changes: contents lie in a file that the keeper holds, nodes and names in a log there (`kept_log.ts`),
 * from which the next server makes them again, with the ids that the kernel knows.
 *
 * A request that changes names is in the log with all that it changes, as one batch. When it comes again (`resent`), it
 * is known to be done. Contents are written in their place before the log says so; who did that comes again and writes the
 * same. How often the kernel was told of a node is counted in memory that ends with the connection.
 */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import {
  type AttributeChanges,
  type Created,
  type DirectoryEntry,
  type FileRange,
  type Handle,
  type Name,
  type NodeId,
  type RequestContext,
  ROOT_NODE,
  type WriteDetails,
} from "../../fs/filesystem.ts";
import type { KeptFile } from "../../kept/kept_file.ts";
import { KeptLog } from "../../kept/kept_log.ts";
import { NodePlaces } from "../support/node_places.ts";
import { PAGE_SIZE } from "./chunk.ts";
import { DirectoryNode } from "./directory.ts";
import { KeptFileNode, restoreNodes } from "./kept_nodes.ts";
import { MOST_PLACES } from "./kept_places.ts";
import { type Batch, KeptTable, type Record, recordAttributes, recordNode } from "./kept_records.ts";
import { MemoryFileSystem, type MemoryOptions } from "./mod.ts";
import type { Birth, FileNode, Node } from "./node.ts";

/** How many bytes of memory the counts take; see `KeptState.memory`. */
export const COUNTS_SIZE = MOST_PLACES * 4;

/** What it keeps its files in. */
export interface KeptMemory {
  readonly file: KeptFile;
  /** Zeros for a new connection: how often the kernel was told of the node in each place. */
  readonly counts: Int32Array;
  /** How long the log may get in any case, in bytes. Default 4 MiB. */
  readonly leastLog?: number;
}

interface Place {
  readonly parent: NodeId;
  readonly name: Name;
}

export class KeptMemoryFileSystem extends MemoryFileSystem {
  readonly #file: KeptFile;
  readonly #places: NodePlaces;
  readonly #log: KeptLog<Batch>;
  /** Requests that servers before may not have answered, and the node of each. */
  readonly #done: Map<number, NodeId>;

  constructor(options: MemoryOptions, { file, counts, leastLog }: KeptMemory) {
    super({ ...options, inodes: Math.min(options.inodes || MOST_PLACES, MOST_PLACES) });
    this.#file = file;
    this.#places = new NodePlaces(counts);
    this.#log = new KeptLog(file, leastLog);
    const table = new KeptTable(this.#log.replay());
    this.#places.restore(table.nodes.values(), table.last);
    this.#done = table.done;
    this.#greet();
    if (table.nodes.has(ROOT_NODE)) this.#restore(table);
    else this.#commit(0, [this.find(ROOT_NODE)!], []);
  }

  /** They stay for the next server. */
  override destroy(): void {}

  /** The pages of 4 KiB that files take by their lengths. */
  measure(): number {
    let pages = 0;
    for (const id of this.#places.nodes()) {
      const node = this.find(id);
      if (node instanceof KeptFileNode) pages += Math.ceil(node.size / PAGE_SIZE);
    }
    return pages;
  }

  override lookup(parent: NodeId, name: Name): Entry | undefined {
    return this.#raise(super.lookup(parent, name));
  }

  forgetLookups(id: NodeId, count: number): void {
    this.#places.lower(id, count);
    this.#dropUnknown(id);
  }

  override setAttributes(id: NodeId, changes: AttributeChanges): Attributes {
    return this.#update(id, () => super.setAttributes(id, changes));
  }

  override readLink(id: NodeId): string {
    return this.#observe(id, () => super.readLink(id));
  }

  override makeNode(parent: NodeId, name: Name, mode: number, device: number, context: RequestContext): Entry {
    return this.#make({ parent, name }, context, () => super.makeNode(parent, name, mode, device, context));
  }

  override makeDirectory(parent: NodeId, name: Name, mode: number, context: RequestContext): Entry {
    return this.#make({ parent, name }, context, () => super.makeDirectory(parent, name, mode, context));
  }

  override makeSymbolicLink(parent: NodeId, name: Name, target: string, context: RequestContext): Entry {
    return this.#make({ parent, name }, context, () => super.makeSymbolicLink(parent, name, target, context));
  }

  override link(id: NodeId, parent: NodeId, name: Name, context?: RequestContext): Entry {
    return this.#make({ parent, name }, context, () => super.link(id, parent, name, context));
  }

  override create(parent: NodeId, name: Name, mode: number, flags: number, context: RequestContext): Created {
    let created: Created | undefined;
    const entry = this.#make({ parent, name }, context, () => {
      created = super.create(parent, name, mode, flags, context);
      return created.entry;
    });
    return created ?? { entry, opened: { handle: this.open(entry.node, flags).handle! } };
  }

  override makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Created {
    const done = this.#takeDone(context);
    // One that the kernel was never told of is gone.
    const made = done === undefined ? undefined : this.find(done);
    const created = made === undefined
      ? super.makeTemporaryFile(parent, mode, flags, context)
      : { entry: { node: made.inode, attributes: made }, opened: { handle: this.open(made.inode, flags).handle! } };
    if (made === undefined) this.#commit(context.unique, [this.find(created.entry.node)!], []);
    this.#raise(created.entry);
    return created;
  }

  override unlink(parent: NodeId, name: Name, context?: RequestContext): void {
    this.#rename([{ parent, name }], context, () => super.unlink(parent, name, context));
  }

  override removeDirectory(parent: NodeId, name: Name, context?: RequestContext): void {
    this.#rename([{ parent, name }], context, () => super.removeDirectory(parent, name, context));
  }

  override rename(
    parent: NodeId,
    name: Name,
    newParent: NodeId,
    newName: Name,
    flags: number,
    context: RequestContext,
  ): void {
    const places = [{ parent, name }, { parent: newParent, name: newName }];
    this.#rename(places, context, () => super.rename(parent, name, newParent, newName, flags, context));
  }

  override read(id: NodeId, handle: Handle, offset: number, size: number, context: RequestContext): Uint8Array {
    return this.#observe(id, () => super.read(id, handle, offset, size, context));
  }

  override write(id: NodeId, handle: Handle, offset: number, data: Uint8Array, details: WriteDetails): number {
    return this.#update(id, () => super.write(id, handle, offset, data, details));
  }

  override allocate(id: NodeId, handle: Handle, mode: number, offset: number, length: number): void {
    this.#update(id, () => super.allocate(id, handle, mode, offset, length));
  }

  override copyFileRange(from: FileRange, to: FileRange, length: number): number {
    return this.#observe(from.node, () => this.#update(to.node, () => super.copyFileRange(from, to, length)));
  }

  override readDirectory(id: NodeId, handle: Handle, offset: number): Iterable<DirectoryEntry> {
    return this.#observe(id, () => super.readDirectory(id, handle, offset));
  }

  override *readDirectoryPlus(id: NodeId, handle: Handle, offset: number): Generator<DirectoryEntry> {
    for (const found of this.#observe(id, () => super.readDirectoryPlus(id, handle, offset))) {
      this.#raise(found.entry);
      yield found;
    }
  }

  override setExtendedAttribute(
    id: NodeId,
    name: string,
    value: Uint8Array,
    flags: number,
    context?: RequestContext,
  ): void {
    this.#changeOnce(id, context, () => super.setExtendedAttribute(id, name, value, flags, context));
  }

  override removeExtendedAttribute(id: NodeId, name: string, context?: RequestContext): void {
    this.#changeOnce(id, context, () => super.removeExtendedAttribute(id, name, context));
  }

  protected override makeFile(permissions: number, birth: Birth): FileNode {
    return new KeptFileNode(permissions, birth, this.#file, this.#places.of(birth.inode));
  }

  /** Makes a name, once. */
  #make(place: Place, context: RequestContext | undefined, make: () => Entry): Entry {
    const done = this.#takeDone(context);
    const made = done === undefined ? undefined : this.find(done);
    if (made !== undefined) return this.#raise({ node: made.inode, attributes: made })!;
    const entry = make();
    const node = this.find(entry.node)!;
    this.#commit(context?.unique ?? 0, [node, this.find(place.parent)!], [place]);
    return this.#raise(entry)!;
  }

  /** Takes away or moves names, once. */
  #rename(places: readonly Place[], context: RequestContext | undefined, act: () => void): void {
    if (this.#takeDone(context) !== undefined) return;
    const nodes = () => places.flatMap((place) => [this.find(place.parent), this.#childAt(place)?.node]);
    const before = nodes();
    act();
    this.#commit(context?.unique ?? 0, new Set([...before, ...nodes()].filter((node) => node !== undefined)), places);
  }

  /** Changes a node wholly or not at all, once. A request that failed is none that was done: it fails again. */
  #changeOnce(id: NodeId, context: RequestContext | undefined, change: () => void): void {
    if (this.#takeDone(context) !== undefined) return;
    change();
    this.#commit(context?.unique ?? 0, [this.find(id)!], []);
  }

  /** Changes a node by what may be done twice. When it fails halfway, what it did until then counts. */
  #update<Result>(id: NodeId, change: () => Result): Result {
    try {
      return change();
    } finally {
      const node = this.find(id);
      if (node !== undefined) this.#commit(0, [node], []);
    }
  }

  /** Does what may renew the access time. */
  #observe<Result>(id: NodeId, look: () => Result): Result {
    const before = this.find(id)?.atime;
    const result = look();
    const node = this.find(id);
    if (node !== undefined && node.atime !== before) this.#commit(0, [node], []);
    return result;
  }

  /** Whether a server before has done the request: the node that it was about. */
  #takeDone(context: RequestContext | undefined): NodeId | undefined {
    if (!context?.resent) return undefined;
    const node = this.#done.get(context.unique);
    this.#done.delete(context.unique);
    return node;
  }

  #childAt({ parent, name }: Place) {
    const directory = this.find(parent);
    return directory instanceof DirectoryNode ? directory.child(name) : undefined;
  }

  #raise<Found extends Entry | undefined>(entry: Found): Found {
    if (entry !== undefined && entry.node !== ROOT_NODE) this.#places.raise(entry.node);
    return entry;
  }

  /** Frees a node that has neither a name nor anybody who knows it. */
  #dropUnknown(id: NodeId): void {
    if (this.find(id)?.links !== 0 || !this.#places.isUnknown(id)) return;
    this.forget(id);
    this.#write([0, 0, [["gone", id]]]);
    // From here on it may be another's.
    this.#places.release(id);
  }

  #commit(request: number, nodes: Iterable<Node>, places: readonly Place[]): void {
    const all = [...nodes];
    const records = all.flatMap((node) => this.#describe(node));
    for (const place of places) {
      const child = this.#childAt(place);
      records.push(
        child === undefined
          ? ["unnamed", place.parent, place.name]
          : ["name", place.parent, place.name, child.offset, child.node.inode],
      );
    }
    this.#write([request, all[0]?.inode ?? 0, records]);
  }

  /** Attributes are written each time: few files have any, and a change of owner or content may take one away. */
  #describe(node: Node): Record[] {
    const record = recordNode(node, this.#places.of(node.inode));
    const { extendedAttributes } = node;
    return extendedAttributes === undefined ? [record] : [record, recordAttributes(node.inode, extendedAttributes)];
  }

  #write(batch: Batch): void {
    this.#log.write(batch, () => this.#snapshot(batch));
  }

  /** All there is, as a log. What the `latest` batch says is in it already, but not which request that was. */
  *#snapshot(latest: Batch): Generator<Batch> {
    yield [0, 0, [["last", this.#places.lastNode], ...this.#describeDone()]];
    for (const id of this.#places.nodes()) {
      const node = this.find(id);
      // A place is taken a moment before its node is there.
      if (node === undefined) continue;
      const names = node instanceof DirectoryNode ? node.children() : [];
      const records = [...names].map((
        { name, offset, node: child },
      ): Record => ["name", id, name, offset, child.inode]);
      yield [0, 0, [...this.#describe(node), ...records]];
    }
    yield latest;
  }

  /**
   * Writes down, before all else, what the last server may not have answered: only the last batch of a log says that. A new
   * connection numbers its requests anew; the root is counted once for each.
   */
  #greet(): void {
    this.#places.of(ROOT_NODE);
    const isNew = this.#places.isUnknown(ROOT_NODE);
    if (isNew) this.#done.clear();
    this.#log.append([0, 0, isNew ? [["connected"]] : this.#describeDone()]);
    if (isNew) this.#places.raise(ROOT_NODE);
  }

  #describeDone(): Record[] {
    return [...this.#done].map(([request, node]) => ["done", request, node]);
  }

  #restore(table: KeptTable): void {
    this.adopt((capacity) => restoreNodes(table, this.#file, capacity).values(), table.last);
    for (const id of table.nodes.keys()) this.#dropUnknown(id);
  }
}
