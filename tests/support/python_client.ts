/** A program that a test watches from outside of the process that serves the mount. */
import { assertEquals } from "../deps.ts";
import { waitFor } from "./mounted.ts";

/** A python program in the mountpoint: it prints lines, and gets one for each that it asks for. */
export class PythonClient implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #output = "";
  readonly #errors: Promise<string>;
  readonly #reading: Promise<void>;

  constructor(directory: string, program: string) {
    this.#child = new Deno.Command("python3", {
      // Not with `cwd`: this isolate would wait for the spawn, and the spawn for this isolate, which serves the mount.
      args: ["-u", "-c", `import os, select, sys\nos.chdir(sys.argv[1])\n${program}`, directory],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
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

  /** Waits for its end, which must be a good one. */
  async end(): Promise<void> {
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
    await Promise.all([this.#reading, this.#errors]);
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}
