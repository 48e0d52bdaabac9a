/** How a process of ours that is spoken to in frames begins, and is ended. */

/** Runs `entry` with Deno; its standard input and output are for whoever starts it. */
export function startProcess(entry: URL, args: readonly string[] = []): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", entry.href, ...args],
    // Deno starts no program where the user may not enter the current folder, such as one in root's home.
    cwd: "/",
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    // Ctrl-C is for whoever mounted, who ends the others when the mount is gone.
    detached: true,
  }).spawn();
}

/** Sends it a signal, if it has not ended. */
export function killProcess(child: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    child.kill(signal);
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
