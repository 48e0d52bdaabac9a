/**
 * The arguments of bubblewrap on their way to it (`--args`): it starts nothing before it has them all, and when this process
 * ends before it wrote them, nothing can be started any more.
 */
import { AF_UNIX, F_SETFD, FD_CLOEXEC, MSG_NOSIGNAL, SOCK_STREAM } from "../../ffi/libc.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";

export class ArgumentPipe implements Disposable {
  /** The end that a program inherits which is started now. */
  readonly reader: number;
  readonly #writer: number;
  readonly #libc: Libc = openLibc();

  constructor() {
    const pair = new Int32Array(2);
    if (this.#libc.symbols.socketpair(AF_UNIX, SOCK_STREAM, 0, new Uint8Array(pair.buffer)) < 0) {
      throw new Error("Cannot make a socket for the arguments of bubblewrap: too many open files");
    }
    [this.reader, this.#writer] = [pair[0]!, pair[1]!];
    this.#libc.symbols.fcntl(this.#writer, F_SETFD, FD_CLOEXEC);
  }

  /** Writes them all, and waits until they are read. Who has ended before says so by its exit status. */
  write(words: readonly string[]): void {
    const bytes = new TextEncoder().encode(words.map((word) => `${word}\0`).join(""));
    for (let at = 0; at < bytes.length;) {
      const sent = this.#libc.symbols.send(this.#writer, bytes.subarray(at), bytes.length - at, MSG_NOSIGNAL);
      if (sent < 0) return;
      at += sent;
    }
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.reader);
    this.#libc.symbols.close(this.#writer);
  }
}
