/**
 * What this machine's cores do while they have nothing to do. A request wakes the server and its answer the program: where
 * idle cores are halted at once, as on some virtual machines, that is most of what a request costs (`docs/performance.md`).
 */

// Documentation/admin-guide/pm/cpuidle.rst; Documentation/virt/guest-halt-polling.rst
const GOVERNOR = "/sys/devices/system/cpu/cpuidle/current_governor_ro";
const POLL = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";

/** The kernel's default of `POLL`, in nanoseconds. */
const USUAL_POLL = 200_000;

/** What `doctor` finds. */
export interface IdleCores {
  /** Who chooses how deeply they sleep; undefined where nobody does. */
  readonly governor: string | undefined;
  /** Microseconds for which they wait for work before they are halted, at most; undefined where this is not said. */
  readonly waits: number | undefined;
  /** What would make mounts faster. */
  readonly advice: string | undefined;
}

/** `read` is for tests: a file's text, undefined where there is none. */
export async function examineIdleCores(
  read: (path: string) => Promise<string | undefined> = readText,
): Promise<IdleCores> {
  const governor = (await read(GOVERNOR))?.trim();
  const poll = governor === "haltpoll" ? await read(POLL) : undefined;
  const waits = poll === undefined ? undefined : Number(poll) / 1000;
  const advice = waits === 0 ? `as root: echo ${USUAL_POLL} >${POLL}` : undefined;
  return { governor, waits, advice };
}

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}
