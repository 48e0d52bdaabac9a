/** A socket pair with a program that is started: it inherits one end, and is told its number. */
import { AF_UNIX, F_SETFD, FD_CLOEXEC, MSG_NOSIGNAL, SOCK_STREAM } from "../../ffi/libc.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";

export class ChildSocket implements Disposable {
  /** The end that a program inherits which is started now. */
  readonly theirs: number;
  readonly #ours: number;
  readonly #libc: Libc = openLibc();
  readonly #open: Set<number>;

  constructor() {
    const pair = new Int32Array(2);
    if (this.#libc.symbols.socketpair(AF_UNIX, SOCK_STREAM, 0, new Uint8Array(pair.buffer)) < 0) {
      throw new Error("Cannot make a socket for bubblewrap: too many open files");
    }
    [this.theirs, this.#ours] = [pair[0]!, pair[1]!];
    this.#open = new Set(pair);
    this.#libc.symbols.fcntl(this.#ours, F_SETFD, FD_CLOEXEC);
  }

  /** The program is started: its end is its own from now on, so that no wait outlives it. */
  handOver(): void {
    this.#close(this.theirs);
  }

  /** Writes it all and closes, when the program has read it. Who has ended before says so by its exit status. */
  end(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      const sent = this.#libc.symbols.send(this.#ours, bytes.subarray(at), bytes.length - at, MSG_NOSIGNAL);
      if (sent < 0) break;
      at += sent;
    }
    this.#close(this.#ours);
  }

  /** What the program wrote, to be asked for once, when it has ended: up to 4 KiB. */
  read(): string {
    const bytes = new Uint8Array(4096);
    const count = this.#libc.symbols.read(this.#ours, bytes, bytes.length);
    return new TextDecoder().decode(bytes.subarray(0, Math.max(0, count)));
  }

  #close(end: number): void {
    if (this.#open.delete(end)) this.#libc.symbols.close(end);
  }

  [Symbol.dispose](): void {
    for (const end of this.#open) this.#close(end);
  }
}
