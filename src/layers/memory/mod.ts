/**
 * A filesystem in memory: all of POSIX, for as long as the object lives.
 *
 * What it leaves to the kernel, which sees all its users: permissions and the sticky bit (mount it with
 * `default_permissions`), locks, and that nothing is changed from two sides at once. For the operations that are
 * missing here the kernel's own answer is right: `access`, `flush`, `release`, `fsync` and `syncfs` have nothing to do,
 * and record locks and flock are kept by the kernel.
 *
 * @module
 */
import type { Attributes, Entry, ExtendedStatus, FileSystemStatistics } from "../../fs/attributes.ts";
import { now } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type {
  AttributeChanges,
  Created,
  DirectoryEntry,
  FileRange,
  FileSystem,
  Handle,
  Name,
  NodeId,
  Opened,
  RequestContext,
  WriteDetails,
} from "../../fs/filesystem.ts";
import { ROOT_NODE } from "../../fs/filesystem.ts";
import { O_ACCMODE, O_NOATIME, O_WRONLY, S_IFCHR, S_IFMT, S_IFREG, S_ISGID, SEEK_DATA } from "../../fs/flags.ts";
import { accessTimeIsDue, touchAccessTime } from "../support/access_time.ts";
import { HandleTable } from "../support/handle_table.ts";
import { checkName, checkTarget } from "../support/name_limits.ts";
import { numbersApart } from "../support/restarts.ts";
import { allocateContent } from "./allocation.ts";
import { changeAttributes } from "./attribute_changes.ts";
import { Capacity } from "./capacity.ts";
import { copyContent } from "./content_copy.ts";
import { DirectoryNode, requireDirectory } from "./directory.ts";
import { DirectoryCursor } from "./directory_cursor.ts";
import { checkExtendedAttribute, checkNamespace, ExtendedAttributes } from "./extended_attributes.ts";
import type { Birth, Node } from "./node.ts";
import { FileNode, requireFile, SpecialNode, SymbolicLinkNode } from "./node.ts";
import { rename } from "./rename.ts";

/** How to make a {@linkcode MemoryFileSystem}. */
export interface MemoryOptions {
  /** The most bytes that files may take, counted in pages of 4 KiB. Default and 0: no limit. */
  size?: number;
  /** The most files of any kind, the root among them. Default and 0: 16 million. */
  inodes?: number;
  /** Owner of the root directory. Default: the user of this process. */
  uid?: number;
  /** Group of the root directory. Default: the group of this process. */
  gid?: number;
  /** Permission bits of the root directory. Default 0o755. */
  mode?: number;
  /**
   * How many filesystems were here before, each of which died (`host.restarts`). Their files are gone: their node ids
   * and handles, which the kernel may still ask for, are none of this one's. Default 0.
   */
  restarts?: number;
}

const PERMISSIONS = 0o7777;

// The only thing that an open file has to remember fits into its handle: whether reading it leaves no access time.
const PLAIN_HANDLE: Handle = 0;
const NOATIME_HANDLE: Handle = 1;

/** The filesystem. All methods answer at once. */
export class MemoryFileSystem implements FileSystem {
  /**
   * `handle-killpriv-v2`: setuid and the like are taken away here, not by an extra request before each write.
   * `export-support`: "." and ".." can be looked up, of any node, so that file handles (open_by_handle_at, NFS) work.
   * `cache-symlinks`: a link's target never changes. `explicit-inval-data`: nothing changes here behind the kernel's
   * back, so a new mtime is no reason to drop the pages that it caches.
   *
   * Not `atomic-o-trunc`: the kernel would send `open` with O_TRUNC before it finds that a running program may not be
   * truncated (do_open in fs/namei.c; with O_RDONLY no earlier check refuses).
   */
  readonly features = ["handle-killpriv-v2", "export-support", "cache-symlinks", "explicit-inval-data"];

  readonly #capacity: Capacity;
  // Ids are counted up and never used again, so that every entry's generation can stay 0.
  readonly #nodes = new Map<NodeId, Node>();
  #lastNode: NodeId;
  readonly #cursors: HandleTable<DirectoryCursor>;
  /** Whether it took over nodes; then handles may come that it has not given out. */
  #hasAdopted = false;
  // The one answer of all lookups: it is read before the next method is called.
  readonly #entry: Entry;

  /** An empty filesystem: a root directory. */
  constructor(options: MemoryOptions = {}) {
    const { size, inodes, uid = Deno.uid() ?? 0, gid = Deno.gid() ?? 0, mode = 0o755, restarts = 0 } = options;
    this.#lastNode = ROOT_NODE + numbersApart(restarts);
    this.#cursors = new HandleTable(restarts);
    this.#capacity = new Capacity(size, inodes);
    this.#capacity.takeNode();
    const root = new DirectoryNode(mode & PERMISSIONS, { inode: ROOT_NODE, uid, gid, time: now() });
    this.#nodes.set(ROOT_NODE, root);
    this.#entry = { node: ROOT_NODE, attributes: root };
  }

  /** For a filesystem that takes a dead one's place: its nodes, the root among them, and the last id that it gave out. */
  protected adopt(restore: (capacity: Capacity) => Iterable<Node>, lastNode: NodeId): void {
    for (const node of restore(this.#capacity)) {
      if (node.inode !== ROOT_NODE) this.#capacity.takeNode();
      this.#keep(node);
    }
    this.#lastNode = lastNode;
    this.#hasAdopted = true;
  }

  /** The node with this id, if there is one. */
  protected find(id: NodeId): Node | undefined {
    return this.#nodes.get(id);
  }

  /** A regular file, which has no name yet. */
  protected makeFile(permissions: number, birth: Birth): FileNode {
    return new FileNode(permissions, birth);
  }

  /** Frees what only the kernel still held: it forgets no more after the last request. */
  destroy(): void {
    this.#cursors.clear();
    for (const node of this.#nodes.values()) {
      if (node.links === 0) this.#free(node);
    }
  }

  lookup(parent: NodeId, name: Name): Entry | undefined {
    if (name === ".") return this.#answer(this.#node(parent));
    const directory = this.#directory(parent);
    if (name === "..") return this.#answer(directory.parent);
    checkName(name);
    const child = directory.child(name);
    return child && this.#answer(child.node);
  }

  /** A node without links has nothing left that leads to it; any other stays in the tree. */
  forget(node: NodeId): void {
    const forgotten = this.#nodes.get(node);
    if (forgotten?.links === 0) this.#free(forgotten);
  }

  getAttributes(node: NodeId): Attributes {
    return this.#node(node);
  }

  getExtendedStatus(node: NodeId): ExtendedStatus {
    const attributes = this.#node(node);
    return { attributes, birthTime: attributes.birthTime };
  }

  setAttributes(node: NodeId, changes: AttributeChanges): Attributes {
    const changed = this.#node(node);
    changeAttributes(changed, changes, this.#capacity);
    return changed;
  }

  readLink(node: NodeId): string {
    const link = this.#node(node);
    if (!(link instanceof SymbolicLinkNode)) throw new FsError("EINVAL", `Cannot read node ${node} as a symbolic link`);
    touchAccessTime(link);
    return link.target;
  }

  makeNode(parent: NodeId, name: Name, mode: number, device: number, context: RequestContext): Entry {
    const directory = this.#placeFor(parent, name);
    const birth = this.#birth(directory, context);
    const regular = (mode & S_IFMT) === S_IFREG || (mode & S_IFMT) === 0;
    const node = regular ? this.makeFile(mode & PERMISSIONS, birth) : new SpecialNode(mode, device, birth);
    return this.#enter(directory, name, node);
  }

  makeDirectory(parent: NodeId, name: Name, mode: number, context: RequestContext): Entry {
    const directory = this.#placeFor(parent, name);
    const inherited = directory.mode & S_ISGID;
    const birth = this.#birth(directory, context);
    return this.#enter(directory, name, new DirectoryNode((mode & PERMISSIONS) | inherited, birth, directory));
  }

  makeSymbolicLink(parent: NodeId, name: Name, target: string, context: RequestContext): Entry {
    const directory = this.#placeFor(parent, name);
    checkTarget(target);
    return this.#enter(directory, name, new SymbolicLinkNode(target, this.#birth(directory, context)));
  }

  unlink(parent: NodeId, name: Name, _context?: RequestContext): void {
    const directory = this.#directory(parent);
    const node = directory.require(name);
    if (node instanceof DirectoryNode) throw new FsError("EISDIR", `Cannot unlink "${name}": it is a directory`);
    this.#leave(directory, name, node);
  }

  removeDirectory(parent: NodeId, name: Name, _context?: RequestContext): void {
    const directory = this.#directory(parent);
    const removed = requireDirectory(directory.require(name));
    if (!removed.empty) throw new FsError("ENOTEMPTY", `Cannot remove directory "${name}": it is not empty`);
    this.#leave(directory, name, removed);
    removed.retire();
  }

  rename(
    parent: NodeId,
    name: Name,
    newParent: NodeId,
    newName: Name,
    flags: number,
    context: RequestContext,
  ): void {
    checkName(newName);
    const directory = this.#directory(parent);
    const makeWhiteout = () => this.#keep(new SpecialNode(S_IFCHR, 0, this.#birth(directory, context)));
    rename({ directory, name }, { directory: this.#directory(newParent), name: newName }, flags, makeWhiteout);
  }

  // That a file without links is given a name only when O_TMPFILE made it so, the kernel sees to (vfs_link).
  link(node: NodeId, newParent: NodeId, newName: Name, _context?: RequestContext): Entry {
    const linked = this.#node(node);
    if (linked instanceof DirectoryNode) throw new FsError("EPERM", `Cannot link directory ${node} as "${newName}"`);
    const directory = this.#placeFor(newParent, newName);
    directory.attach(newName, linked);
    directory.modified();
    linked.ctime = directory.ctime;
    return this.#answer(linked);
  }

  /**
   * The kernel's page cache stays as it is from open to open, for all changes go through it. Only when a read would
   * have to renew the access time must it come here to be seen, and that it does when the cache is dropped.
   */
  open(node: NodeId, flags: number): Opened {
    const file = requireFile(this.#node(node));
    const keepCache = (flags & O_ACCMODE) === O_WRONLY || (flags & O_NOATIME) !== 0 || !accessTimeIsDue(file);
    return { handle: handleFor(flags), keepCache };
  }

  create(parent: NodeId, name: Name, mode: number, flags: number, context: RequestContext): Created {
    const directory = this.#placeFor(parent, name);
    const entry = this.#enter(directory, name, this.makeFile(mode & PERMISSIONS, this.#birth(directory, context)));
    return { entry, opened: { handle: handleFor(flags) } };
  }

  /** O_TMPFILE: `link` may give it a name later; until then nothing but the kernel knows of it. */
  makeTemporaryFile(parent: NodeId, mode: number, flags: number, context: RequestContext): Created {
    const directory = this.#directory(parent);
    const file = this.#keep(this.makeFile(mode & PERMISSIONS, this.#birth(directory, context)));
    return { entry: this.#answer(file), opened: { handle: handleFor(flags) } };
  }

  read(node: NodeId, handle: Handle, offset: number, size: number, context: RequestContext): Uint8Array {
    const file = requireFile(this.#node(node));
    if (handle !== NOATIME_HANDLE) touchAccessTime(file);
    return file.content?.read(offset, size, context) ?? new Uint8Array(0);
  }

  write(node: NodeId, _handle: Handle, offset: number, data: Uint8Array, details: WriteDetails): number {
    const file = requireFile(this.#node(node));
    if (data.length === 0) return 0;
    const written = file.modify(this.#capacity, (content) => requireSome(content.write(offset, data), node));
    if (details.killPrivileges) file.killPrivileges();
    return written;
  }

  allocate(node: NodeId, _handle: Handle, mode: number, offset: number, length: number): void {
    const file = requireFile(this.#node(node));
    file.modify(this.#capacity, (content) => allocateContent(content, mode, offset, length));
  }

  copyFileRange(from: FileRange, to: FileRange, length: number): number {
    const source = requireFile(this.#node(from.node));
    const target = requireFile(this.#node(to.node));
    const { content, size } = source;
    if (content === undefined || from.offset >= size || length === 0) return 0;
    if (from.handle !== NOATIME_HANDLE) touchAccessTime(source);
    const position = { content, offset: from.offset };
    return target.modify(this.#capacity, (into) => {
      return requireSome(copyContent(position, { content: into, offset: to.offset }, length), to.node);
    });
  }

  /** SEEK_DATA and SEEK_HOLE, exact to the page of 4 KiB. */
  seek(node: NodeId, _handle: Handle, offset: number, whence: number): number {
    const { content, size } = requireFile(this.#node(node));
    const past = offset >= size;
    const found = past ? undefined : whence === SEEK_DATA ? content?.nextData(offset) : content?.nextHole(offset);
    if (found === undefined) throw new FsError("ENXIO", `Cannot seek in node ${node}: nothing such from ${offset} on`);
    return found;
  }

  openDirectory(node: NodeId): Opened {
    return { handle: this.#cursors.add(new DirectoryCursor(this.#directory(node))) };
  }

  readDirectory(node: NodeId, handle: Handle, offset: number): Iterable<DirectoryEntry> {
    touchAccessTime(this.#directory(node));
    return this.#cursor(node, handle).entries(offset, false);
  }

  readDirectoryPlus(node: NodeId, handle: Handle, offset: number): Iterable<DirectoryEntry> {
    touchAccessTime(this.#directory(node));
    return this.#cursor(node, handle).entries(offset, true);
  }

  releaseDirectory(_node: NodeId, handle: Handle): void {
    this.#cursors.remove(handle);
  }

  getStatistics(): FileSystemStatistics {
    return this.#capacity.statistics;
  }

  setExtendedAttribute(
    node: NodeId,
    name: string,
    value: Uint8Array,
    flags: number,
    _context?: RequestContext,
  ): void {
    const owner = this.#node(node);
    checkExtendedAttribute(name, value);
    (owner.extendedAttributes ??= new ExtendedAttributes()).set(name, value, flags);
    owner.ctime = now();
  }

  getExtendedAttribute(node: NodeId, name: string): Uint8Array | undefined {
    checkNamespace(name);
    return this.#node(node).extendedAttributes?.get(name);
  }

  listExtendedAttributes(node: NodeId): readonly string[] {
    return this.#node(node).extendedAttributes?.names() ?? [];
  }

  removeExtendedAttribute(node: NodeId, name: string, _context?: RequestContext): void {
    checkNamespace(name);
    const owner = this.#node(node);
    if (!owner.extendedAttributes?.remove(name)) {
      throw new FsError("ENODATA", `Node ${node} has no attribute "${name}"`);
    }
    owner.ctime = now();
  }

  #node(id: NodeId): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new FsError("ESTALE", `Cannot find node ${id}: it is gone`);
    return node;
  }

  /** What was opened before a filesystem took over the nodes is read on by offsets, which it took over too. */
  #cursor(node: NodeId, handle: Handle): DirectoryCursor {
    if (!this.#hasAdopted) return this.#cursors.get(handle);
    return this.#cursors.find(handle) ?? this.#cursors.adopt(handle, new DirectoryCursor(this.#directory(node)));
  }

  #directory(id: NodeId): DirectoryNode {
    return requireDirectory(this.#node(id));
  }

  #answer(node: Node): Entry {
    this.#entry.node = node.inode;
    this.#entry.attributes = node;
    return this.#entry;
  }

  /** The directory in which `name` is about to be made; throws when it cannot be. */
  #placeFor(parent: NodeId, name: Name): DirectoryNode {
    const directory = this.#directory(parent);
    checkName(name);
    if (directory.links === 0) throw new FsError("ENOENT", `Cannot make "${name}": its directory was removed`);
    if (directory.child(name)) throw new FsError("EEXIST", `Cannot make "${name}": it exists`);
    return directory;
  }

  /** Takes a node from the capacity. In a setgid directory it gets the directory's group (inode_init_owner). */
  #birth(directory: DirectoryNode, { uid, gid }: RequestContext): Birth {
    this.#capacity.takeNode();
    return { inode: ++this.#lastNode, uid, gid: directory.mode & S_ISGID ? directory.gid : gid, time: now() };
  }

  #keep<Kind extends Node>(node: Kind): Kind {
    this.#nodes.set(node.inode, node);
    return node;
  }

  #enter(directory: DirectoryNode, name: Name, node: Node): Entry {
    directory.attach(name, this.#keep(node));
    directory.modified(node.ctime);
    return this.#answer(node);
  }

  #leave(directory: DirectoryNode, name: Name, node: Node): void {
    directory.detach(name);
    directory.modified();
    node.ctime = directory.ctime;
  }

  #free(node: Node): void {
    this.#nodes.delete(node.inode);
    this.#capacity.giveNode();
    if (node instanceof FileNode) node.free();
  }
}

function handleFor(flags: number): Handle {
  return flags & O_NOATIME ? NOATIME_HANDLE : PLAIN_HANDLE;
}

/** How many bytes were taken; `ENOSPC` when none. */
function requireSome(count: number, node: NodeId): number {
  if (count > 0) return count;
  throw new FsError("ENOSPC", `Cannot write to node ${node}: no space is left`);
}
