/** Runs a program whose root is a mounted tree, in namespaces of its own, through bubblewrap. */
import { access, constants } from "node:fs/promises";
import { ChildSocket } from "./child_socket.ts";
import { forwardSignals } from "./forward_signals.ts";
import { KillGuard } from "../guards/kill_guard.ts";
import { explainForbiddenNamespaces } from "./namespaces.ts";
import { bubblewrapArguments, type Sandbox } from "./sandbox.ts";
import { adoptOrphans, SandboxProcesses } from "./sandbox_processes.ts";

/** A sandbox could not be made; the message says what was tried and what to do. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

/** bubblewrap made the sandbox, and could not execute the program. The message says why, and what to do. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** Whether it is there at all. */
  readonly isThere: boolean;

  constructor(message: string, isThere: boolean) {
    super(message);
    this.isThere = isThere;
  }
}

/**
 * Runs the program with the caller's standard input, output and error until it ends, and returns its exit status: its own,
 * or 128 and the number of the signal that ended it. All that it started ends with it.
 *
 * @throws {SandboxError} when bubblewrap is missing or the machine forbids namespaces.
 * @throws {ProgramError} when the program is missing in the sandbox, or may not be executed.
 */
export async function runInside(sandbox: Sandbox): Promise<number> {
  const bubblewrap = await findBubblewrap();
  using _orphans = adoptOrphans();
  await using guard = KillGuard.start();
  using status = new ChildSocket();
  const processes = await start(sandbox, bubblewrap, guard, status);
  using _signals = forwardSignals(processes);
  const reaper = await processes.reaper();
  if (reaper !== undefined) await guard.add(reaper);
  const code = await processes.end();
  if (code !== BUBBLEWRAP_FAILED || status.read().includes(HAS_RUN)) return code;
  throw await explainFailure(sandbox, bubblewrap);
}

/** What bubblewrap ends with when it did not get to the program; a program's own status may be the same. */
const BUBBLEWRAP_FAILED = 1;

/** What `--json-status-fd` says only of a program that was executed. */
const HAS_RUN = '"exit-code"';

/** The path of bwrap on the host: Deno would look for it by the `PATH` that the program is given. */
async function findBubblewrap(): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${folder}/bwrap`;
    const executable = folder !== "" && await access(path, constants.X_OK).then(() => true, () => false);
    if (executable) return path;
  }
  throw new SandboxError('Cannot run inside the tree: there is no "bwrap"; install bubblewrap (sh setup.sh)');
}

/**
 * Starts it, under the guard's eyes before it begins: it starts nothing before it has all its arguments (`--args`), and when
 * this process ends before it wrote them, nothing can be started any more.
 */
async function start(
  sandbox: Sandbox,
  bubblewrap: string,
  guard: KillGuard,
  status: ChildSocket,
): Promise<SandboxProcesses> {
  using socket = new ChildSocket();
  const options = ["--args", String(socket.theirs), "--json-status-fd", String(status.theirs)];
  const monitor = new Deno.Command(bubblewrap, {
    ...commandOf(sandbox, options),
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  socket.handOver();
  status.handOver();
  await guard.add(monitor.pid);
  socket.end(asWords(bubblewrapArguments(sandbox)));
  return new SandboxProcesses(monitor);
}

function commandOf({ command, environment }: Sandbox, options: readonly string[]): Deno.CommandOptions {
  return {
    args: [...options, "--", ...command],
    clearEnv: true,
    env: { ...environment },
    // Deno starts no program where the user may not enter the current folder.
    cwd: "/",
  };
}

function asWords(words: readonly string[]): string {
  return words.map((word) => `${word}\0`).join("");
}

async function explainFailure(sandbox: Sandbox, bubblewrap: string): Promise<Error> {
  if (!await canMakeNamespaces()) return await forbidden();
  const said = await askWhy(sandbox, bubblewrap);
  const [program] = sandbox.command;
  const attempt = `Cannot run ${JSON.stringify(program)}`;
  if (!said.startsWith("execvp ")) return new SandboxError(`${attempt}: bubblewrap cannot make its sandbox: ${said}`);
  if (!said.endsWith(": No such file or directory")) {
    return new ProgramError(`${attempt}: it is there, but cannot be executed; bubblewrap says above why`, true);
  }
  const where = program.includes("/") ? "" : ` in the directories of PATH, ${sandbox.environment["PATH"] ?? "unset"}`;
  return new ProgramError(`${attempt}: the tree has no such program${where}`, false);
}

/** Longer than any string that a program may be given (MAX_ARG_STRLEN in linux/binfmts.h, with pages of 64 KiB). */
const TOO_LONG = 1 + (32 << 16);

/**
 * What bubblewrap says of a program that it could not execute: the first time it said so where the program's own standard
 * error goes. Should the program be there by now, it is not executed all the same: execve(2) looks for the file, and then
 * refuses the environment (E2BIG).
 */
async function askWhy(sandbox: Sandbox, bubblewrap: string): Promise<string> {
  using socket = new ChildSocket();
  const child = new Deno.Command(bubblewrap, {
    ...commandOf(sandbox, ["--args", String(socket.theirs)]),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  socket.handOver();
  const more = ["--die-with-parent", "--setenv", "TRELLIS_TOO_LONG", "x".repeat(TOO_LONG)];
  socket.end(asWords([...bubblewrapArguments(sandbox), ...more]));
  const { stderr } = await child.output();
  return new TextDecoder().decode(stderr).trim().replace(/^bwrap: /, "");
}

/** Whether bubblewrap works at all for this user: a failure is then the program's own. */
async function canMakeNamespaces(): Promise<boolean> {
  const args = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/", "--", "true"];
  const { success } = await new Deno.Command("bwrap", { args, stdin: "null", stdout: "null", stderr: "null" }).output();
  return success;
}

async function forbidden(): Promise<SandboxError> {
  const reasons = await explainForbiddenNamespaces();
  const why = reasons.length > 0
    ? reasons.join("\n")
    : "no setting of the kernel that is known to forbid it was found; a container or a security module may";
  return new SandboxError(`Cannot run inside the tree: this machine forbids user namespaces\n${why}`);
}
