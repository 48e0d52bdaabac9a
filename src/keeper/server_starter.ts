/** Starts servers for a keeper. One may be in reserve, which has begun and loaded the filesystem's code, and waits. */
import type { KeptDescriptors } from "../fs/module.ts";
import { type BegunServer, startServer } from "./begun_server.ts";
import { type FromServer, type ServedModule } from "./messages.ts";
import { ServerProcess } from "./server_process.ts";

/** What is started, and who hears of it. */
export interface ServerStarterOptions {
  /** What servers load before they are told more. */
  readonly served: ServedModule;
  /** The connection's table of open files, which servers inherit. */
  readonly store: KeptDescriptors | undefined;
  /** Hears which processes there are whenever one has begun or ended. */
  readonly onProcesses: (pids: Iterable<number>) => void;
}

export class ServerStarter {
  readonly #options: ServerStarterOptions;
  readonly #pids = new Set<number>();
  #spare: ServerProcess | undefined;
  /** The first one, if it has begun. */
  #first: BegunServer | undefined;
  /** Hears what answers no question. */
  onMessage: (message: FromServer) => void = () => {};

  constructor(options: ServerStarterOptions, first?: BegunServer) {
    this.#options = options;
    this.#first = first;
  }

  /** A server that has begun: the one in reserve, if it lives. */
  start(): ServerProcess {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare ?? this.#begin();
  }

  /** From here on there is one in reserve. To be told when nobody waits for a server. */
  prepareSpare(): void {
    if (this.#spare !== undefined) return;
    const server = this.#spare = this.#begin();
    server.tell({ kind: "load", served: this.#options.served }).catch(() => {});
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
    const { store, onProcesses } = this.#options;
    const begun = this.#first ?? startServer(store);
    this.#first = undefined;
    const server = new ServerProcess(begun, (message) => this.onMessage(message));
    onProcesses(this.#pids.add(server.pid));
    void server.ended.then(() => {
      this.#pids.delete(server.pid);
      onProcesses(this.#pids);
    });
    return server;
  }
}
