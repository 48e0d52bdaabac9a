/**
 * The machine as only some processes see it: a mount namespace whose system directories can be written to, with nothing
 * of that kept. Needs root.
 */
import { TextLineStream } from "../deps.ts";
import { type CommandOptions, type CommandResult, run } from "./command.ts";

/** Lays a writable overlay over each of the directories. */
const PREPARE = `
mount -t tmpfs none "$0"
for directory; do
  mkdir -p "$0$directory/upper" "$0$directory/work"
  mount -t overlay -o "lowerdir=$directory,upperdir=$0$directory/upper,workdir=$0$directory/work" overlay "$directory"
done
echo ready
exec cat
`;

export class PrivateSystem implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(holder: Deno.ChildProcess, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
  }

  /** Changes to `directories` are seen only by what {@linkcode run} runs. Undefined where there can be no overlays. */
  static async make(directories: readonly string[]): Promise<PrivateSystem | undefined> {
    const folder = await Deno.makeTempDir({ prefix: "private-" });
    const holder = new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private", "sh", "-euc", PREPARE, folder, ...directories],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const system = new PrivateSystem(holder, folder);
    const lines = holder.stdout.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream());
    for await (const line of lines) if (line === "ready") return system;
    await system[Symbol.asyncDispose]();
    return undefined;
  }

  /** Runs a command in the namespace. */
  run(command: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return run(["nsenter", `--target=${this.#holder.pid}`, "--mount", "--wd=/", ...command], options);
  }

  /** The namespace's table of mounts, as in /proc/self/mountinfo. */
  mounts(): Promise<string> {
    return Deno.readTextFile(`/proc/${this.#holder.pid}/mountinfo`);
  }

  /** The namespace goes as soon as no process is in it, so what a failed test left mounted has to end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["umount", "-a", "-t", "fuse.trellis"], { accept: [0, 1, 32] });
    await this.#holder.stdin.close().catch(() => {}); // it may have ended by itself
    await this.#holder.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
