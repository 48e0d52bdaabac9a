/**
 * Kernel passthrough on the device's side: descriptors that a filesystem names in its answers to opens become the
 * kernel's backing ids, one for each node while it is open anywhere (Documentation/filesystems/fuse-passthrough.rst).
 *
 * Inline in the thread that answers, not behind a channel: an ioctl costs a hundredth of a hop to another isolate
 * (docs/decisions.md), and a loop that waits in the kernel hears no messages. What the loops share is counted in shared
 * memory. However the session ends, the kernel lets go of all backing files with the connection: when the mount is gone
 * and the last descriptor of the device is closed (fuse_backing_files_free).
 */
import { FUSE_DEV_IOC_BACKING_CLOSE, FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../fs/errors.ts";
import type { NodeId, Opened } from "../fs/filesystem.ts";
import type { ServeSettings } from "../messages.ts";
import type { OpenFiles } from "../protocol/open_files.ts";
import { NOT_OPEN, OpenNodes } from "./open_nodes.ts";

const { EPERM } = ERRNO;

/** One thread's way to the kernel's backing files of a connection. */
export class BackingFiles implements OpenFiles {
  readonly #libc: Libc;
  readonly #device: number;
  readonly #nodes: OpenNodes;
  readonly #map = new Int32Array(STRUCT.fuse_backing_map.SIZE / 4);
  readonly #mapBytes = new Uint8Array(this.#map.buffer);
  readonly #id = new Int32Array(1);
  readonly #idBytes = new Uint8Array(this.#id.buffer);
  /** The kernel has said that this process may not; it would say so each time. */
  #forbidden = false;

  /** For one server of a mount; undefined when the mount goes without the feature `passthrough`. */
  static of(libc: Libc, { device, openNodes }: ServeSettings): BackingFiles | undefined {
    return openNodes && new BackingFiles(libc, device, openNodes);
  }

  /** `device` is any descriptor of the connection, `openNodes` the memory that all its servers share. */
  constructor(libc: Libc, device: number, openNodes: Int32Array<SharedArrayBuffer>) {
    this.#libc = libc;
    this.#device = device;
    this.#nodes = new OpenNodes(openNodes);
  }

  /**
   * Without a lock around the ioctl, so that no thread waits for another's: two that are the first at the same time both
   * make an id, and the slower one takes its own back.
   */
  opened(node: NodeId, { backing, backingAsRoot = false }: Opened, mayWrite: boolean): number {
    const shared = this.#share(node, backing, backingAsRoot);
    const disagrees = mayWrite && shared !== 0 && backingAsRoot !== shared < 0;
    return disagrees ? -Math.abs(shared) : Math.abs(shared);
  }

  released(node: NodeId): void {
    const shared = this.#nodes.leave(node);
    if (shared !== 0) this.#unregister(shared);
  }

  /** Counts an open and returns what all opens of the node share: an id, negated where it was registered as root. */
  #share(node: NodeId, backing: number | undefined, asRoot: boolean): number {
    const known = this.#nodes.join(node);
    if (known !== NOT_OPEN) return known;
    const id = backing === undefined || this.#nodes.overflown ? 0 : this.#register(backing);
    const own = asRoot ? -id : id;
    const shared = this.#nodes.add(node, own);
    if (shared !== own && id !== 0) this.#unregister(id);
    return shared;
  }

  /**
   * The backing id of a descriptor; 0 when the kernel does not want it: it is no regular file, its filesystem is itself
   * stacked (ELOOP), this process lacks CAP_SYS_ADMIN in the first user namespace (EPERM). The file is then read and
   * written the ordinary way.
   */
  #register(descriptor: number): number {
    if (this.#forbidden) return 0;
    this.#map[STRUCT.fuse_backing_map.fd >> 2] = descriptor;
    const id = this.#libc.symbols.ioctl(this.#device, FUSE_DEV_IOC_BACKING_OPEN, this.#mapBytes);
    if (id > 0) return id;
    this.#forbidden = this.#libc.errno[0] === EPERM;
    return 0;
  }

  #unregister(id: number): void {
    this.#id[0] = Math.abs(id);
    this.#libc.symbols.ioctl(this.#device, FUSE_DEV_IOC_BACKING_CLOSE, this.#idBytes);
  }
}
