// Subprocesses with a deadline, and C programs compiled for one test.
import { PATIENCE } from "./patience.ts";

/** Whom a command runs as; only root can choose. */
export interface User {
  uid: number;
  gid: number;
}

/** How {@linkcode run} starts a command. */
export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Default: the caller. */
  user?: User;
  /** After this many seconds the command and all that it started are killed. Default {@linkcode PATIENCE}. */
  deadline?: number;
  /** Exit codes that are no failure. Default only 0. */
  accept?: readonly number[];
}

/** What a command left behind. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

const TIMED_OUT = [124, 137]; // timeout(1): the deadline passed; it had to kill

/** Runs a command to its end; an exit code that is not accepted is an error that shows what was printed. */
export async function run(command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { cwd, env, user, deadline = PATIENCE, accept = [0] } = options;
  // timeout(1) puts the command in a process group of its own, so that children end with it.
  const child = new Deno.Command("timeout", {
    args: ["--kill-after=5", String(deadline), ...command],
    stdin: "null",
    ...(cwd === undefined ? {} : { cwd }),
    ...user,
    env: { LC_ALL: "C", ...env },
  });
  const { code, stdout, stderr } = await child.output();
  const result = { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  if (accept.includes(code)) return result;
  const reason = TIMED_OUT.includes(code) ? `was not done after ${deadline} s` : `exited with ${code}`;
  throw new Error(
    `${command.join(" ")} ${reason}${cwd ? ` in ${cwd}` : ""}\n${tail(result.stdout)}${tail(result.stderr)}`,
  );
}

/** Runs shell text under `set -eu`. */
export function shell(script: string, options: CommandOptions = {}): Promise<CommandResult> {
  return run(["sh", "-euc", script], options);
}

/** Fails, naming every tool that this machine does not have. */
export async function requireTools(names: readonly string[]): Promise<void> {
  const found = await Promise.all(
    names.map((name) => run(["sh", "-c", 'command -v "$1"', "sh", name], { accept: [0, 1, 127] })),
  );
  const missing = names.filter((_, index) => found[index]?.code !== 0);
  if (missing.length > 0) {
    throw new Error(`Missing ${missing.join(", ")}: sh setup.sh --dev installs what the tests use`);
  }
}

/** A compiled program; gone when disposed. */
export interface Program extends AsyncDisposable {
  readonly path: string;
}

/** Compiles C sources, given as URLs, into one program; `flags` are more arguments for gcc. */
export async function compile(sources: readonly URL[], flags: readonly string[] = []): Promise<Program> {
  await requireTools(["gcc"]);
  const directory = await Deno.makeTempDir({ prefix: "trellis-program-" });
  await Deno.chmod(directory, 0o755); // an ordinary user may run it
  const path = `${directory}/program`;
  const remove = () => Deno.remove(directory, { recursive: true });
  try {
    const files = sources.map((source) => decodeURIComponent(source.pathname));
    await run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu17", ...flags, "-o", path, ...files]);
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: remove };
}

/** The end of a long text, where the reason mostly stands. */
function tail(text: string, length = 4000): string {
  return text.length > length ? `…${text.slice(-length)}` : text;
}
