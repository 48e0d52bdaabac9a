/**
 * A process of its own that waits at the other end of a pipe, which the kernel closes whichever way this process ends:
 * what has to be cleared up even after SIGKILL, it clears up.
 */

export class Guard implements AsyncDisposable {
  readonly #watcher: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();

  /**
   * Starts `sh` with a script that reads lines from its standard input, ends at the line `done`, and acts at the end of
   * the input: then nobody has said that all is well. `name` is what it is called in a list of processes.
   */
  protected constructor(name: string, script: string, args: readonly string[]) {
    this.#watcher = new Deno.Command("sh", {
      args: ["-c", script, name, ...args],
      // Deno starts no program where the user may not enter the current folder; and no folder should be kept busy.
      cwd: "/",
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // A session of its own: what ends this process's group or terminal must not end the watcher too.
      detached: true,
    }).spawn();
    this.#watcher.unref();
    this.#writer = this.#watcher.stdin.getWriter();
  }

  protected async tell(line: string): Promise<void> {
    await this.#writer.write(this.#encoder.encode(`${line}\n`));
  }

  /** Calls it off; by then all has to be cleared up. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Awaited here: a process with nothing else to do would end before.
    this.#watcher.ref();
    try {
      await this.tell("done");
      await this.#writer.close();
    } catch (error) {
      // Somebody has killed the watcher.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
    await this.#watcher.status;
  }
}
