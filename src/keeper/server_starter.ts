/** Starts servers for a keeper. One may be in reserve, which has begun and loaded the filesystem's code, and waits. */
import { FramedProcess } from "./framed_process.ts";
import { FROM_SERVER, type FromServer, type ServedModule, type ToServer } from "./messages.ts";

export type ServerProcess = FramedProcess<ToServer, FromServer>;

/** What is started, and who hears of it. */
export interface ServerStarterOptions {
  /** Descriptors that servers inherit under their numbers. */
  readonly descriptors: readonly number[];
  /** What a server in reserve loads. */
  readonly served: ServedModule;
  /** Whether there is to be one in reserve. */
  readonly spare: boolean;
  readonly onMessage: (message: FromServer) => void;
  /** Hears which processes there are whenever one has begun or ended. */
  readonly onProcesses: (pids: Iterable<number>) => void;
}

const SERVER = new URL("../workers/server.ts", import.meta.url);

export class ServerStarter {
  readonly #options: ServerStarterOptions;
  readonly #pids = new Set<number>();
  #spare: ServerProcess | undefined;

  constructor(options: ServerStarterOptions) {
    this.#options = options;
  }

  /** A server that has begun: the one in reserve, if it lives. */
  start(): ServerProcess {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare ?? this.#begin();
  }

  /** From here on there is one in reserve, if there is to be one at all. To be told when nobody waits for a server. */
  prepareSpare(): void {
    const { spare, served } = this.#options;
    if (!spare || this.#spare !== undefined) return;
    const server = this.#spare = this.#begin();
    server.tell({ kind: "load", served }).catch(() => {});
    void server.ended.then(() => {
      if (this.#spare === server) this.#spare = undefined;
    });
  }

  /** Ends the one in reserve: its code is as old as it is. */
  async dropSpare(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    spare?.kill();
    await spare?.ended;
  }

  #begin(): ServerProcess {
    const { descriptors, onMessage, onProcesses } = this.#options;
    const server: ServerProcess = new FramedProcess({
      ...{ title: "The server", entry: SERVER, descriptors, kinds: FROM_SERVER, onMessage },
    });
    onProcesses(this.#pids.add(server.pid));
    void server.ended.then(() => {
      this.#pids.delete(server.pid);
      onProcesses(this.#pids);
    });
    return server;
  }
}
