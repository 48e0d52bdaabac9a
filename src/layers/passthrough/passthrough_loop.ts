/** What one loop of a passthrough mount works with; the operations are functions of it. */
import type { Attributes, Entry } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Name, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_PATH } from "../../fs/flags.ts";
import type { Notifier } from "../../fs/notifier.ts";
import { DescriptorRegister, NODE } from "./descriptor_register.ts";
import { Descriptors, FIRST } from "./descriptors.ts";
import { FileStatus, STATX_MASK } from "./file_status.ts";
import { Identity } from "./identity.ts";
import { KeptFiles } from "./kept_files.ts";
import { KernelPassthrough } from "./kernel_passthrough.ts";
import { LocalFiles } from "./local_filesystems.ts";
import { DEVICE, NodeTable, PINNED, ROOT, STATE, TYPE } from "./node_table.ts";
import type { CheckedOptions } from "./options.ts";
import { Places } from "./places.ts";
import type { Source } from "./source.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  EMFILE,
  EMPTY,
  ENFILE,
  ENOENT,
  StringBuffer,
  SystemCalls,
} from "./system_calls.ts";

export class PassthroughLoop {
  readonly calls = new SystemCalls();
  readonly options: CheckedOptions;
  readonly source: Source;
  readonly table: NodeTable;
  readonly register: DescriptorRegister;
  readonly identity: Identity;
  readonly descriptors: Descriptors;
  readonly status: FileStatus;
  readonly kernelPassthrough = new KernelPassthrough(this);
  readonly localFiles: LocalFiles;
  /** For a request's names, its second name, and a descriptor's number. */
  readonly name = new StringBuffer();
  readonly newName = new StringBuffer();
  readonly number = new StringBuffer(16);
  /** Features in force, known from `initialize` on. */
  writeback = false;
  maskByKernel = true;
  notifier: Notifier | undefined;
  readonly #places: Places;
  readonly #entry: Entry;
  /** Names looked up lately were new: then it is faster to open first and to look afterwards. */
  #expectNew = false;

  constructor(options: CheckedOptions, source: Source, loop: number) {
    this.options = options;
    this.source = source;
    this.table = new NodeTable(source.nodes);
    const kept = source.kept && new KeptFiles(source.kept, this.calls, loop);
    this.register = new DescriptorRegister(source.register, this.calls, kept);
    this.identity = new Identity(this.calls, source.privileged);
    this.#places = new Places(this.table, this.calls, source.handles, kept !== undefined);
    this.status = new FileStatus(source.device);
    this.localFiles = new LocalFiles(this.calls.files, source.device);
    this.descriptors = new Descriptors({
      ...{ table: this.table, places: this.#places, register: this.register, calls: this.calls },
      ...{ identity: this.identity, loop, limit: source.maxDescriptors },
    });
    this.#entry = { node: 0, generation: 0, attributes: this.status.readAttributes() };
  }

  /** The attributes of the node that `status` was filled from; the same object each time. */
  attributesOf(cell: number): Attributes {
    const attributes = this.status.readAttributes();
    attributes.timeout = this.table.isMappable(cell) ? 0 : undefined;
    return attributes;
  }

  /**
   * The file was opened so that it may be mapped and written through its backing file. That moves its times without a
   * word from the kernel, so the kernel may not remember its attributes, as long as it knows the node: mappings outlive
   * the open that they came from. What it remembers from before (`isNew`: nothing) it is told to forget, once;
   * and again where the one who was to tell it may have died.
   */
  noteMappable(node: NodeId, isNew: boolean, { resent }: RequestContext): void {
    const isFirst = this.table.markMappable(this.table.cellOf(node));
    if ((isFirst || resent) && !isNew) void this.notifier?.invalidateNode(node, -1);
  }

  /** Fills `status` from a descriptor. */
  look(descriptor: number): void {
    const flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
    const result = this.calls.files.statx(descriptor, EMPTY, flags, STATX_MASK, this.status.buffer);
    if (result < 0) throw this.calls.failure("read a file's status");
  }

  /**
   * The entry of a name, with a lookup counted; undefined when there is none. A file that is known takes one system
   * call. The same object each time.
   */
  lookup(parent: NodeId, name: Name): Entry | undefined {
    const directory = this.descriptors.use(parent, FIRST);
    this.name.putName(name);
    return this.find(this.table.cellOf(parent), directory, this.name);
  }

  /** As {@linkcode lookup}, for the C string `name` in an open directory. */
  find(parent: number, directory: number, name: StringBuffer): Entry | undefined {
    const known = this.#expectNew ? 0 : this.#meet(directory, name.bytes);
    if (known < 0) return undefined;
    if (known === 0) return this.enter(parent, directory, name);
    return this.#answer(known, parent, name);
  }

  /** The cell of a known file, 0 when it has to be opened, -1 when there is none. */
  #meet(directory: number, name: Uint8Array<ArrayBuffer>): number {
    const { epoch } = this.table;
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    const result = this.calls.files.statx(directory, name, flags, STATX_MASK, this.status.buffer);
    if (result < 0) return this.#absent("look up a name");
    const cell = this.table.meet(this.status.readKey(), epoch);
    if (cell === 0) this.#expectNew = true;
    return cell;
  }

  #absent(attempt: string): -1 {
    if (this.calls.errno === ENOENT) return -1;
    throw this.calls.failure(attempt);
  }

  /** Looks a name up by opening it; undefined when there is none. */
  enter(parent: number, directory: number, name: StringBuffer): Entry | undefined {
    const found = this.retry(() => this.calls.files.openat(directory, name.bytes, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0));
    if (found < 0) {
      this.#absent("look up a name");
      return undefined;
    }
    const cell = this.#adopt(found);
    this.#expectNew = this.table.kept;
    return this.#answer(cell, parent, name);
  }

  /** The entry of a file that was just made and opened; its name comes with `parent`, if it has one. */
  enterOpened(descriptor: number, parent: number, name: StringBuffer | undefined): Entry {
    const found = this.reopen(descriptor, O_PATH);
    return this.#answer(this.#adopt(found), parent, name);
  }

  #adopt(found: number): number {
    this.register.add(found, NODE);
    let kept = false;
    try {
      this.look(found);
      const key = this.status.readKey();
      if (!this.options.crossMounts && key.mount !== this.source.mount) {
        throw new FsError("EXDEV", "Another filesystem is mounted here, and crossMounts is off");
      }
      const cell = this.table.adopt(key, found);
      kept = this.table.kept;
      return cell;
    } finally {
      if (!kept) this.register.close(found);
    }
  }

  #answer(cell: number, parent: number, name: StringBuffer | undefined): Entry {
    const { table } = this;
    if (name !== undefined && cell !== ROOT && table.words[table.cells.at(cell) + STATE]! & PINNED) {
      this.#places.remember(cell, parent, name.bytes, name.length);
    }
    const entry = this.#entry;
    entry.node = table.nodeOf(cell);
    entry.generation = table.generationOf(cell);
    this.attributesOf(cell);
    this.descriptors.reclaim();
    return entry;
  }

  /** A node was moved: it is now found as `name` in `parent`. */
  relocate(cell: number, parent: number, name: StringBuffer): void {
    this.#places.remember(cell, parent, name.bytes, name.length);
  }

  /**
   * Opens a descriptor's file anew: by way of /proc/self/fd, whose links lead to the very inode and nowhere else.
   * The caller has made sure of the type: opening a fifo or a device would do more than open.
   */
  reopen(descriptor: number, flags: number): number {
    const opened = this.retry(() =>
      this.calls.files.openat(this.source.proc, this.number.putNumber(descriptor), flags | O_CLOEXEC, 0)
    );
    if (opened < 0) throw this.calls.failure("open a file");
    return opened;
  }

  /** Makes a call that opens something; once more, with descriptors taken from nodes, when there was none left. */
  retry(call: () => number): number {
    const result = call();
    if (result >= 0 || (this.calls.errno !== EMFILE && this.calls.errno !== ENFILE)) return result;
    return this.descriptors.makeRoom() ? call() : result;
  }

  /** The inode number that a name leads to; 0 when there is none. */
  inodeOf(directory: number, name: Uint8Array<ArrayBuffer>): number {
    const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    const result = this.calls.files.statx(directory, name, flags, STATX_MASK, this.status.buffer);
    if (result < 0) return 0;
    const { inodeLow, inodeHigh } = this.status.readKey();
    return (inodeLow >>> 0) + (inodeHigh >>> 0) * 0x1_0000_0000;
  }

  /** The device that a node's file is on. */
  deviceOf(node: NodeId): number {
    return this.table.words[this.table.cells.at(this.table.cellOf(node)) + DEVICE]!;
  }

  /** `S_IFMT` of a node. */
  typeOf(node: NodeId): number {
    return this.table.words[this.table.cells.at(this.table.cellOf(node)) + TYPE]!;
  }
}
