/** One handler beside loops: its worker, the way that the loops hand requests on by, and its end. */
import { type Libc, openLibc } from "../../ffi/library.ts";
import type { HeldBranch } from "../fs/branches.ts";
import { HandlerPool, type HandlerPoolOptions } from "../handler/pool.ts";
import type { ServeSettings } from "../messages.ts";
import { type ForwardingSocket, openForwardingSocket } from "../transport/forwarding.ts";

export class HandlerBesideLoops implements Disposable {
  readonly pool: HandlerPool;
  readonly #libc: Libc = openLibc();
  readonly #socket: ForwardingSocket;
  #served: Promise<unknown> | undefined;
  #ended: Promise<void> | undefined;

  /** Starts the thread. @throws when the process has no descriptors left. */
  constructor(options: HandlerPoolOptions) {
    this.#socket = openForwardingSocket(this.#libc);
    this.pool = new HandlerPool(options);
  }

  /** What loops send on. */
  get sender(): number {
    return this.#socket.sender;
  }

  /** Serves what loops hand on; the answers go to the loops' `devices`, by their numbers. */
  serve(settings: ServeSettings, devices: readonly number[]): void {
    const { receiver } = this.#socket;
    this.#served = Promise.allSettled([this.pool.serveForwarded(settings, { receiver, devices })]);
  }

  /** Nobody hands anything on any more: resolves when it has come to the end of what it has. */
  end(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  /** As `end`, while the mount lives on. Returns what the kernel holds of its branches; undefined when that is not known. */
  async retire(): Promise<readonly HeldBranch[] | undefined> {
    if (this.#served !== undefined) this.pool.retire();
    await this.end();
    this.pool[Symbol.dispose]();
    return this.pool.held;
  }

  async #end(): Promise<void> {
    this.#libc.symbols.close(this.#socket.sender);
    await this.#served;
    this.#libc.symbols.close(this.#socket.receiver);
  }

  /** Ends the thread; for one that never served, all of it. */
  [Symbol.dispose](): void {
    this.pool[Symbol.dispose]();
    void this.end();
  }
}
