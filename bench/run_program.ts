/** Programs that the benchmarks run and compile. */

/** No program of a benchmark runs longer, in milliseconds: one that hangs on a mount is killed. */
const LONGEST = 180_000;

/** What a program prints. @throws with what it complains of. */
export async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { printed, complaint } = await runAnyway(command, args, cwd);
  if (complaint !== undefined) throw complaint;
  return printed;
}

/** What a program prints, and what it complains of if it fails. */
export async function runAnyway(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<{ printed: string; complaint: Error | undefined }> {
  const signal = AbortSignal.timeout(LONGEST);
  // Killed by SIGKILL: SIGTERM, which `signal` sends, does not reach what waits for a FUSE server's answer.
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...cwd !== undefined && { cwd },
  }).spawn();
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const output = await child.output();
  signal.removeEventListener("abort", kill);
  const decoder = new TextDecoder();
  const words = signal.aborted ? `killed after ${LONGEST / 1000} s` : decoder.decode(output.stderr).trim();
  return {
    printed: decoder.decode(output.stdout),
    complaint: output.success ? undefined : new Error(`${command} failed: ${words}`),
  };
}

/** Whether there is such a program. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await new Deno.Command("sh", { args: ["-c", `command -v "$1"`, "sh", program] }).output()).success;
}

/** Compiles one C source, with a library that pkg-config knows. @throws with the compiler's words. */
export async function compile(program: string, source: URL, library?: string): Promise<void> {
  const flags = library === undefined ? "" : await run("pkg-config", [library, "--cflags", "--libs"]);
  await run("gcc", ["-O2", "-pthread", "-o", program, source.pathname, ...flags.trim().split(/\s+/).filter(Boolean)]);
}

/** Resolves when something is mounted on `path`. @throws {Error} after ten seconds, or when `ended` says so. */
export async function waitForMount(path: string, ended?: Promise<unknown>): Promise<void> {
  let over = false;
  void ended?.then(() => over = true);
  for (const deadline = Date.now() + 10_000; Date.now() < deadline && !over;) {
    if ((await Deno.readTextFile("/proc/self/mountinfo")).includes(` ${path} `)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(over ? "its server ended at once" : `nothing was mounted on ${path} within ten seconds`);
}

/** Takes a mount away, also one that is in use. @throws with fusermount3's words. */
export async function unmount(path: string): Promise<void> {
  await run("fusermount3", ["-u", "-z", path]);
}
