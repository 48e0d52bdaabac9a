/** One branch of a union: a filesystem, whether it may be changed, and the lookups that are counted for it. */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type {
  Awaitable,
  Created,
  DirectoryEntry,
  FileSystem,
  NodeId,
  Opened,
  RequestContext,
} from "../../fs/filesystem.ts";
import { LookupCounts } from "../../fs/lookup_counts.ts";

/** One of the filesystems that a union merges. */
export interface UnionBranch {
  /** What it shows. */
  readonly filesystem: FileSystem;
  /** Whether things may be made and changed there. */
  readonly writable: boolean;
  /** What the attribute `user.trellis.origin` names it: the path of its source, mostly. */
  readonly name: string;
}

/** Methods that are called with the answer that stands for a missing one: that of the contract. */
export class Member {
  readonly index: number;
  readonly filesystem: FileSystem;
  readonly writable: boolean;
  readonly name: string;
  /** For a filesystem that leaves the counting to who calls it. */
  readonly #lookups: LookupCounts | undefined;

  constructor({ filesystem, writable, name }: UnionBranch, index: number) {
    this.index = index;
    this.filesystem = filesystem;
    this.writable = writable;
    this.name = name;
    this.#lookups = filesystem.forgetLookups === undefined ? new LookupCounts() : undefined;
  }

  /** The method, which must be there for what is to be done. @throws FsError `EOPNOTSUPP` */
  need<Method extends keyof FileSystem>(method: Method): NonNullable<FileSystem[Method]> {
    const found = this.filesystem[method];
    if (found !== undefined) {
      return typeof found === "function" ? found.bind(this.filesystem) as NonNullable<FileSystem[Method]> : found;
    }
    throw new FsError("EOPNOTSUPP", `The branch ${this.name} of the union has no ${method}`);
  }

  lookup(parent: NodeId, name: string, context: RequestContext): Awaitable<Entry | undefined> {
    return this.#counted(this.filesystem.lookup?.(parent, name, context));
  }

  getAttributes(node: NodeId, handle: number | undefined, context: RequestContext): Awaitable<Attributes> {
    return this.need("getAttributes")(node, handle, context);
  }

  makeDirectory(parent: NodeId, name: string, mode: number, context: RequestContext): Awaitable<Entry> {
    return this.#counted(this.need("makeDirectory")(parent, name, mode, context));
  }

  makeNode(
    parent: NodeId,
    name: string,
    mode: number,
    device: number,
    context: RequestContext,
  ): Awaitable<Entry> {
    return this.#counted(this.need("makeNode")(parent, name, mode, device, context));
  }

  makeSymbolicLink(parent: NodeId, name: string, target: string, context: RequestContext): Awaitable<Entry> {
    return this.#counted(this.need("makeSymbolicLink")(parent, name, target, context));
  }

  link(node: NodeId, parent: NodeId, name: string, context: RequestContext): Awaitable<Entry> {
    return this.#counted(this.need("link")(node, parent, name, context));
  }

  create(
    parent: NodeId,
    name: string,
    mode: number,
    flags: number,
    context: RequestContext,
  ): Awaitable<Created> {
    return this.#countedFile(this.need("create")(parent, name, mode, flags, context));
  }

  makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Awaitable<Created> {
    return this.#countedFile(this.need("makeTemporaryFile")(parent, mode, flags, context));
  }

  open(node: NodeId, flags: number, context: RequestContext): Awaitable<Opened> {
    return this.filesystem.open?.(node, flags, context) ?? {};
  }

  release(node: NodeId, handle: number, flags: number, context: RequestContext): Awaitable<void> {
    return this.filesystem.release?.(node, handle, flags, context);
  }

  readDirectory(
    node: NodeId,
    handle: number,
    offset: number,
    context: RequestContext,
  ): Awaitable<Iterable<DirectoryEntry> | AsyncIterable<DirectoryEntry>> {
    return this.filesystem.readDirectory?.(node, handle, offset, context) ?? [];
  }

  /** Gives back one lookup. */
  forget(node: NodeId): void {
    if (this.#lookups === undefined) this.filesystem.forgetLookups!(node, 1);
    else if (this.#lookups.lower(node, 1)) this.filesystem.forget?.(node);
  }

  #counted<E extends Entry | undefined>(entry: Awaitable<E>): Awaitable<E> {
    if (entry instanceof Promise) return entry.then((found) => this.#count(found));
    return this.#count(entry);
  }

  #countedFile(created: Awaitable<Created>): Awaitable<Created> {
    const count = (made: Created) => {
      this.#count(made.entry);
      return made;
    };
    return created instanceof Promise ? created.then(count) : count(created);
  }

  #count<E extends Entry | undefined>(entry: E): E {
    if (entry !== undefined) this.#lookups?.raise(entry.node);
    return entry;
  }
}
