/** A memory filesystem and the few calls that nearly every test of it makes, by node id, as root unless told otherwise. */
import type { Attributes, Time } from "../../../src/fs/attributes.ts";
import type { DirectoryEntry, NodeId, RequestContext } from "../../../src/fs/filesystem.ts";
import { O_RDWR } from "../../../src/fs/flags.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import type { MemoryOptions } from "../../../src/layers/memory/mod.ts";
import { requestContext } from "../../support/request_context.ts";

/** A time long ago, to see which times are renewed. */
export const LONG_AGO: Time = { seconds: 1000, nanoseconds: 1 };

const WRITE = { cached: false, killPrivileges: false };

export class MemoryMount {
  readonly filesystem: MemoryFileSystem;
  readonly context: RequestContext;

  constructor(options?: MemoryOptions, caller?: Partial<RequestContext>) {
    this.filesystem = new MemoryFileSystem(options);
    this.context = requestContext(caller);
  }

  file(name: string, parent: NodeId = 1, mode = 0o644): NodeId {
    return this.filesystem.create(parent, name, mode, O_RDWR, this.context).entry.node;
  }

  directory(name: string, parent: NodeId = 1, mode = 0o755): NodeId {
    return this.filesystem.makeDirectory(parent, name, mode, this.context).node;
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags = 0): void {
    this.filesystem.rename(parent, name, newParent, newName, flags, this.context);
  }

  find(name: string, parent: NodeId = 1): NodeId | undefined {
    return this.filesystem.lookup(parent, name)?.node;
  }

  /** A copy of the attributes: the filesystem's own object changes with the file. */
  stat(node: NodeId): Required<Attributes> {
    const { mode, size, blocks, links, uid, gid, device, inode, atime, mtime, ctime } = this.filesystem.getAttributes(
      node,
    );
    return { mode, size, blocks, links, uid, gid, device, inode, atime, mtime, ctime } as Required<Attributes>;
  }

  write(node: NodeId, offset: number, data: Uint8Array): number {
    return this.filesystem.write(node, 0, offset, data, WRITE);
  }

  /** A copy of what is read. */
  read(node: NodeId, offset: number, size: number): Uint8Array {
    return this.filesystem.read(node, 0, offset, size, this.context).slice();
  }

  list(node: NodeId = 1): DirectoryEntry[] {
    const handle = this.filesystem.openDirectory(node).handle!;
    const entries = [...this.filesystem.readDirectory(node, handle, 0)];
    this.filesystem.releaseDirectory(node, handle);
    return entries;
  }

  /** Sets all times back to {@linkcode LONG_AGO}, but for ctime, which cannot be set: it is noted. */
  age(node: NodeId): AgedFile {
    this.filesystem.setAttributes(node, { atime: LONG_AGO, mtime: LONG_AGO, ctime: LONG_AGO });
    return new AgedFile(this, node);
  }
}

/** A file whose times were set back. */
class AgedFile {
  readonly #mount: MemoryMount;
  readonly #node: NodeId;

  constructor(mount: MemoryMount, node: NodeId) {
    this.#mount = mount;
    this.#node = node;
  }

  /** Which times were renewed since. */
  renewed(): string {
    const { atime, mtime, ctime } = this.#mount.stat(this.#node);
    const times = Object.entries({ atime, mtime, ctime });
    return times.filter(([, time]) => time.seconds !== LONG_AGO.seconds).map(([name]) => name).join(" ");
  }
}
