/** Runs a program whose root is a mounted tree, in namespaces of its own, through bubblewrap. */
import { access, constants } from "node:fs/promises";
import { explainForbiddenNamespaces } from "./namespaces.ts";
import { bubblewrapArguments, type Sandbox } from "./sandbox.ts";

/** A sandbox could not be made; the message says what was tried and what to do. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

/** Signals that somebody sends to the tool and means for the program. Those of the terminal's keys reach it by themselves. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** How often to look whether the program is there by now. */
const PROGRAM_POLL_MILLISECONDS = 10;

/** Signals of the terminal's keys: its driver sends them to the program too, whose affair they are. */
const OF_THE_TERMINAL = ["SIGINT", "SIGQUIT"] as const;

/**
 * Runs the program with the caller's standard input, output and error until it ends, and returns its exit status: its own,
 * or 128 and the number of the signal that ended it. All that it started ends with it.
 *
 * @throws {SandboxError} when bubblewrap is missing or the machine forbids namespaces.
 */
export async function runInside(sandbox: Sandbox): Promise<number> {
  const child = start(sandbox, await findBubblewrap());
  using _ = forwardSignals(child.pid);
  const { code } = await child.status;
  if (code !== 0 && !await canMakeNamespaces()) throw await forbidden();
  return code;
}

/** The path of bwrap on the host: Deno would look for it by the `PATH` that the program is given. */
async function findBubblewrap(): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${folder}/bwrap`;
    const executable = folder !== "" && await access(path, constants.X_OK).then(() => true, () => false);
    if (executable) return path;
  }
  throw new SandboxError('Cannot run inside the tree: there is no "bwrap"; install bubblewrap (sh setup.sh)');
}

function start(sandbox: Sandbox, bubblewrap: string): Deno.ChildProcess {
  return new Deno.Command(bubblewrap, {
    args: bubblewrapArguments(sandbox),
    clearEnv: true,
    env: { ...sandbox.environment },
    // Deno starts no program where the user may not enter the current folder.
    cwd: "/",
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
}

/** Until disposal. */
function forwardSignals(bubblewrap: number): Disposable {
  const listeners = new DisposableStack();
  let isOver = false;
  listeners.defer(() => isOver = true);
  const listen = (signal: Deno.Signal, act: () => void) => {
    Deno.addSignalListener(signal, act);
    listeners.defer(() => Deno.removeSignalListener(signal, act));
  };
  for (const signal of FORWARDED) listen(signal, () => void signalProgram(bubblewrap, signal, () => isOver));
  for (const signal of OF_THE_TERMINAL) listen(signal, () => {});
  return listeners;
}

/**
 * bubblewrap's child is the first process of the pid namespace, which reaps; its first child is the program. A signal to
 * either of the two would end the sandbox and not be the program's to handle. One that comes early waits for the program.
 */
async function signalProgram(bubblewrap: number, signal: Deno.Signal, isOver: () => boolean): Promise<void> {
  let program: number | undefined;
  while (program === undefined) {
    const reaper = await firstChild(bubblewrap);
    program = reaper === undefined ? undefined : await firstChild(reaper);
    if (isOver()) return;
    if (program === undefined) await new Promise((resolve) => setTimeout(resolve, PROGRAM_POLL_MILLISECONDS));
  }
  try {
    Deno.kill(program, signal);
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function firstChild(pid: number): Promise<number | undefined> {
  // proc_pid_task(5): the children of a task, in the order of their start.
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  const first = children.split(" ")[0]!;
  return first === "" ? undefined : Number(first);
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
