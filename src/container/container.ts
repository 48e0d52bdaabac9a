/** Runs a program whose root is a mounted tree, in namespaces of its own, through bubblewrap. */
import { explainForbiddenNamespaces } from "./namespaces.ts";
import { bubblewrapArguments, type Sandbox } from "./sandbox.ts";

/** A sandbox could not be made; the message says what was tried and what to do. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

/** Signals that somebody sends to the tool and means for the program. Those of the terminal's keys reach it by themselves. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** Signals of the terminal's keys: its driver sends them to the program too, whose affair they are. */
const OF_THE_TERMINAL = ["SIGINT", "SIGQUIT"] as const;

/**
 * Runs the program with the caller's standard input, output and error until it ends, and returns its exit status: its own,
 * or 128 and the number of the signal that ended it. All that it started ends with it.
 *
 * @throws {SandboxError} when bubblewrap is missing or the machine forbids namespaces.
 */
export async function runInside(sandbox: Sandbox): Promise<number> {
  const child = start(sandbox);
  using _ = forwardSignals(child.pid);
  const { code } = await child.status;
  if (code !== 0 && !await canMakeNamespaces()) throw await forbidden();
  return code;
}

function start(sandbox: Sandbox): Deno.ChildProcess {
  try {
    return new Deno.Command("bwrap", {
      args: bubblewrapArguments(sandbox),
      clearEnv: true,
      env: { ...sandbox.environment },
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SandboxError('Cannot run inside the tree: there is no "bwrap"; install bubblewrap (sh setup.sh)', {
      cause: error,
    });
  }
}

/** Until disposal. */
function forwardSignals(bubblewrap: number): Disposable {
  const listeners = new DisposableStack();
  const listen = (signal: Deno.Signal, act: () => void) => {
    Deno.addSignalListener(signal, act);
    listeners.defer(() => Deno.removeSignalListener(signal, act));
  };
  for (const signal of FORWARDED) listen(signal, () => void signalProgram(bubblewrap, signal));
  for (const signal of OF_THE_TERMINAL) listen(signal, () => {});
  return listeners;
}

/**
 * bubblewrap's child is the first process of the pid namespace, which reaps; its first child is the program. A signal to
 * either of the two would end the sandbox and not be the program's to handle.
 */
async function signalProgram(bubblewrap: number, signal: Deno.Signal): Promise<void> {
  const reaper = await firstChild(bubblewrap);
  const program = reaper === undefined ? undefined : await firstChild(reaper);
  try {
    if (program !== undefined) Deno.kill(program, signal);
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
