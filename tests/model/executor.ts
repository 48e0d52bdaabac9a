/** A process that executes operations in one directory, see executor.c. */
import { TextLineStream } from "../deps.ts";
import { compile, type Program, type User } from "../support/command.ts";
import { PATIENCE } from "../support/patience.ts";
import { type Command, toLine } from "./commands.ts";

/** Compiles the program that all executors run. */
export function compileExecutor(): Promise<Program> {
  return compile(["executor.c", "snapshot.c"].map((name) => new URL(name, import.meta.url)));
}

/** Works in a directory of its own, `directory`, which it makes (or finds, when it is `existing`) and removes. */
export class Executor implements AsyncDisposable {
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(program: Program, directory: string, user?: User, existing = false) {
    this.#directory = directory;
    this.#process = new Deno.Command(program.path, {
      args: [directory, ...existing ? ["existing"] : []],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      ...user,
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    const lines: ReadableStream<string> = this.#process.stdout
      .pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    this.#lines = lines.getReader();
  }

  /** Executes the operations in order; one result for each. */
  async execute(commands: readonly Command[]): Promise<string[]> {
    const text = commands.map((command) => toLine(command) + "\n").join("");
    // Both at once: results must be read while operations are written, or both pipes fill up. A write to a process
    // that has ended fails too, and the reading side says why.
    const written = this.#input.write(new TextEncoder().encode(text)).catch(() => {});
    const results: string[] = [];
    for (const command of commands) results.push(await this.#readResult(command));
    await written;
    return results;
  }

  /** Ends the process and waits until it has removed its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#lines.cancel();
    const { code, signal } = await this.#process.status;
    if (code !== 0 && signal === null) throw new Error(`The executor in ${this.#directory} exited with ${code}`);
  }

  async #readResult(command: Command): Promise<string> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.#process.kill("SIGKILL");
    }, PATIENCE * 1000);
    const { value, done } = await this.#lines.read();
    clearTimeout(timer);
    if (!done) return value;
    const reason = hung ? `did not answer within ${PATIENCE} s` : "ended";
    throw new Error(`The executor in ${this.#directory} ${reason} when it was to do: ${toLine(command)}`);
  }
}
