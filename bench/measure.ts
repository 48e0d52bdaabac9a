/** Runs the chosen work on the chosen peers, in turns: every round goes through all peers, in another order. */
import { costOf, type Figures, type Group, record } from "./figures.ts";
import { FIO_WORK, noFio, runFio } from "./fio.ts";
import { OPERATIONS, prepareFiles, runOperations } from "./operations.ts";
import { withLoops } from "./our_peers.ts";
import type { Caching, Peer } from "./peer.ts";
import { copyRepository, makeRepository, missingProgram, runShell, WORK, type Work } from "./programs.ts";
import { compile } from "./run_program.ts";
import { measureStart, type Server, startServer } from "./server.ts";
import { measureWakeUp } from "./wake_up.ts";

/** What is to be measured. */
export interface Plan {
  readonly peers: readonly Peer[];
  readonly cachings: readonly Caching[];
  /** How many clients there are at once, one number after another. */
  readonly clients: readonly number[];
  /** Whether an operation or program is wanted. */
  readonly wants: (work: string, group: Group) => boolean;
  readonly rounds: number;
  /** Of programs and fio. */
  readonly programRounds: number;
  readonly milliseconds: number;
  readonly listed: number;
  readonly files: number;
}

/** Milliseconds between two programs on the same files: what the kernel knew of them has grown old then. */
const ATTRIBUTES_GROW_OLD = 1100;
/** Why there is no figure of a server that ended, or whose mount somebody took away. */
const GONE = "its mount is gone";
const IDLE_MILLISECONDS = 1000;
const MORE_LOOPS = 5;
/** How often each peer is started to see how soon it is there, after once that is not counted: it may compile then. */
const STARTS = 5;

/** What a run begins with. */
export function noFigures(plan: Plan): Figures {
  const conditions = conditionsOf(plan, Deno.loadavg()[0]!);
  return { conditions, peers: [], rows: [], servers: [], missing: {}, failures: {} };
}

/** Measures everything and adds it to `figures`; `say` hears what is going on. */
export async function measure(
  plan: Plan,
  programs: string,
  figures: Figures,
  say: (what: string) => void,
): Promise<void> {
  const wakeUp = await measureWakeUp(programs);
  figures.conditions = { ...figures.conditions, wakeUp };
  await compile(`${programs}/client`, new URL("client.c", import.meta.url));
  const peers = await availablePeers(plan.peers, programs, figures);
  figures.peers.push(...peers.map(({ name, kind, about }) => ({ name, kind, about })));
  await measureStarts(peers, plan.cachings[0]!, programs, figures, say);
  const operations = await wantedOperations(plan, programs, figures);
  if (operations.length > 0) {
    for (const caching of plan.cachings) {
      await measureOperations(plan, peers, operations, caching, programs, figures, say);
    }
  }
  const work = await wantedPrograms(plan, figures);
  if (work.length > 0) await measurePrograms(plan, peers, work, programs, figures, say);
  if (peers.some(({ name }) => name === "loops-1")) figures.perLoop = await measureLoops(programs);
  figures.conditions = { ...conditionsOf(plan, figures.conditions.load[0]), wakeUp };
}

/** Operations that one run of a client does on one peer. */
interface Operations {
  readonly group: Group;
  readonly names: readonly string[];
  readonly rounds: number;
  run(path: string, clients: number, names: readonly string[]): ReturnType<typeof runOperations>;
}

/** What is wanted of the client in C and of fio; without fio it is written down as missing. */
async function wantedOperations(plan: Plan, programs: string, figures: Figures): Promise<Operations[]> {
  const { rounds, programRounds, milliseconds } = plan;
  const run = (path: string, clients: number, names: readonly string[]) =>
    runOperations(`${programs}/client`, path, clients, milliseconds, names);
  const fio = (path: string, clients: number, names: readonly string[]) => runFio(path, clients, milliseconds, names);
  const all: Operations[] = [
    { group: "metadata", names: OPERATIONS.metadata, rounds, run },
    { group: "data", names: OPERATIONS.data, rounds, run },
    { group: "fio", names: FIO_WORK, rounds: programRounds, run: fio },
  ];
  const wanted = all.map((one) => ({ ...one, names: one.names.filter((name) => plan.wants(name, one.group)) }))
    .filter(({ names }) => names.length > 0);
  const reason = wanted.some(({ group }) => group === "fio") ? await noFio() : undefined;
  if (reason === undefined) return wanted;
  figures.missing.fio = reason;
  return wanted.filter(({ group }) => group !== "fio");
}

/** The programs that are wanted and here; the others are written down as missing. */
async function wantedPrograms(plan: Plan, figures: Figures): Promise<Work[]> {
  const wanted: Work[] = [];
  for (const work of WORK.filter(({ name }) => plan.wants(name, "programs"))) {
    const reason = await missingProgram(work);
    if (reason === undefined) wanted.push(work);
    else figures.missing[work.name] = reason;
  }
  return wanted;
}

function conditionsOf(
  { rounds, programRounds, milliseconds, listed, files }: Plan,
  before: number,
): Figures["conditions"] {
  return {
    date: new Date().toISOString().slice(0, 16),
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    cores: navigator.hardwareConcurrency,
    load: [before, Deno.loadavg()[0]!],
    rounds,
    programRounds,
    milliseconds,
    listed,
    files,
  };
}

async function availablePeers(peers: readonly Peer[], programs: string, figures: Figures): Promise<Peer[]> {
  const available: Peer[] = [];
  for (const peer of peers) {
    const reason = await peer.unavailable?.(programs);
    if (reason === undefined) available.push(peer);
    else figures.missing[peer.name] = reason;
  }
  return available;
}

/** How soon each peer is there, one at a time; who cannot start is written down as missing. */
async function measureStarts(
  peers: readonly Peer[],
  caching: Caching,
  programs: string,
  figures: Figures,
  say: (what: string) => void,
): Promise<void> {
  say("starts");
  for (const peer of peers.filter(({ command }) => command !== undefined)) {
    try {
      await measureStart(peer, caching, programs);
      const { ready } = costOf(figures, peer.name);
      while (ready.length < STARTS) ready.push(await measureStart(peer, caching, programs));
    } catch (error) {
      figures.missing[peer.name] = `caches ${caching}: ${(error as Error).message}`;
    }
  }
}

/** Starts all peers; who cannot start is written down as missing. */
async function startAll(
  peers: readonly Peer[],
  caching: Caching,
  programs: string,
  fill: (path: string) => Promise<void>,
  figures: Figures,
  resources: AsyncDisposableStack,
): Promise<Server[]> {
  const servers: Server[] = [];
  for (const peer of peers) {
    try {
      const server = resources.use(await startServer(peer, caching, programs, fill));
      servers.push(server);
      noteMemory(figures, server, "start");
    } catch (error) {
      figures.missing[peer.name] = `caches ${caching}: ${(error as Error).message}`;
    }
  }
  return servers;
}

function noteMemory(figures: Figures, server: Server, work: string): void {
  const memory = server.memory();
  if (memory !== undefined) costOf(figures, server.peer.name).memory[work] = Math.round(memory);
}

/** All of `servers`, forth in even rounds and back in odd ones, and each pair of rounds begins with another one. */
function inTurn(servers: readonly Server[], round: number): readonly Server[] {
  const first = (round >> 1) % servers.length;
  const order = [...servers.slice(first), ...servers.slice(0, first)];
  return round % 2 === 0 ? order : order.reverse();
}

async function measureOperations(
  plan: Plan,
  peers: readonly Peer[],
  operations: readonly Operations[],
  caching: Caching,
  programs: string,
  figures: Figures,
  say: (what: string) => void,
): Promise<void> {
  say(`operations, caches ${caching}`);
  await using resources = new AsyncDisposableStack();
  const client = `${programs}/client`;
  const fill = (path: string) => prepareFiles(client, path, Math.max(...plan.clients), plan.listed);
  const servers = await startAll(peers, caching, programs, fill, figures, resources);
  // Not counted: a server's first thousand requests are its slowest.
  for (const { path } of servers) {
    await runOperations(client, path, 1, plan.milliseconds, OPERATIONS.metadata);
    await runOperations(client, path, 1, plan.milliseconds, OPERATIONS.data);
  }
  for (const clients of plan.clients) {
    const rounds = Math.max(...operations.map(({ rounds }) => rounds));
    for (let round = 0; round < rounds; round++) {
      say(`operations, caches ${caching}, ${clients} client(s), round ${round + 1} of ${rounds}`);
      for (const { group, names, run } of operations.filter(({ rounds }) => round < rounds)) {
        for (const server of inTurn(servers, round)) {
          const peer = server.peer.name;
          const found = await run(server.path, clients, names);
          const gone = await server.isMounted() ? undefined : new Error(GONE);
          for (const [work, value] of found) record(figures, { group, caching, clients, work, peer }, gone ?? value);
          noteMemory(figures, server, group);
        }
      }
    }
  }
  await measureIdle(servers, figures);
}

/** What servers do when nobody asks for anything. */
async function measureIdle(servers: readonly Server[], figures: Figures): Promise<void> {
  const before = servers.map((server) => server.processorTimes());
  await new Promise((resolve) => setTimeout(resolve, IDLE_MILLISECONDS));
  servers.forEach((server, index) => {
    const after = server.processorTimes();
    // Threads that end take their time with them, and are not counted.
    const spent = [...after].map(([thread, time]) => time - (before[index]!.get(thread) ?? 0));
    if (after.size > 0) costOf(figures, server.peer.name).idle = spent.reduce((sum, time) => sum + time, 0);
  });
}

async function measurePrograms(
  plan: Plan,
  peers: readonly Peer[],
  work: readonly Work[],
  programs: string,
  figures: Figures,
  say: (what: string) => void,
): Promise<void> {
  say("programs");
  await using resources = new AsyncDisposableStack();
  await makeRepository(programs, plan.files);
  const fill = (path: string) => copyRepository(programs, path);
  for (const { name } of peers.filter(({ fileless }) => fileless)) {
    figures.missing[`${name}, programs`] = "it keeps no files";
  }
  const servers = await startAll(
    peers.filter(({ fileless }) => !fileless),
    "default",
    programs,
    fill,
    figures,
    resources,
  );
  for (const { path } of servers) await runShell(programs, path, "git -C repository status --short").catch(() => {});
  const ended = new Map<Server, number>();
  for (let round = 0; round < plan.programRounds; round++) {
    for (const one of work) {
      say(`${one.name}, round ${round + 1} of ${plan.programRounds}`);
      for (const server of inTurn(servers, round)) {
        const wait = (ended.get(server) ?? -Infinity) + ATTRIBUTES_GROW_OLD - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        await measureProgram(programs, server, one, figures);
        ended.set(server, performance.now());
      }
    }
  }
  await measureIdle(servers, figures);
}

async function measureProgram(programs: string, server: Server, work: Work, figures: Figures): Promise<void> {
  const key = { group: "programs", caching: "default", clients: 1, work: work.name, peer: server.peer.name } as const;
  const begin = performance.now();
  const found = await runShell(programs, server.path, work.command).then(
    () => performance.now() - begin,
    (error: Error) => error,
  );
  record(figures, key, await server.isMounted() ? found : new Error(GONE));
  noteMemory(figures, server, work.name);
  if (work.after !== undefined) await runShell(programs, server.path, work.after).catch(() => {});
}

/** MiB of each loop after the first. */
async function measureLoops(programs: string): Promise<number> {
  const memory = async (peer: Peer) => {
    await using server = await startServer(peer, "off", programs);
    await Deno.stat(server.path);
    return server.memory()!;
  };
  const one = await memory(withLoops(1));
  return (await memory(withLoops(MORE_LOOPS)) - one) / (MORE_LOOPS - 1);
}
