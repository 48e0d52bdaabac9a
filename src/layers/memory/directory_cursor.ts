/** An open directory: reading it in pieces while it changes. */
import type { DirectoryEntry } from "../../fs/filesystem.ts";
import { DOT_DOT_OFFSET, DOT_OFFSET } from "./directory.ts";
import type { Child, DirectoryNode } from "./directory.ts";

/**
 * The cursor keeps one live iterator, so that reading on costs nothing, however large the directory is; only a seek
 * starts again and skips. The reader asks for entries "after `offset`". It takes entries until one does not fit, so
 * the entry yielded last may have been taken or not: the next offset tells.
 *
 * Names that came after the start are not shown until the directory is rewound: otherwise a program that renames each
 * file it finds would find its own new names, and more of them, without end.
 */
export class DirectoryCursor {
  readonly #directory: DirectoryNode;
  #children!: Iterator<Child>;
  /** The offset that no shown child reaches. */
  #end!: number;
  /** The child that came last out of the iterator, and the offset after which it came. */
  #last: Child | undefined;
  #before!: number;

  constructor(directory: DirectoryNode) {
    this.#directory = directory;
    this.#rewind();
  }

  /** The entries after `offset`, with what `lookup` returns for them when `plus`. */
  *entries(offset: number, plus: boolean): Generator<DirectoryEntry> {
    const { inode, mode, parent } = this.#directory;
    if (offset === 0) this.#rewind();
    if (offset < DOT_OFFSET) yield { name: ".", inode, mode, offset: DOT_OFFSET };
    if (offset < DOT_DOT_OFFSET) {
      yield { name: "..", inode: parent.inode, mode: parent.mode, offset: DOT_DOT_OFFSET };
    }
    let child = this.#seek(Math.max(offset, DOT_DOT_OFFSET));
    while (child && child.offset < this.#end) {
      yield plus ? entryPlusOf(child) : entryOf(child);
      child = this.#advance();
    }
  }

  #rewind(): void {
    this.#children = this.#directory.children();
    this.#end = this.#directory.nextOffset;
    this.#last = undefined;
    this.#before = DOT_DOT_OFFSET;
  }

  get #position(): number {
    return this.#last?.offset ?? DOT_DOT_OFFSET;
  }

  /** The first child after `offset`. */
  #seek(offset: number): Child | undefined {
    if (offset === this.#position) return this.#advance();
    if (offset === this.#before && this.#lastStays()) return this.#last;
    return this.#restart(offset);
  }

  #lastStays(): boolean {
    return this.#last !== undefined && this.#directory.child(this.#last.name) === this.#last;
  }

  #restart(offset: number): Child | undefined {
    this.#children = this.#directory.children();
    this.#last = undefined;
    let child = this.#advance();
    while (child && child.offset <= offset) child = this.#advance();
    this.#before = offset;
    return child;
  }

  #advance(): Child | undefined {
    const { done, value } = this.#children.next();
    if (done) return undefined;
    this.#before = this.#position;
    this.#last = value;
    return value;
  }
}

function entryOf({ name, offset, node: { inode, mode } }: Child): DirectoryEntry {
  return { name, inode, mode, offset };
}

function entryPlusOf(child: Child): DirectoryEntry {
  return { ...entryOf(child), entry: { node: child.node.inode, attributes: child.node } };
}
