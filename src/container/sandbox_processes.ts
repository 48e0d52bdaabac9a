/**
 * The processes of one sandbox. bubblewrap's outermost process (the *monitor*) waits for its child (the *reaper*), which is
 * the first of the pid namespace and whose first child is the program.
 *
 * The terminal's driver sends the signals of its keys to all three. The kernel ignores them for the reaper, as for the first
 * process of any pid namespace (pid_namespaces(7)), and what the program does is its affair; but the monitor dies. The
 * reaper is then a child of this process, which has said that it takes orphans (PR_SET_CHILD_SUBREAPER in prctl(2)).
 *
 * The reaper ends with the program's status, but only when all else in the namespace has ended too: that is killed then.
 */
import { PR_SET_CHILD_SUBREAPER } from "../../ffi/libc.ts";
import { openLibcProcess } from "../../ffi/library.ts";

/** How often to look for a process that is about to start or to end. */
const POLL_MILLISECONDS = 5;

/** Until disposal, orphans below this process become its children. */
export function adoptOrphans(): Disposable {
  const { prctl } = openLibcProcess();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1n) !== 0) throw new Error("Cannot become the parent of orphans: prctl refused");
  return { [Symbol.dispose]: () => void prctl(PR_SET_CHILD_SUBREAPER, 0n) };
}

export class SandboxProcesses {
  readonly #monitor: Deno.ChildProcess;
  #reaper: number | undefined;
  #program: number | undefined;
  #monitorIsOver = false;
  #isOver = false;

  constructor(monitor: Deno.ChildProcess) {
    this.#monitor = monitor;
    monitor.status.finally(() => this.#monitorIsOver = true);
  }

  get monitor(): number {
    return this.#monitor.pid;
  }

  /** Resolves when all are gone, with the program's exit status, or 128 and the number of the signal that ended it. */
  async end(): Promise<number> {
    const program = this.program();
    const { code, signal } = await this.#monitor.status;
    const reaper = await this.reaper();
    const isOrphan = reaper !== undefined && (await ownChildren()).includes(reaper);
    const status = isOrphan ? await endOrphan(reaper, signal === null ? undefined : await program) : code;
    this.#isOver = true;
    await program;
    return signal === null ? code : status;
  }

  /** The first process of the pid namespace, once it is there; undefined when all is over before. */
  reaper(): Promise<number | undefined> {
    return this.#poll(async () => {
      this.#reaper ??= await firstChild(this.monitor) ?? (this.#monitorIsOver ? await findOrphan() : undefined);
      return this.#reaper;
    }, () => this.#monitorIsOver);
  }

  /** The program, once it is there; undefined when it is over before. */
  program(): Promise<number | undefined> {
    return this.#poll(async () => {
      const reaper = await this.reaper();
      this.#program ??= reaper === undefined ? undefined : await programOf(reaper);
      return this.#program;
    }, async () => this.#isOver || this.#reaper !== undefined && await isAfterProgram(this.#reaper));
  }

  async #poll(
    look: () => Promise<number | undefined>,
    isOver: () => boolean | Promise<boolean>,
  ): Promise<number | undefined> {
    for (;;) {
      // Asked first: what was there when it was over is found.
      const last = await isOver();
      const found = await look();
      if (found !== undefined || last) return found;
      await pause();
    }
  }
}

/** The reaper, when it was orphaned: nothing else below this process is called so. */
async function findOrphan(): Promise<number | undefined> {
  for (const child of await ownChildren()) {
    const name = await Deno.readTextFile(`/proc/${child}/comm`).catch(() => "");
    if (name.trim() === "bwrap") return child;
  }
}

/** Among the children that it forked and adopted, the one that it forked: the second process of the pid namespace. */
async function programOf(reaper: number): Promise<number | undefined> {
  for (const child of await childrenOf(reaper, reaper)) if (await numberInside(child) === 2) return child;
}

/** Whether the reaper is gone, or has children that the program has left to it and the program is no more. */
async function isAfterProgram(reaper: number): Promise<boolean> {
  if (!await lives(reaper)) return true;
  const children = await childrenOf(reaper, reaper);
  const numbers = await Promise.all(children.map(numberInside));
  return numbers.length > 0 && numbers.every((number) => number !== undefined && number > 2);
}

/** A process's id in its own pid namespace (NSpid in proc_pid_status(5)); undefined when it has ended. */
async function numberInside(pid: number): Promise<number | undefined> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1]) || undefined;
}

async function firstChild(pid: number): Promise<number | undefined> {
  return (await childrenOf(pid, pid))[0];
}

/** The children that a task has started or adopted, in the order of their start (proc_pid_task(5)). */
async function childrenOf(process: number | "self", task: number | string): Promise<number[]> {
  const children = await Deno.readTextFile(`/proc/${process}/task/${task}/children`).catch(() => "");
  return children.split(" ").filter((word) => word !== "").map(Number);
}

async function ownChildren(): Promise<number[]> {
  const tasks = await Array.fromAsync(Deno.readDir("/proc/self/task"));
  return (await Promise.all(tasks.map(({ name }) => childrenOf("self", name)))).flat();
}

/** Waits for a reaper that is a child of this process by now, once `program` has ended, with all that is left below it. */
async function endOrphan(reaper: number, program: number | undefined): Promise<number> {
  const status = waitFor(reaper);
  for (let isOver = false; !isOver;) {
    const children = await childrenOf(reaper, reaper);
    if (program === undefined || !children.includes(program)) children.forEach(kill);
    isOver = await Promise.race([status.then(() => true), pause().then(() => false)]);
  }
  return await status;
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Waits for the end of a child that Deno does not know, and returns its exit status as a shell does. */
async function waitFor(pid: number): Promise<number> {
  const status = new Int32Array(1);
  const bytes = new Uint8Array(status.buffer);
  // A signal may interrupt it.
  while (await openLibcProcess().waitpid(pid, bytes, 0) !== pid) {
    if ((await ownChildren()).includes(pid)) continue;
    throw new Error(`Cannot wait for the end of the sandbox: process ${pid} is no child of this one`);
  }
  // bits/waitstatus.h: WTERMSIG, WEXITSTATUS
  const signal = status[0]! & 0x7f;
  return signal === 0 ? (status[0]! >> 8) & 0xff : 128 + signal;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
}

/** Whether a process is there, and no zombie. */
export async function lives(pid: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  return status !== "" && !/^State:\s*[ZX]/m.test(status);
}
