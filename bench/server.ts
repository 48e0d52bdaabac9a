/** A peer that runs: its mount, and what its processes take; and how soon it is there. */
import type { Caching, Peer, Place } from "./peer.ts";
import { unmount, waitForMount } from "./run_program.ts";

export interface Server extends AsyncDisposable {
  readonly peer: Peer;
  /** Where its files are. */
  readonly path: string;
  /** Whether it is still there; what a client does after that is done to an empty folder of the host. */
  isMounted(): Promise<boolean>;
  /** Resident memory of its processes in MiB. Missing without a server, or when it has ended. */
  memory(): number | undefined;
  /** Processor time in milliseconds of each thread that there is, by its number. None without a server. */
  processorTimes(): ReadonlyMap<string, number>;
}

/**
 * Starts a peer on a source, mountpoint and scratch directory of its own in `programs`, after `fill` made the files that
 * it shows: in the source, or through the mount where there is no source. Resolves when all of it has begun.
 * @throws {Error} when nothing gets mounted.
 */
export async function startServer(
  peer: Peer,
  caching: Caching,
  programs: string,
  fill: (path: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<Server> {
  await using resources = new AsyncDisposableStack();
  const place = await makePlace(peer, programs, resources);
  const { source, mountpoint } = place;
  if (!peer.sourceless) await fill(source);
  if (peer.command === undefined) {
    const held = resources.move();
    return {
      peer,
      path: source,
      isMounted: () => Promise.resolve(true),
      memory: () => undefined,
      processorTimes: () => new Map(),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  }
  const { pid } = await startProcess(peer, caching, place, resources);
  const path = peer.folder === undefined ? mountpoint : `${mountpoint}/${peer.folder}`;
  if (peer.sourceless) await fill(path);
  await settle(pid);
  const { dev } = await Deno.stat(mountpoint);
  const held = resources.move();
  return {
    peer,
    path,
    isMounted: () => Deno.stat(mountpoint).then((found) => found.dev === dev, () => false),
    memory: () => memoryOf(processesOf(pid)),
    processorTimes: () => new Map(processesOf(pid).flatMap((process) => [...processorTimesOf(process)])),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/**
 * How long a peer that has a server takes from its command to the mount that answers, in milliseconds; it is ended then.
 * @throws {Error} when nothing gets mounted.
 */
export async function measureStart(peer: Peer, caching: Caching, programs: string): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const { ready } = await startProcess(peer, caching, await makePlace(peer, programs, resources), resources);
  return ready;
}

/** Empty directories for a peer, which go with `resources`. */
async function makePlace(peer: Peer, programs: string, resources: AsyncDisposableStack): Promise<Place> {
  const make = async (kind: string) =>
    resources.adopt(
      await Deno.makeTempDir({ dir: programs, prefix: `${peer.name}-${kind}-` }),
      (path) => Deno.remove(path, { recursive: true }),
    );
  return { programs, source: await make("source"), mountpoint: await make("mount"), scratch: await make("scratch") };
}

async function startProcess(
  peer: Peer,
  caching: Caching,
  place: Place,
  resources: AsyncDisposableStack,
): Promise<{ pid: number; ready: number }> {
  const [program, ...args] = await peer.command!(place, caching);
  const begin = performance.now();
  const server = new Deno.Command(program!, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const words = new Response(server.stderr).text();
  resources.defer(async () => {
    await unmount(place.mountpoint).catch(() => {});
    const patience = setTimeout(() => server.kill("SIGKILL"), 5000);
    await server.status;
    clearTimeout(patience);
  });
  await waitForMount(place.mountpoint, server.status).catch(async (error: Error) => {
    if (error.message.includes("ended")) error.message += `: ${(await words).trim().slice(0, 300)}`;
    throw error;
  });
  await Deno.stat(place.mountpoint);
  return { pid: server.pid, ready: performance.now() - begin };
}

/** How long memory that stands still has to. */
const STILL_MILLISECONDS = 200;

/**
 * Resolves when the memory of a server stands still, to a MiB: what it begins when its mount is ready already, as Trellis
 * its further loops, is there then.
 */
async function settle(pid: number): Promise<void> {
  const memory = () => memoryOf(processesOf(pid)) ?? 0;
  for (let before = 0, now = memory(); now - before >= 1;) {
    await new Promise((resolve) => setTimeout(resolve, STILL_MILLISECONDS));
    [before, now] = [now, memory()];
  }
}

/** The process and those that it has started, as a keeper its server. */
function processesOf(pid: number): number[] {
  const threads = ifThere(() => [...Deno.readDirSync(`/proc/${pid}/task`)]) ?? [];
  const children = threads.flatMap(({ name }) => {
    const text = ifThere(() => Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`)) ?? "";
    return text.split(" ").filter((word) => word.trim() !== "").map(Number);
  });
  return [pid, ...children.flatMap(processesOf)];
}

function memoryOf(pids: readonly number[]): number | undefined {
  const statuses = pids.map((pid) => ifThere(() => Deno.readTextFileSync(`/proc/${pid}/status`)));
  const kilobytes = statuses.map((status) => /^VmRSS:\s+(\d+)/m.exec(status ?? "")?.[1]);
  return kilobytes[0] === undefined ? undefined : kilobytes.reduce((sum, word) => sum + Number(word ?? 0), 0) / 1024;
}

/** By schedstat(5), which counts nanoseconds; the ticks of /proc/PID/stat are too coarse for what idles. */
function processorTimesOf(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name } of ifThere(() => [...Deno.readDirSync(`/proc/${pid}/task`)]) ?? []) {
    const schedstat = ifThere(() => Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`));
    if (schedstat !== undefined) times.set(name, Number(schedstat.split(" ")[0]) / 1e6);
  }
  return times;
}

/** What is read of a process or thread; undefined when it has ended. */
function ifThere<Read>(read: () => Read): Read | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
