/** The kernel's backing ids of a connection: any descriptor of it opens and closes them, whoever did it before. */
import { FUSE_DEV_IOC_BACKING_CLOSE, FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import type { Libc } from "../../ffi/library.ts";
import { STRUCT } from "../../ffi/structs.ts";

export class BackingIds {
  readonly #libc: Libc;
  readonly #device: number;
  readonly #map = new Int32Array(STRUCT.fuse_backing_map.SIZE / 4);
  readonly #mapBytes = new Uint8Array(this.#map.buffer);
  readonly #id = new Int32Array(1);
  readonly #idBytes = new Uint8Array(this.#id.buffer);

  constructor(libc: Libc, device: number) {
    this.#libc = libc;
    this.#device = device;
  }

  /** The id of a descriptor's file, or a negative errno. The kernel will use the credentials that this thread has. */
  open(descriptor: number): number {
    this.#map[STRUCT.fuse_backing_map.fd >> 2] = descriptor;
    const id = this.#libc.symbols.ioctl(this.#device, FUSE_DEV_IOC_BACKING_OPEN, this.#mapBytes);
    return id < 0 ? -this.#libc.errno[0]! : id;
  }

  /** Nothing comes of it where the id is closed already: the kernel gives none twice before it has given all. */
  close(id: number): void {
    this.#id[0] = id;
    this.#libc.symbols.ioctl(this.#device, FUSE_DEV_IOC_BACKING_CLOSE, this.#idBytes);
  }
}
