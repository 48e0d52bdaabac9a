/**
 * Sees to it that a sandbox ends with the process that made it, also when that is killed: a process of its own waits at the
 * other end of a pipe, which the kernel closes whichever way this one ends.
 *
 * bubblewrap's own `--die-with-parent` would do it too, but would end the sandbox with bubblewrap's outermost process, which
 * the terminal's Ctrl-C kills.
 */

// What a process has started, of which nobody could tell yet, is killed with it; it is stopped first, to start no more.
const SCRIPT = `
processes=
while read -r word; do
  [ "$word" = done ] && exit
  processes="$processes $word"
done
for process in $processes; do
  kill -STOP "$process"
  kill -KILL $(cat "/proc/$process/task/$process/children") "$process"
done
`;

/** Watches until it is disposed of; by then the processes have to be gone. */
export class KillGuard implements AsyncDisposable {
  readonly #watcher: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();

  private constructor(watcher: Deno.ChildProcess) {
    this.#watcher = watcher;
    this.#writer = watcher.stdin.getWriter();
  }

  static start(): KillGuard {
    const watcher = new Deno.Command("sh", {
      args: ["-c", SCRIPT, "trellis-kill-guard"],
      // Deno starts no program where the user may not enter the current folder; and no folder should be kept busy.
      cwd: "/",
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // A session of its own: what ends this process's group or terminal must not end the watcher too.
      detached: true,
    }).spawn();
    watcher.unref();
    return new KillGuard(watcher);
  }

  /** A process that is to end, with its children. */
  async add(pid: number): Promise<void> {
    await this.#writer.write(this.#encoder.encode(`${pid}\n`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.write(this.#encoder.encode("done\n"));
    await this.#writer.close();
    await this.#watcher.status;
  }
}
