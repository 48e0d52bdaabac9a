/** A connection that another process mounted and holds: its descriptors came with this process's birth. */
import { attachTo } from "./connection.ts";

export class GivenConnection {
  readonly mountpoint: string;
  readonly device: number;
  readonly #clones: number[];

  constructor(mountpoint: string, device: number, clones: readonly number[]) {
    this.mountpoint = mountpoint;
    this.device = device;
    this.#clones = [...clones];
  }

  /** The next of the descriptors that were given. */
  clone(): number {
    const clone = this.#clones.shift();
    if (clone === undefined) throw new Error(`No descriptor of "${this.mountpoint}" is left for another loop`);
    return clone;
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
