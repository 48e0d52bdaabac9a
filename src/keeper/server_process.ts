/** A server as its keeper sees it: a process that is asked in frames, and given the connection's descriptors. */
import { openLibc } from "../../ffi/library.ts";
import type { BegunServer } from "./begun_server.ts";
import { describeFailure, ProcessFailure } from "./failure.ts";
import { FramedProcess, ProcessLost } from "./framed_process.ts";
import { descriptorsOf } from "./given_descriptors.ts";
import { FROM_SERVER, type FromServer, type ServerStart, type ToServer } from "./messages.ts";
import { sendDescriptors } from "./passed_descriptors.ts";

export class ServerProcess extends FramedProcess<ToServer, FromServer> {
  /** Undefined when it was closed. */
  #socket: number | undefined;

  /** `begun` is this one's to end and close from here on. */
  constructor({ child, socket }: BegunServer, onMessage: (message: FromServer) => void) {
    super(child, { title: "The server", kinds: FROM_SERVER, onMessage });
    this.#socket = socket;
    void this.ended.then(() => this.#close());
  }

  /** Tells it what to serve; once. @throws as `ask` does. */
  async start(message: ServerStart): Promise<Extract<FromServer, { kind: "ready" }>> {
    this.#give(descriptorsOf(message));
    return await this.ask(message, "ready");
  }

  #give(descriptors: readonly number[]): void {
    try {
      if (this.#socket !== undefined && sendDescriptors(this.#socket, descriptors)) return;
    } catch (error) {
      // It would wait for ever.
      this.kill();
      throw new ProcessFailure(describeFailure(error));
    } finally {
      this.#close();
    }
    throw new ProcessLost(`The server (pid ${this.pid}) is gone`);
  }

  #close(): void {
    if (this.#socket !== undefined) openLibc().symbols.close(this.#socket);
    this.#socket = undefined;
  }
}
