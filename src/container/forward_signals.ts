/** Signals that come to the tool and mean the program in its sandbox. */
import { closeDebugger, isDebugged } from "./debugger.ts";
import { lives, type SandboxProcesses } from "./sandbox_processes.ts";

/** Signals that somebody sends to the tool, and the tool alone. */
const FORWARDED = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** Signals of the terminal's keys: its driver sends them to the program too, so that they must not be sent once more. */
const OF_KEYS = ["SIGINT", "SIGQUIT"] as const;

/** How long a process that was sent a deadly signal may look as if it was not. */
const DYING_MILLISECONDS = 20;

/** Until disposal. */
export function forwardSignals(processes: SandboxProcesses): Disposable {
  const listeners = new DisposableStack();
  const listen = (signal: Deno.Signal, act: () => Promise<void>) => {
    const listener = () => void act();
    Deno.addSignalListener(signal, listener);
    listeners.defer(() => Deno.removeSignalListener(signal, listener));
  };
  for (const signal of FORWARDED) listen(signal, () => signalProgram(processes, signal));
  for (const signal of OF_KEYS) {
    listen(signal, async () => {
      if (!await isOfKeys(processes.monitor)) await signalProgram(processes, signal);
    });
  }
  if (!isDebugged()) listen("SIGUSR1", closeDebugger);
  return listeners;
}

/** A signal to any other process of the sandbox would not be the program's to handle. An early one waits for the program. */
async function signalProgram(processes: SandboxProcesses, signal: Deno.Signal): Promise<void> {
  const program = await processes.program();
  if (program === undefined) return;
  try {
    Deno.kill(program, signal);
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Whether a signal that came just now is one of the terminal's keys: those go to the whole foreground group, to which
 * bubblewrap's outermost process (`monitor`) belongs until it dies of the first.
 */
async function isOfKeys(monitor: number): Promise<boolean> {
  if (!await isInForeground()) return false;
  if (!await lives(monitor)) return true;
  await new Promise((resolve) => setTimeout(resolve, DYING_MILLISECONDS));
  return !await lives(monitor);
}

/** Whether this process belongs to the foreground group of its terminal. */
async function isInForeground(): Promise<boolean> {
  const status = await Deno.readTextFile("/proc/self/stat");
  // proc_pid_stat(5), from the third field on: the name before may have blanks in it.
  const [, , group, , , foregroundGroup] = status.slice(status.lastIndexOf(")") + 2).split(" ");
  return group === foregroundGroup;
}
