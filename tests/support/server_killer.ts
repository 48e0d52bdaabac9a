/** Ends the servers of a kept mount at random moments, and measures how long the mount pauses. */
import { statfs } from "node:fs/promises";
import type { KeptMount } from "../../mod.ts";
import { waitFor } from "./mounted.ts";

/** What came of it. */
export interface Kills {
  readonly count: number;
  /** From each end to the next answer of the mount, in milliseconds. */
  readonly pauses: readonly number[];
}

/** The servers that a keeper has started and not lost: one, or none for a moment. */
export function serversOf(keeper: number): number[] {
  try {
    // Any of its threads may have started it.
    const threads = [...Deno.readDirSync(`/proc/${keeper}/task`)].map(({ name }) => name);
    const texts = threads.map((thread) => Deno.readTextFileSync(`/proc/${keeper}/task/${thread}/children`));
    return texts.flatMap((text) => text.split(" ").filter((pid) => pid.trim() !== "").map(Number)).filter(isServer);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Not the keeper's guard (`src/guards`), which is a shell, nor another program that it runs to mount. */
function isServer(pid: number): boolean {
  try {
    const name = Deno.readTextFileSync(`/proc/${pid}/comm`).trim();
    return !["sh", "fusermount3"].includes(name);
  } catch {
    return false;
  }
}

/** One kind of work in the mount: done again and again, at least once. */
export type Work = () => Promise<unknown>;

/**
 * How servers end: killed as they serve; killed as they begin, often several one after the other; or stopped (SIGSTOP) as
 * they serve, so that the keeper has to see that they hang.
 */
export type Way = "killed" | "killed in the handshake" | "stopped";

/** Which mount, and how its servers end. */
export interface KillOptions {
  readonly mountpoint: string;
  readonly keeper: number;
  readonly kills: number;
  /** Milliseconds that a server lives for at most, from its first answer on. */
  readonly longest: number;
  /** Default "killed". */
  readonly way?: Way;
}

/** How long a server takes to begin, in milliseconds, or a little less. */
const HANDSHAKE = 300;

/**
 * Ends servers while all of `works` go on side by side, and returns when each has ended after the last of them. Where they
 * are killed, one in eight is before it answers. @throws what a work throws.
 */
export async function killDuring(works: readonly Work[], options: KillOptions): Promise<Kills> {
  const { mountpoint, keeper, kills, longest, way = "killed" } = options;
  let goesOn = true;
  const repeat = async (work: Work) => {
    try {
      do await work(); while (goesOn);
    } finally {
      // What one finds wrong ends all.
      goesOn = false;
    }
  };
  const working = Promise.allSettled(works.map(repeat));
  const pauses: number[] = [];
  let count = 0;
  while (goesOn && count < kills) {
    await pause(Math.random() * longest);
    const begun = performance.now();
    count += await endServers(keeper, way);
    // Never answered from a cache.
    await statfs(mountpoint);
    pauses.push(performance.now() - begun);
    if (pauses.length % 100 === 0) console.log(`${count} servers ended, ${describePauses(pauses)}`);
  }
  goesOn = false;
  const failed = (await working).find(({ status }) => status === "rejected");
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  return { count, pauses };
}

/** Their middle and their worst but for one in a hundred. */
export function describePauses(pauses: readonly number[]): string {
  const sorted = pauses.toSorted((one, other) => one - other);
  const [median, worst] = [percentile(sorted, 50), percentile(sorted, 99)].map(Math.round);
  return `pauses of ${median} ms in the median, ${worst} ms at the 99th percentile`;
}

/** Ends the server that serves, and those after it that are not to serve. Returns how many those were. */
async function endServers(keeper: number, way: Way): Promise<number> {
  endServer(keeper, way === "stopped" ? "SIGSTOP" : "SIGKILL");
  let count = 1;
  const again = { "killed": 1 / 8, "killed in the handshake": 3 / 4, "stopped": 0 }[way];
  for (; Math.random() < again; count++) {
    await pause(Math.random() * HANDSHAKE);
    endServer(keeper, "SIGKILL");
  }
  return count;
}

/** Kills what serves now, if something does. */
export function killServer(keeper: number): void {
  endServer(keeper, "SIGKILL");
}

/** Kills the server of `kept`, and waits until another serves. */
export async function replaceServer({ kept }: { readonly kept: KeptMount }): Promise<void> {
  const { restarts } = kept.server;
  killServer(kept.keeper);
  await waitFor("another server", () => kept.server.restarts > restarts);
}

/** The same for a mount of the tool: waits until there is another process. */
export async function replaceServerOf(keeper: number): Promise<void> {
  const [before] = serversOf(keeper);
  killServer(keeper);
  await waitFor("another server", () => serversOf(keeper).some((server) => server !== before));
}

function endServer(keeper: number, signal: Deno.Signal): void {
  for (const pid of serversOf(keeper)) {
    try {
      Deno.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Of sorted figures the one that so many in a hundred do not exceed. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0;
}
