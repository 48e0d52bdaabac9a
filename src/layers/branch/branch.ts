/**
 * One filesystem of the tree: its operations, complete; its answers, with the tree's node ids and inode numbers; what the
 * kernel has of it; and its end.
 */
import { NOT_ADDED, type SharedOpenFiles } from "../../fs/branches.ts";
import type { Attributes, Entry, ExtendedStatus } from "../../fs/attributes.ts";
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { Awaitable, Created, FileSystem, NodeId, Opened } from "../../fs/filesystem.ts";
import { ROOT_NODE } from "../../fs/filesystem.ts";
import { LookupCounts } from "../../fs/lookup_counts.ts";
import { copyAttributes, type Unfilled } from "../support/copy_attributes.ts";
import { boundMethods } from "../support/methods.ts";
import { ADAPTED, adaptMethods } from "./features.ts";
import { type AllMethods, completeMethods } from "./missing_methods.ts";
import { outerNode, shownInode, SPAN } from "./node_ids.ts";
import { staleMethods } from "./stale_methods.ts";

/** `live`; `lazy`: no name leads to it any more, open files live; `gone`: nothing leads to it. */
type State = "live" | "lazy" | "gone";

export class Branch {
  readonly id: number;
  readonly path: string;
  /** How many branches had the id before. */
  readonly generation: number;
  /** The handler beside the loops that serves it, if one does. */
  readonly handler: number | undefined;
  filesystem: FileSystem;
  /** The operations, with the branch's own ids. */
  methods: AllMethods;
  /** Lookups that the kernel holds; with several loops this loop's part, which alone may be negative. */
  known = 0;
  /** Open files and directories. */
  opened = 0;
  /** The filesystem's inode numbers of places, where they are known: ".." of what is in them shows such a one. */
  readonly placeInodes: Map<number, NodeId> = new Map();
  readonly #origin: number;
  /** What `generation` adds to an entry's own, so that the two name a file for all time. */
  readonly #generations: number;
  readonly #counts: LookupCounts | undefined;
  readonly #destroyed = Promise.withResolvers<void>();
  #running = 0;
  #left = false;
  #state: State = "live";
  /** Where the loops that remove it lazily count together. */
  #shared: SharedOpenFiles | undefined;
  // The answers of methods that answer at once: read before the next method is called.
  readonly #attributes: Attributes = { mode: 0 };
  readonly #entry: Unfilled<Entry> = {};
  readonly #created: Created = { entry: { node: 0, attributes: this.#attributes }, opened: {} };

  constructor(id: number, path: string, filesystem: FileSystem, generation = 0, handler?: number) {
    this.id = id;
    this.path = path;
    this.handler = handler;
    this.filesystem = filesystem;
    this.#origin = id * SPAN;
    this.generation = generation;
    this.#generations = generation * 2 ** 32;
    const { forget, forgetLookups } = filesystem;
    this.#counts = forget !== undefined && forgetLookups === undefined ? new LookupCounts() : undefined;
    this.methods = completeMethods(boundMethods(filesystem), `branch ${id} at "${path}"`);
    this.#destroyed.promise.catch(() => {});
  }

  initialize(connection: ConnectionInfo): void {
    const { features: wished = [] } = this.filesystem;
    this.methods = adaptMethods(this.methods, connection.features.difference(new Set(wished)));
    const features = connection.features.difference(new Set(ADAPTED.filter((feature) => !wished.includes(feature))));
    this.filesystem.initialize?.({ ...connection, features });
  }

  /** Attributes of `node`, with an inode number of the tree's. */
  attributes(result: Awaitable<Attributes>, node: NodeId, isPlace: boolean): Awaitable<Attributes> {
    if (result instanceof Promise) {
      return this.#follow(result).then((attributes) => this.#translate(attributes, node, isPlace, { mode: 0 }));
    }
    return this.#translate(result, node, isPlace, this.#attributes);
  }

  /** As {@linkcode attributes}, for statx. */
  status(result: Awaitable<ExtendedStatus>, node: NodeId, isPlace: boolean): Awaitable<ExtendedStatus> {
    const translate = (status: ExtendedStatus): ExtendedStatus => ({
      ...status,
      attributes: this.#translate(status.attributes, node, isPlace, { mode: 0 }),
    });
    return result instanceof Promise ? this.#follow(result).then(translate) : translate(result);
  }

  /** The entry of a file in this branch, counted. */
  entry(result: Awaitable<Entry>): Awaitable<Entry> {
    return result instanceof Promise ? this.#follow(result).then(this.#freshEntry) : this.#reusedEntry(result);
  }

  /** As {@linkcode entry}, of a name that need not be there. */
  found(result: Awaitable<Entry | undefined>): Awaitable<Entry | undefined> {
    if (!(result instanceof Promise)) return result && this.#reusedEntry(result);
    return this.#follow(result).then((found) => found && this.#freshEntry(found));
  }

  /** The entry of a place whose attributes are this branch's. `places` hold no lookup in the branch's filesystem. */
  placeEntry(attributes: Attributes, node: NodeId, timeouts: Partial<Entry> = {}): Entry {
    return {
      ...timeouts,
      node,
      generation: this.#generations,
      attributes: this.#translate(attributes, node, true, { mode: 0 }),
    };
  }

  created(result: Awaitable<Created>): Awaitable<Created> {
    if (result instanceof Promise) {
      return this.#follow(result).then(({ entry, opened }) => {
        this.#countOpen(1);
        return { entry: this.#freshEntry(entry), opened };
      });
    }
    this.#countOpen(1);
    this.#created.entry = this.#reusedEntry(result.entry);
    this.#created.opened = result.opened;
    return this.#created;
  }

  open(result: Awaitable<Opened>): Awaitable<Opened> {
    if (result instanceof Promise) return this.#follow(result).then(this.#countOpened);
    return this.#countOpened(result);
  }

  /** Any other answer: nothing in it is the branch's own. */
  pass<Result>(result: Awaitable<Result>): Awaitable<Result> {
    return result instanceof Promise ? this.#follow(result) : result;
  }

  /** An open file is closed for good. */
  released(result: Awaitable<void>): Awaitable<void> {
    this.#countOpen(-1);
    const passed = this.pass(result);
    this.#settle();
    return passed;
  }

  /** The kernel lets go of `count` lookups of a node. */
  forget(inner: NodeId, count: number): void {
    // First: what another isolate serves is handed on by an exception, and counted there.
    if (inner !== ROOT_NODE && this.#state !== "gone") this.giveBack(inner, count);
    this.known -= count;
    this.#settle();
  }

  /** Gives lookups back to the filesystem that the kernel never had, or has no more. */
  giveBack(inner: NodeId, count = 1): void {
    if (this.#counts === undefined) this.filesystem.forgetLookups?.(inner, count);
    else if (this.#counts.lower(inner, count)) this.filesystem.forget?.(inner);
  }

  /** Counts a lookup that the tree holds for itself, until it is given back. */
  hold(inner: NodeId): void {
    this.#counts?.raise(inner);
  }

  /** Gives back what {@linkcode hold} counted. */
  letGo(inner: NodeId): void {
    if (this.#state !== "gone") this.giveBack(inner);
  }

  /** Takes back an answer that was not counted yet and is not shown. */
  discard(entry: Entry): void {
    if (entry.node !== ROOT_NODE) this.filesystem.forgetLookups?.(entry.node, 1);
  }

  /** `st_ino` of a file for which the filesystem says `inode`. */
  inode(inode: number): number {
    return shownInode(this.#origin, inode);
  }

  /** Whether the kernel knows nothing of it any more, so that its id may be another's. */
  get forgotten(): boolean {
    return this.#state !== "live" && this.known <= 0 && this.opened <= 0 && this.#running === 0;
  }

  /** Ends it: resolves when its filesystem was destroyed, and rejects with what that threw. */
  leave(lazy: boolean): Promise<void> {
    this.#state = lazy ? "lazy" : "gone";
    this.#shared = undefined;
    if (!lazy) this.methods = staleMethods(this.id, this.path);
    this.#settle();
    return this.#destroyed.promise;
  }

  /**
   * As {@linkcode leave}, when other loops have it too. With `shared` it lives on until somebody who was told that it is
   * unused calls this again, without.
   */
  async leaveWithOthers(shared: SharedOpenFiles | undefined): Promise<void> {
    if (shared === undefined) return await this.leave(false);
    this.#state = "lazy";
    this.#shared = shared;
    this.#addToShared(this.opened - NOT_ADDED);
  }

  #countOpen(change: number): void {
    this.opened += change;
    if (this.#shared !== undefined) this.#addToShared(change);
  }

  #addToShared(change: number): void {
    const { count, unused } = this.#shared!;
    if (Atomics.add(count, 0, change) + change === 0) unused();
  }

  /** Destroys the filesystem when it is to leave and nobody uses it any more. */
  #settle(): void {
    // What the kernel only remembers does not count: it may do so for as long as it likes.
    const closed = this.#shared === undefined && this.opened <= 0;
    const unused = this.#running === 0 && (this.#state === "gone" || closed);
    if (this.#state === "live" || !unused || this.#left) return;
    this.methods = staleMethods(this.id, this.path);
    this.#state = "gone";
    this.#end();
    // The branch itself stays until its id is another's; what it held in memory should not.
    this.filesystem = {};
  }

  /** At the end of the mount. What was removed before reports its end to who removed it, but is waited for. */
  destroy(): Promise<void> {
    if (this.#left) return this.#destroyed.promise.catch(() => {});
    this.#end();
    return this.#destroyed.promise;
  }

  #end(): void {
    this.#left = true;
    try {
      this.#destroyed.resolve(this.filesystem.destroy?.());
    } catch (error) {
      this.#destroyed.reject(error);
    }
  }

  /** Counts a method that is under way. */
  #follow<Result>(promise: Promise<Result>): Promise<Result> {
    this.#running++;
    return promise.finally(() => {
      this.#running--;
      this.#settle();
    });
  }

  #countOpened = (opened: Opened): Opened => {
    this.#countOpen(1);
    return opened;
  };

  #freshEntry = (found: Entry): Entry => this.#enter(found, {}, { mode: 0 });

  #reusedEntry(found: Entry): Entry {
    return this.#enter(found, this.#entry, this.#attributes);
  }

  /** Counts `found` and fills `entry` in; attributes that have to be copied go into `attributes`. */
  #enter(found: Entry, entry: Unfilled<Entry>, attributes: Attributes): Entry {
    const inner = found.node;
    if (!(inner >= 1 && inner < SPAN)) this.discard(found);
    const node = outerNode(this.id, inner);
    if (inner !== ROOT_NODE) this.#counts?.raise(inner);
    this.known++;
    entry.node = node;
    entry.generation = (found.generation ?? 0) + this.#generations;
    entry.entryTimeout = found.entryTimeout;
    entry.attributesTimeout = found.attributesTimeout;
    entry.attributes = this.#translate(found.attributes, node, inner === ROOT_NODE, attributes);
    return entry as Entry;
  }

  /** Attributes as the tree shows them: the filesystem's own object where nothing changes, else copied into `target`. */
  #translate(attributes: Attributes, node: NodeId, isPlace: boolean, target: Attributes): Attributes {
    const { inode } = attributes;
    if (isPlace && inode !== undefined) this.placeInodes.set(this.inode(inode), node);
    const shown = isPlace ? node : inode === undefined ? undefined : this.inode(inode);
    if (shown === inode) return attributes;
    const copy: Unfilled<Attributes> = copyAttributes(attributes, target);
    copy.inode = shown;
    return target;
  }
}
