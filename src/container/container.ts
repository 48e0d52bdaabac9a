/** Runs a program whose root is a mounted tree, in namespaces of its own, through bubblewrap. */
import { access, constants } from "node:fs/promises";
import { ArgumentPipe } from "./argument_pipe.ts";
import { forwardSignals } from "./forward_signals.ts";
import { KillGuard } from "../guards/kill_guard.ts";
import { explainForbiddenNamespaces } from "./namespaces.ts";
import { bubblewrapArguments, type Sandbox } from "./sandbox.ts";
import { adoptOrphans, SandboxProcesses } from "./sandbox_processes.ts";

/** A sandbox could not be made; the message says what was tried and what to do. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

/**
 * Runs the program with the caller's standard input, output and error until it ends, and returns its exit status: its own,
 * or 128 and the number of the signal that ended it. All that it started ends with it.
 *
 * @throws {SandboxError} when bubblewrap is missing or the machine forbids namespaces.
 */
export async function runInside(sandbox: Sandbox): Promise<number> {
  const bubblewrap = await findBubblewrap();
  using _orphans = adoptOrphans();
  await using guard = KillGuard.start();
  const processes = await start(sandbox, bubblewrap, guard);
  using _signals = forwardSignals(processes);
  const reaper = await processes.reaper();
  if (reaper !== undefined) await guard.add(reaper);
  const code = await processes.end();
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

/** Starts it, under the guard's eyes before it begins. */
async function start(sandbox: Sandbox, bubblewrap: string, guard: KillGuard): Promise<SandboxProcesses> {
  using pipe = new ArgumentPipe();
  const monitor = new Deno.Command(bubblewrap, {
    args: ["--args", String(pipe.reader), "--", ...sandbox.command],
    clearEnv: true,
    env: { ...sandbox.environment },
    // Deno starts no program where the user may not enter the current folder.
    cwd: "/",
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  await guard.add(monitor.pid);
  pipe.write(bubblewrapArguments(sandbox));
  return new SandboxProcesses(monitor);
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
