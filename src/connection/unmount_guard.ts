/**
 * Sees to it that a mount goes away with the process that made it, also when that is killed: a process of its own waits
 * at the other end of a pipe, which the kernel closes whichever way this one ends. (fusermount3's auto_unmount does the
 * same, but leaves mounts with a subtype in the table.)
 */

/** What goes with the mount. */
export interface Leftovers {
  /** Folders that are removed when they are empty, in this order. */
  readonly empty: readonly string[];
  /** Folders that are removed with all that is in them. */
  readonly full: readonly string[];
}

// `read` fails at the end of the input: nobody has said that all is well. An ordinary user's mount is fusermount3's to take
// away; umount(8) is for root where there is none.
const SCRIPT = `
read -r word && exit
mountpoint=$1 empty=$2
shift 2
fusermount3 -u -z -- "$mountpoint" || umount -l -- "$mountpoint"
while [ "$empty" -gt 0 ]; do
  rmdir -- "$1"
  shift
  empty=$((empty - 1))
done
[ $# -eq 0 ] || rm -rf -- "$@"
`;

/** Watches until it is disposed of; by then the mount has to be gone. */
export class UnmountGuard implements AsyncDisposable {
  readonly #watcher: Deno.ChildProcess;

  private constructor(watcher: Deno.ChildProcess) {
    this.#watcher = watcher;
  }

  /** Begins to watch over the mount that is to be made at `mountpoint`, an absolute path. */
  static start(mountpoint: string, { empty = [], full = [] }: Partial<Leftovers> = {}): UnmountGuard {
    const watcher = new Deno.Command("sh", {
      args: ["-c", SCRIPT, "trellis-unmount-guard", mountpoint, String(empty.length), ...empty, ...full],
      // Deno starts no program where the user may not enter the current folder; and no folder should be kept busy.
      cwd: "/",
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // A session of its own: what ends this process's group or terminal must not end the watcher too.
      detached: true,
    }).spawn();
    watcher.unref();
    return new UnmountGuard(watcher);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const writer = this.#watcher.stdin.getWriter();
    await writer.write(new TextEncoder().encode("done\n"));
    await writer.close();
    await this.#watcher.status;
  }
}
