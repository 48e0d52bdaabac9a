/** A connection that another process mounted and holds: it gave this one the descriptors. */
import { F_DUPFD_CLOEXEC } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { errnoName } from "../fs/errors.ts";
import { attachTo } from "./connection.ts";

export class GivenConnection {
  readonly mountpoint: string;
  readonly device: number;
  readonly #devices: readonly number[];
  readonly #clones: number[];

  constructor(mountpoint: string, device: number, clones: readonly number[]) {
    this.mountpoint = mountpoint;
    this.device = device;
    this.#devices = [device, ...clones];
    this.#clones = [...clones];
  }

  /** The next of the descriptors that were given. */
  clone(): number {
    const clone = this.#clones.shift();
    if (clone === undefined) throw new Error(`No descriptor of "${this.mountpoint}" is left for another loop`);
    return clone;
  }

  /**
   * Another descriptor for what has the given one numbered `index`, which whoever asks closes: what is read from it does not
   * end with this process.
   *
   * @throws when the process has no descriptors left.
   */
  duplicate(index: number): number {
    const { symbols, errno } = openLibc();
    const descriptor = symbols.fcntl(this.#devices[index]!, F_DUPFD_CLOEXEC, 3);
    if (descriptor < 0) throw new Error(`Cannot serve "${this.mountpoint}": ${errnoName(errno[0]!)}`);
    return descriptor;
  }

  /** A new descriptor, which whoever asks closes. Requests must not be read from it: they would end with this process. */
  attach(): number {
    return attachTo(this.device, this.mountpoint);
  }

  /** @throws {Error} always: who mounted unmounts. */
  unmount(): Promise<void> {
    return Promise.reject(new Error(`Cannot unmount "${this.mountpoint}": this process only serves it`));
  }
}
