/** The way of a process of ours to the one that started it: frames on its standard input and output. */
import { F_DUPFD_CLOEXEC } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { encodeFrame, FrameDecoder } from "../control/frames.ts";
import { LONGEST, readMessage } from "./messages.ts";

/** `From` is what it hears, `To` what it says. To be made before anything is printed. */
export class ParentLine<From, To> {
  readonly #output: number;

  constructor() {
    // What modules print must not come between the frames: from here on it goes to standard error.
    const { symbols } = openLibc();
    this.#output = symbols.fcntl(1, F_DUPFD_CLOEXEC, 3);
    symbols.dup2(2, 1);
  }

  say(message: To): void {
    const { symbols } = openLibc();
    const frame = encodeFrame(message, LONGEST);
    // A pipe takes what it is given whole, unless a signal comes.
    for (let sent = 0; sent < frame.length;) {
      const count = symbols.write(this.#output, frame.subarray(sent), frame.length - sent);
      // Nobody listens any more, which the end of the input says as well.
      if (count < 0) return;
      sent += count;
    }
  }

  /** What it is told, until the other side is gone. @throws {FrameError} @throws {TypeError} for what is no message. */
  async *listen(kinds: readonly string[]): AsyncGenerator<From> {
    const decoder = new FrameDecoder(LONGEST);
    for await (const piece of Deno.stdin.readable) {
      for (const value of decoder.push(piece)) yield readMessage(value, kinds) as From;
    }
  }
}
