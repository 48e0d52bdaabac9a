/** The nodes of the tree. Directories have a file of their own, directory.ts. */
import { now } from "../../fs/attributes.ts";
import type { Attributes, Time } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { S_IFLNK, S_IFREG, S_ISGID, S_ISUID, S_IXGRP } from "../../fs/flags.ts";
import type { NodeId } from "../../fs/filesystem.ts";
import { byteLength } from "../support/name_limits.ts";
import type { Capacity } from "./capacity.ts";
import { PAGE_SIZE } from "./chunk.ts";
import { Content } from "./content.ts";
import type { ExtendedAttributes } from "./extended_attributes.ts";

/** What a node is born with. */
export interface Birth {
  inode: NodeId;
  uid: number;
  gid: number;
  time: Time;
}

/** `st_blocks` counts in these. */
const BLOCK_SIZE = 512;

/**
 * A file of any kind. A node is its own `Attributes`, so that `lookup` and `getAttributes` have nothing to build. A
 * million of them should fit: the four times of a new node are one object, and what few nodes have is made late.
 */
export abstract class Node implements Attributes {
  readonly inode: NodeId;
  mode: number;
  size = 0;
  blocks = 0;
  /**
   * How many names lead here; a directory counts "." and its children's ".." too. A node without links is gone once
   * forgotten.
   */
  links = 0;
  uid: number;
  gid: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
  readonly birthTime: Time;
  extendedAttributes: ExtendedAttributes | undefined = undefined;

  constructor(mode: number, { inode, uid, gid, time }: Birth) {
    this.inode = inode;
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    this.atime =
      this.mtime =
      this.ctime =
      this.birthTime =
        time;
  }

  /** Notes that what the node holds was changed: content, or the names in a directory. */
  modified(time = now()): void {
    this.mtime = this.ctime = time;
  }

  /**
   * Takes away what makes a program run with its owner's rights, because owner or content changes: setuid, setgid if
   * group-executable (otherwise it does not mean that), and capabilities. `FUSE_HANDLE_KILLPRIV_V2` asks for it.
   */
  killPrivileges(): void {
    this.mode &= this.mode & S_IXGRP ? ~(S_ISUID | S_ISGID) : ~S_ISUID;
    this.extendedAttributes?.remove("security.capability");
  }
}

/** A regular file. */
export class FileNode extends Node {
  #content: Content | undefined = undefined;

  constructor(permissions: number, birth: Birth) {
    super(S_IFREG | permissions, birth);
  }

  /** What it holds, undefined as long as it never held anything. */
  get content(): Content | undefined {
    return this.#content;
  }

  /** Changes the content by `change`, and size and times with it. */
  modify<Result>(capacity: Capacity, change: (content: Content) => Result): Result {
    const content = this.#content ??= this.makeContent(capacity);
    try {
      const result = change(content);
      this.modified();
      return result;
    } finally {
      // When `change` fails halfway, what it did until then counts.
      this.#measure(content);
    }
  }

  /** Takes over the content that was there before. */
  restore(content: Content): void {
    this.#content = content;
    this.#measure(content);
  }

  protected makeContent(capacity: Capacity): Content {
    return new Content(capacity);
  }

  #measure(content: Content): void {
    this.size = content.size;
    this.blocks = content.pages * (PAGE_SIZE / BLOCK_SIZE);
  }

  /** Gives its space back; the last thing done to it. */
  free(): void {
    this.#content?.free();
    this.#content = undefined;
  }
}

/** A symbolic link. Its target never changes, so the kernel may keep it (`cache-symlinks`). */
export class SymbolicLinkNode extends Node {
  readonly target: string;

  constructor(target: string, birth: Birth) {
    super(S_IFLNK | 0o777, birth);
    this.target = target;
    this.size = byteLength(target);
  }
}

/** A fifo, socket or device. The kernel brings it to life; here it is only a name with attributes. */
export class SpecialNode extends Node {
  readonly device: number;

  constructor(mode: number, device: number, birth: Birth) {
    super(mode, birth);
    this.device = device;
  }
}

/** `node` as a regular file, or `EINVAL`: the kernel sends what is done to content for those alone. */
export function requireFile(node: Node): FileNode {
  if (node instanceof FileNode) return node;
  throw new FsError("EINVAL", `Cannot use node ${node.inode} as a regular file: it is none`);
}
