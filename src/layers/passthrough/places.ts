/**
 * Where to find a node's file again after its descriptor was taken away: by file handle, which is the inode itself
 * (number and generation) wherever it is moved; or by name in its parent.
 *
 * Handles need CAP_DAC_READ_SEARCH and a filesystem that has them (open_by_handle_at(2)); they are taken only when a
 * descriptor is about to go. Names are for all else: an ordinary user's mount, a filesystem without handles, other
 * filesystems below the source. A name is remembered with each lookup that makes a node, and keeps its parent's node
 * alive. (Two directories moved into one another behind the mount could keep each other for ever: two cells.)
 */
import { FsError } from "../../fs/errors.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_PATH } from "../../fs/flags.ts";
import { type FileStatus, STATX_MASK } from "./file_status.ts";
import { FD, LIVE, MOUNT, type NodeTable, PINNED, PLACE, STATE } from "./node_table.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  EMPTY,
  ENOENT,
  ENOTDIR,
  ESTALE,
  type SystemCalls,
} from "./system_calls.ts";

/** fcntl.h: MAX_HANDLE_SZ, and the header of `struct file_handle`. */
const HANDLE_MOST = 128;
const HANDLE_HEADER = 8;
/** A place starts with its parent's cell; 0 there means a handle. */
const PARENT = 4;

/** How handles are used, if they are. */
export interface HandleSupport {
  /** A readable descriptor in the filesystem. */
  readonly descriptor: number;
  /** The mount whose files have handles. */
  readonly mount: number;
}

/** A descriptor's file handle, or undefined where there is none. The buffer is `struct file_handle`. */
export function readHandle(
  calls: SystemCalls,
  descriptor: number,
  buffer: Uint8Array<ArrayBuffer>,
): number | undefined {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  view.setUint32(0, HANDLE_MOST, true);
  const mount = new Int32Array(1);
  if (calls.files.name_to_handle_at(descriptor, EMPTY, buffer, mount, AT_EMPTY_PATH) < 0) return undefined;
  return HANDLE_HEADER + view.getUint32(0, true);
}

/** A buffer for {@linkcode readHandle}. */
export function makeHandleBuffer(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(HANDLE_HEADER + HANDLE_MOST);
}

export class Places {
  readonly #table: NodeTable;
  readonly #calls: SystemCalls;
  readonly #handles: HandleSupport | undefined;
  readonly #keeps: boolean;
  /** A place on its way to or from shared memory. */
  readonly #place = new Uint8Array(PARENT + 4096);
  readonly #parent = new DataView(this.#place.buffer);
  readonly #handle = new Uint8Array(this.#place.buffer, PARENT, HANDLE_HEADER + HANDLE_MOST);
  readonly #payload = new Uint8Array(this.#place.buffer, PARENT);

  /** `keeps`: the next server has to find all nodes by their places, so that handles are not left for later. */
  constructor(table: NodeTable, calls: SystemCalls, handles: HandleSupport | undefined, keeps: boolean) {
    this.#keeps = keeps;
    this.#table = table;
    this.#calls = calls;
    this.#handles = handles;
  }

  /** Whether this node's file is found by handle. */
  byHandle(cell: number): boolean {
    return this.#handles !== undefined &&
      this.#table.words[this.#table.cells.at(cell) + MOUNT] === this.#handles.mount;
  }

  /** A lookup found the node in `parent` as the C string `name`. Called for new nodes and for pinned ones. */
  remember(cell: number, parent: number, name: Uint8Array, length: number): void {
    const place = this.byHandle(cell) ? this.#keepHandle(cell) : this.#storeName(parent, name, length);
    this.replace(cell, place, true);
  }

  /** A pinned node has its descriptor. */
  #keepHandle(cell: number): number {
    const { words, cells } = this.#table;
    const at = cells.at(cell);
    return this.#keeps && words[at + PLACE] === 0 && words[at + FD] !== 0 ? this.storeHandle(words[at + FD]! - 1) : 0;
  }

  #storeName(parent: number, name: Uint8Array, length: number): number {
    this.#parent.setUint32(0, parent, true);
    for (let at = 0; at < length; at++) this.#place[PARENT + at] = name[at]!;
    this.#place[PARENT + length] = 0;
    const place = this.#table.cells.store(this.#place, PARENT + length + 1);
    this.#table.retain(parent);
    return place;
  }

  /** The name is about to go: the node keeps its descriptor until a lookup finds it under another. */
  pin(cell: number): void {
    if (this.byHandle(cell)) this.#table.locked(cell, (at) => this.#table.words[at + STATE]! |= PINNED);
    else this.replace(cell, 0, false);
  }

  /** Puts another place in. Without one, and not `movable`, the node is pinned. */
  replace(cell: number, place: number, movable: boolean): void {
    const { words } = this.#table;
    const former = this.#table.locked(cell, (at) => {
      if ((words[at + STATE]! & LIVE) === 0) return place;
      // A handle is for ever; only a name is replaced.
      const stays = place === 0 && this.byHandle(cell);
      const former = stays ? 0 : words[at + PLACE]!;
      // First the place: a server may end in between, and the next one looks for one only while the node is pinned.
      if (!stays) words[at + PLACE] = place;
      if (movable) words[at + STATE]! &= ~PINNED;
      else words[at + STATE]! |= PINNED;
      return former;
    });
    this.drop(former);
  }

  /** Gives a place's memory back, and lets go of its parent. */
  drop(place: number): void {
    if (place === 0) return;
    this.#table.cells.load(place, this.#place);
    const parent = this.#parent.getUint32(0, true);
    this.#table.cells.drop(place);
    if (parent !== 0) this.releaseParent(parent);
  }

  /** Set by `Descriptors`, which closes what a parent leaves behind. */
  releaseParent: (parent: number) => void = () => {};

  /** Takes the file's handle and keeps it. Returns the place, 0 where there is no handle. */
  storeHandle(descriptor: number): number {
    const length = readHandle(this.#calls, descriptor, this.#handle);
    if (length === undefined) return 0;
    this.#parent.setUint32(0, 0, true);
    return this.#table.cells.store(this.#place, PARENT + length);
  }

  /**
   * Opens the file again, as the server. `useParent` gives the parent's descriptor. Whether what was found is the same
   * file is for the caller to see.
   *
   * @throws {FsError} ESTALE when it cannot be found.
   */
  open(cell: number, useParent: (parent: number) => number): number {
    const { files } = this.#calls;
    const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    const parent = this.#loadParent(cell);
    let found = -1;
    if (parent === 0) {
      found = files.open_by_handle_at(this.#handles!.descriptor, this.#handle, flags);
    } else if (parent !== undefined) {
      const directory = useParent(parent);
      // That may have used the buffer for the parent's own place.
      if (this.#loadParent(cell) === parent) found = files.openat(directory, this.#payload, flags, 0);
    }
    if (found >= 0) return found;
    const { errno } = this.#calls;
    if (parent === undefined || errno === ENOENT || errno === ENOTDIR || errno === ESTALE) {
      throw new FsError("ESTALE", "Cannot find the file again: it was moved or removed behind the mount");
    }
    throw this.#calls.failure("open the file again");
  }

  #loadParent(cell: number): number | undefined {
    const { words, cells } = this.#table;
    return this.#table.locked(cell, (at) => {
      if (words[at + PLACE] === 0) return undefined;
      cells.load(words[at + PLACE]!, this.#place);
      return this.#parent.getUint32(0, true);
    });
  }

  /**
   * Whether the file is still found under its name (`status` is a buffer to look with). A descriptor is taken away only
   * then.
   */
  isFoundByName(cell: number, status: FileStatus, useParent: (parent: number) => number): boolean {
    const parent = this.#loadParent(cell);
    if (parent === undefined || parent === 0) return false;
    const directory = useParent(parent);
    if (this.#loadParent(cell) !== parent) return false;
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    return this.#calls.files.statx(directory, this.#payload, flags, STATX_MASK, status.buffer) >= 0 &&
      this.#table.matches(cell, status.readKey());
  }
}
