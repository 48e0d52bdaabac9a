/**
 * Answers on a mount's control socket, in the process that serves the mount. Only its own user and root are answered.
 * Every wait has a deadline, so that a peer that says half a word, or reads nothing, is cut off.
 */
import type { Server, Socket } from "node:net";
import { openLibc } from "../../ffi/library.ts";
import { encodeFrame, FrameDecoder, FrameError } from "./frames.ts";
import {
  type CommandName,
  type Commands,
  ControlError,
  type ErrorCode,
  readRequest,
  RELOAD_DEADLINE,
  RESTART_DEADLINE,
  VERSION,
} from "./messages.ts";
import { openListeningSocket } from "./listening_socket.ts";
import { nextTurn } from "../threads/turns.ts";
import { peerUid } from "./peer_credentials.ts";

/** What a server can do. What a command is given came from outside and was not looked at. */
export type CommandTable = {
  readonly [Name in CommandName]?: (given: unknown) => Commands[Name]["answer"] | Promise<Commands[Name]["answer"]>;
};

export interface ControlServerOptions {
  readonly path: string;
  readonly commands: CommandTable;
  /** Told when nobody can be accepted: what accepts is loaded when the socket is there. Default: nobody is. */
  readonly onFailure?: (error: unknown) => void;
  /** How long a request may take from its first wait to its sent answer, in milliseconds. Default 5,000. */
  readonly deadline?: number;
}

const DEADLINE = 5_000;

/**
 * Milliseconds for commands that may take longer than a peer may: one opens directories and counts what is in them,
 * another starts a process.
 */
const LONGER: Partial<Record<CommandName, number>> = { reload: RELOAD_DEADLINE, restart: RESTART_DEADLINE };

/** Peers beyond this many at once are turned away. */
const MAX_PEERS = 64;

export class ControlServer implements AsyncDisposable {
  readonly #options: ControlServerOptions;
  #path: string;
  /** Comes when Node's sockets are loaded; until then the kernel keeps who connects. */
  readonly #server: Promise<Server | undefined>;
  readonly #sockets = new Set<Socket>();
  /** Tells our file from one that another server has put in its place. */
  readonly #inode: number | null;

  private constructor(options: ControlServerOptions, descriptor: number, inode: number | null) {
    this.#options = options;
    this.#path = options.path;
    this.#inode = inode;
    this.#server = this.#accept(descriptor).catch((error) => {
      options.onFailure?.(error);
      return undefined;
    });
  }

  /**
   * Listens at `path`. What lies there is replaced: the name is that of a connection which the kernel has given to this
   * mount, so it is a dead server's.
   *
   * @throws {Error} as the system refuses, such as for a path that is too long.
   */
  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    // Put in place only when it listens and has its mode, so that nobody finds it earlier and takes it for a dead one.
    const hidden = options.path.replace(/[^/]*$/, ".$&");
    // A server that died between the two steps below left it.
    await Deno.remove(hidden).catch(() => {});
    const descriptor = openListeningSocket(hidden);
    try {
      await Deno.chmod(hidden, 0o600);
      const { ino } = await Deno.lstat(hidden);
      await Deno.rename(hidden, options.path);
      return new ControlServer(options, descriptor, ino);
    } catch (error) {
      openLibc().symbols.close(descriptor);
      await Deno.remove(hidden).catch(() => {});
      throw error;
    }
  }

  /** Is found at another path from then on; who has been connected stays so. */
  async move(path: string): Promise<void> {
    await Deno.rename(this.#path, path);
    this.#path = path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = await this.#server;
    const closed = new Promise<void>((resolve) => server === undefined ? resolve() : server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    const status = await Deno.lstat(this.#path).catch(() => undefined);
    if (status !== undefined && status.ino === this.#inode) await Deno.remove(this.#path);
  }

  /** Loads Node's sockets when whoever opened this has gone on: they take as long as all of a mount. */
  async #accept(fd: number): Promise<Server> {
    await nextTurn();
    const { createServer } = await import("node:net");
    // Half open: what is wrong with a frame that was cut short can still be said.
    const server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
    return await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ fd }, () => resolve(server));
    });
  }

  async #serve(socket: Socket): Promise<void> {
    if (this.#sockets.size === MAX_PEERS) return void socket.destroy();
    this.#sockets.add(socket);
    // What goes wrong is seen by whoever reads or writes; without a listener it would end the process.
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    const deadline = this.#options.deadline ?? DEADLINE;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const bound = (milliseconds = deadline) => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), milliseconds);
    };
    bound();
    try {
      await this.#converse(socket, bound);
    } catch {
      // The peer is gone, or was cut off: there is nobody to tell.
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  }

  /** Answers one request after the other until the peer has no more, or what comes cannot be understood. */
  async #converse(socket: Socket, bound: (milliseconds?: number) => void): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      // Without this, an error inside the loop would destroy the socket before the refusal is sent.
      for await (const piece of socket.iterator({ destroyOnReturn: false })) {
        for (const value of decoder.push(piece)) {
          await send(socket, await this.#answer(socket, value, bound));
          bound();
        }
      }
      decoder.end();
    } catch (error) {
      const code = error instanceof FrameError ? "malformed" : error instanceof ControlError ? error.code : undefined;
      if (code === undefined) throw error;
      await send(socket, refusal(code, error));
    }
    await new Promise<void>((resolve) => socket.end(resolve));
  }

  async #answer(socket: Socket, value: unknown, bound: (milliseconds?: number) => void): Promise<Uint8Array> {
    const { commands } = this.#options;
    try {
      admit(socket);
      const { command, given } = readRequest(value, Object.keys(commands));
      if (LONGER[command] !== undefined) bound(LONGER[command]);
      return encodeFrame({ version: VERSION, result: await commands[command]!(given) });
    } catch (error) {
      return refusal(error instanceof ControlError ? error.code : "failed", error);
    }
  }
}

/** Not when a peer connects, but when it asks: one that is still writing would miss the refusal. */
function admit(socket: Socket): void {
  const uid = peerUid(socket);
  if (uid !== Deno.uid() && uid !== 0) {
    throw new ControlError("forbidden", `User ${uid ?? "unknown"} may not ask: this is user ${Deno.uid()}'s mount`);
  }
}

function refusal(code: ErrorCode, error: unknown): Uint8Array {
  const message = error instanceof Error ? error.message : String(error);
  return encodeFrame({ version: VERSION, error: { code, message } });
}

function send(socket: Socket, frame: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.write(frame, (error) => error ? reject(error) : resolve()));
}
