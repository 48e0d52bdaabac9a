/** Waits for whoever serves a mount to have let go of it: its control socket is closed last. */
import type { MountEntry } from "../connection/mount_table.ts";
import { findSockets, isOfOne } from "./socket_files.ts";

/** The end of a mount's server, watched from before the unmount. */
export class ServerEnd implements Disposable {
  readonly #connection: Deno.Conn;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Undefined for a mount that has no control socket of this user, or one on which nobody listens. */
  static async watch(mount: MountEntry): Promise<ServerEnd | undefined> {
    for (const socket of await findSockets()) {
      if (!await isOfOne([mount], socket)) continue;
      const connection = await Deno.connect({ transport: "unix", path: socket.path }).catch(() => undefined);
      if (connection !== undefined) return new ServerEnd(connection);
    }
    return undefined;
  }

  /** Returns when it has come, at the latest after `limit` milliseconds. Disposing of it is all that can be done then. */
  async come(limit: number): Promise<void> {
    const timer = setTimeout(() => this[Symbol.dispose](), limit);
    try {
      // Nothing was asked, so nothing comes but the end, or an error in its place.
      await this.#connection.read(new Uint8Array(1)).catch(() => {});
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
