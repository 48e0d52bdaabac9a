/** Programs that a test watches from outside of the process that serves the mount. */
import { assertEquals } from "../deps.ts";
import { waitFor } from "./mounted.ts";
import { PATIENCE } from "./patience.ts";

/** A program that prints lines; disposing kills it. */
export class Client implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #output = "";
  #late = false;
  readonly #errors: Promise<string>;
  readonly #reading: Promise<void>;

  constructor([program, ...args]: readonly [string, ...string[]]) {
    this.#child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#errors = new Response(this.#child.stderr).text();
    this.#reading = this.#read();
  }

  get lines(): string[] {
    return this.#output.split("\n").slice(0, -1);
  }

  /** Waits until it has printed this many lines. */
  async printed(count: number): Promise<string[]> {
    await waitFor(`${count} lines; so far ${JSON.stringify(this.lines)}`, () => this.lines.length >= count);
    return this.lines;
  }

  /** Writes a line to its standard input. */
  async say(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Closes its standard input and waits for its end, which must be a good one, and come within so many seconds. */
  async end(deadline = PATIENCE): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => {
      this.#late = true;
      this.#child.kill("SIGKILL");
    }, deadline * 1000);
    try {
      await this.#reading;
      const { code } = await this.#child.status;
      if (this.#late) throw new Error(`The program had not ended after ${deadline} s; it had printed: ${this.#output}`);
      assertEquals([await this.#errors, code], ["", 0]);
    } finally {
      clearTimeout(late);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await Promise.all([this.#reading, this.#errors]);
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}

/**
 * A python program in the mountpoint. Let it wait for readiness without a time limit: when poll and select have waited
 * for long enough they ask once more, so that a wake-up that never came would look as if it had.
 */
export class PythonClient extends Client {
  constructor(directory: string, program: string) {
    // Not with `cwd`: this isolate would wait for the spawn, and the spawn for this isolate, which serves the mount.
    super(["python3", "-u", "-c", `import os, select, sys\nos.chdir(sys.argv[1])\n${program}`, directory]);
  }
}
