/**
 * Kernel passthrough on the device's side: descriptors that a filesystem names in its answers to opens become the
 * kernel's backing ids, one for each node while it is open anywhere (Documentation/filesystems/fuse-passthrough.rst).
 *
 * Inline in the thread that answers, not behind a channel: an ioctl costs a hundredth of a hop to another isolate
 * (docs/decisions.md), and a loop that waits in the kernel hears no messages. What the loops share is counted in shared
 * memory. However the session ends, the kernel lets go of all backing files with the connection: when the mount is gone
 * and the last descriptor of the device is closed (fuse_backing_files_free). Where a keeper holds the connection, ids
 * outlive the process that asked for them, and so does the table.
 */
import type { Libc } from "../../ffi/library.ts";
import { ERRNO } from "../fs/errors.ts";
import type { NodeId, Opened } from "../fs/filesystem.ts";
import type { ServeSettings } from "../messages.ts";
import type { OpenFiles } from "../protocol/open_files.ts";
import { BackingIds } from "./backing_ids.ts";
import { NOT_OPEN, OpenNodes } from "./open_nodes.ts";

const { EPERM } = ERRNO;

/** One thread's way to the kernel's backing files of a connection. */
export class BackingFiles implements OpenFiles {
  readonly #ids: BackingIds;
  readonly #nodes: OpenNodes;
  /** The kernel has said that this process may not; it would say so each time. */
  #forbidden = false;

  /**
   * For one server of a mount; undefined when the mount goes without the feature `passthrough`. `loop`: which loop it is.
   * Where a keeper holds the mount, what is no loop has none: nobody would know what it was at when it died.
   */
  static of(libc: Libc, settings: ServeSettings, loop?: number): BackingFiles | undefined {
    const { device, openNodes, journal } = settings;
    if (openNodes === undefined || journal !== undefined && loop === undefined) return undefined;
    return new BackingFiles(new BackingIds(libc, device), new OpenNodes(openNodes, journal && loop));
  }

  /** `nodes` lie in memory that all servers of the mount share. */
  constructor(ids: BackingIds, nodes: OpenNodes) {
    this.#ids = ids;
    this.#nodes = nodes;
  }

  /**
   * Without a lock around the ioctl, so that no thread waits for another's: two that are the first at the same time both
   * make an id, and the slower one takes its own back.
   */
  opened(node: NodeId, { backing, backingAsRoot = false }: Opened, mayWrite: boolean, request: number): number {
    const shared = this.#share(node, backing, backingAsRoot, request);
    const disagrees = mayWrite && shared !== 0 && backingAsRoot !== shared < 0;
    return disagrees ? -Math.abs(shared) : Math.abs(shared);
  }

  released(node: NodeId, request: number): void {
    const unused = this.#nodes.leave(node, request);
    if (unused !== 0) this.#discard(unused);
  }

  /** Counts an open and returns what all opens of the node share: an id, negated where it was registered as root. */
  #share(node: NodeId, backing: number | undefined, asRoot: boolean, request: number): number {
    const nodes = this.#nodes;
    const known = nodes.join(node, request);
    if (known !== NOT_OPEN) return known;
    const cell = nodes.reserve();
    if (cell === 0) return 0;
    if (backing !== undefined && !nodes.overflown && !this.#forbidden) this.#register(cell, backing, asRoot);
    const counted = nodes.add(node, cell, request);
    const shared = nodes.idOf(counted);
    if (counted !== cell) this.#discard(cell);
    return shared;
  }

  /**
   * Gives a cell the backing id of a descriptor, or none when the kernel does not want it: it is no regular file, its
   * filesystem is itself stacked (ELOOP), this process lacks CAP_SYS_ADMIN in the first user namespace (EPERM). The file
   * is then read and written the ordinary way.
   */
  #register(cell: number, descriptor: number, asRoot: boolean): void {
    this.#nodes.expectId();
    const id = this.#ids.open(descriptor);
    this.#nodes.setId(cell, id <= 0 ? 0 : asRoot ? -id : id);
    if (id === -EPERM) this.#forbidden = true;
  }

  #discard(cell: number): void {
    const id = Math.abs(this.#nodes.idOf(cell));
    if (id !== 0) this.#ids.close(id);
    this.#nodes.discard(cell);
  }
}
