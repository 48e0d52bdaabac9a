/** A directory: names in a steady order, and the link counts that follow from them. */
import { FsError } from "../../fs/errors.ts";
import type { Name } from "../../fs/filesystem.ts";
import { S_IFDIR } from "../../fs/flags.ts";
import type { Birth } from "./node.ts";
import { Node } from "./node.ts";

/** Offsets of "." and ".." in a listing; those of the children follow. */
export const DOT_OFFSET = 1;
export const DOT_DOT_OFFSET = 2;

/** A name in a directory. What it leads to may be exchanged (rename); its name and place in listings never are. */
export class Child {
  readonly name: Name;
  readonly offset: number;
  node: Node;

  constructor(name: Name, offset: number, node: Node) {
    this.name = name;
    this.offset = offset;
    this.node = node;
  }
}

/** `st_size` of a directory, which says nothing. */
const DIRECTORY_SIZE = 4096;

/**
 * Children are in a `Map`, whose order is that of their offsets, because a new name gets the next offset and the last
 * place. Times are the caller's to set.
 */
export class DirectoryNode extends Node {
  /** The directory that ".." leads to; the root's is itself. */
  parent: DirectoryNode;
  #children: Map<Name, Child> | undefined = undefined;
  #nextOffset = DOT_DOT_OFFSET + 1;

  constructor(mode: number, birth: Birth, parent?: DirectoryNode) {
    super(S_IFDIR | mode, birth);
    this.parent = parent ?? this;
    this.size = DIRECTORY_SIZE;
    // "." leads here, and in the root ".." too.
    this.links = parent ? 1 : 2;
  }

  /** Whether nothing is in it but "." and "..". */
  get empty(): boolean {
    return !this.#children?.size;
  }

  /** The offset that the next new name will get: greater than all there are. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The child called `name`. */
  child(name: Name): Child | undefined {
    return this.#children?.get(name);
  }

  /** The node called `name`, or `ENOENT`. */
  require(name: Name): Node {
    const child = this.#children?.get(name);
    if (child === undefined) throw new FsError("ENOENT", `Cannot find "${name}" in directory ${this.inode}`);
    return child.node;
  }

  /** All children in the order of their offsets; the iterator lives on while the directory changes. */
  children(): IteratorObject<Child> {
    return this.#children?.values() ?? [].values();
  }

  /** Whether `node` is this directory or lies above it. */
  isWithin(node: Node): boolean {
    if (node === this) return true;
    let above = this.parent;
    while (above !== node && above !== above.parent) above = above.parent;
    return above === node;
  }

  /** Gives `node` the name `name`, which is free. */
  attach(name: Name, node: Node): void {
    (this.#children ??= new Map()).set(name, new Child(name, this.#nextOffset++, node));
    this.#count(node, 1);
  }

  /** Takes over what was there before: names in the order of their offsets, and the next offset. */
  restore(children: Iterable<Child>, nextOffset: number): void {
    for (const child of children) {
      (this.#children ??= new Map()).set(child.name, child);
      this.#count(child.node, 1);
    }
    this.#nextOffset = nextOffset;
  }

  /** Takes away the name `name`, which is there. */
  detach(name: Name): void {
    this.#count(this.require(name), -1);
    this.#children!.delete(name);
  }

  /** Lets the name `name`, which is there, lead to `node` instead. */
  replace(name: Name, node: Node): void {
    const child = this.#children!.get(name)!;
    this.#count(child.node, -1);
    child.node = node;
    this.#count(node, 1);
  }

  /** Notes that it is no longer in the tree: "." does not count any more, and nothing can be made in it. */
  retire(): void {
    this.links = 0;
  }

  #count(node: Node, step: 1 | -1): void {
    node.links += step;
    if (!(node instanceof DirectoryNode)) return;
    this.links += step;
    if (step > 0) node.parent = this;
  }
}

/** `node` as a directory, or `ENOTDIR`. */
export function requireDirectory(node: Node): DirectoryNode {
  if (node instanceof DirectoryNode) return node;
  throw new FsError("ENOTDIR", `Cannot use node ${node.inode} as a directory: it is none`);
}
