/** Programs that a test watches from outside of the process that serves the mount. */
import { assertEquals } from "../deps.ts";
import { waitFor } from "./mounted.ts";

/** A program that prints lines; disposing kills it. */
export class Client implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #output = "";
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

  /** Closes its standard input and waits for its end, which must be a good one. */
  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#reading;
    assertEquals([await this.#errors, (await this.#child.status).code], ["", 0]);
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

/** A python program in the mountpoint. */
export class PythonClient extends Client {
  constructor(directory: string, program: string) {
    // Not with `cwd`: this isolate would wait for the spawn, and the spawn for this isolate, which serves the mount.
    super(["python3", "-u", "-c", `import os, select, sys\nos.chdir(sys.argv[1])\n${program}`, directory]);
  }
}
