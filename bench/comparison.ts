/** Peers against each other, and what was to be reached. */
import { type Figures, find, type Group, type MeasuredPeer, type Row, valuesOf } from "./figures.ts";
import { fastestRatio, geometricMean, median, medianRatio, type Ratio } from "./statistics.ts";

/** What is compared: one table of the report. */
export type Section = Pick<Row, "group" | "caching" | "clients">;

/** The tables there are, in the order of the run. */
export function sectionsOf({ rows }: Figures): Section[] {
  const sections = new Map<string, Section>();
  for (const { group, caching, clients } of rows) {
    sections.set(`${group} ${caching} ${clients}`, { group, caching, clients });
  }
  return [...sections.values()];
}

/** The work of a section, in the order of the run. */
export function workOf({ rows }: Figures, { group, caching, clients }: Section): string[] {
  const there = rows.filter((row) => row.group === group && row.caching === caching && row.clients === clients);
  return [...new Set(there.map(({ work }) => work))];
}

/** Who has a figure in a section. */
export function peersOf(figures: Figures, section: Section): MeasuredPeer[] {
  const work = workOf(figures, section);
  return figures.peers.filter(({ name }) => work.some((one) => valuesFor(figures, section, one, name).length > 0));
}

/** A peer's values by round. */
export function valuesFor(figures: Figures, section: Section, work: string, peer: string): number[] {
  return valuesOf(find(figures, { ...section, work, peer }));
}

/** How many times as long `peer` took as `other`, for one kind of work. */
export function workRatio(
  figures: Figures,
  section: Section,
  work: string,
  peer: string,
  other: string,
  ratio: Ratio = medianRatio,
): number | undefined {
  return ratio(valuesFor(figures, section, work, peer), valuesFor(figures, section, work, other));
}

/** The geometric mean of the ratios of all work that both did, or of the work named. */
export function meanRatio(
  figures: Figures,
  section: Section,
  peer: string,
  other: string,
  work: readonly string[] = workOf(figures, section),
  ratio: Ratio = medianRatio,
): number | undefined {
  const ratios = work.map((one) => workRatio(figures, section, one, peer, other, ratio))
    .filter((one) => one !== undefined);
  return ratios.length === 0 ? undefined : geometricMean(ratios);
}

/** A goal, what was reached, and by whom against whom; without `reached` somebody was not measured. */
export interface Target {
  readonly goal: string;
  readonly atMost: number;
  readonly reached?: number;
  /** The same of the fastest rounds. */
  readonly fastest?: number;
  readonly who?: string;
  /** What a server that answers at once would have reached, by medians. */
  readonly limit?: number;
}

type Reached = Pick<Target, "reached" | "fastest" | "who" | "limit">;

type Choice = (peer: MeasuredPeer) => boolean;

/** Over the device. */
const isC: Choice = ({ kind, name }) => kind === "C" && name !== "hp-uring";
const isNamed = (...names: string[]): Choice => ({ name }) => names.includes(name);
/** Passthrough over loops, likewise. */
const isOurs: Choice = ({ name }) => name.startsWith("loops-");
/** The limit of the same transport. */
const limitOf = ({ name }: MeasuredPeer) => (name === "hp-uring" ? "limit-uring" : "limit");
const REAL_WORK = ["tar", "git_status", "git_checkout", "grep", "find", "build"];
const LARGE = ["read1m", "random_read1m", "write1m", "random_write1m"];

/** What is to be reached, and how far it is. Of several peers the fastest counts, on both sides. */
export function targetsOf(figures: Figures): Target[] {
  const { cores } = figures.conditions;
  const metadata = { group: "metadata", caching: "off", clients: 1 } as const;
  const data = { group: "data", caching: "best", clients: 1 } as const;
  const programs = { group: "programs", caching: "default", clients: 1 } as const;
  const best = (goal: string, atMost: number, section: Section, ours: Choice, theirs: Choice, work?: string[]) => ({
    goal,
    atMost,
    ...compareBest(figures, section, ours, theirs, work),
  });
  return [
    best("metadata, caches off, one client: best C/C++ peer", 1.0, metadata, isOurs, isC),
    best(`metadata, caches off, ${cores} clients: best C/C++ peer`, 0.9, { ...metadata, clients: cores }, isOurs, isC),
    best("tar, git, grep, find, build: best C/C++ peer", 1.0, programs, isOurs, isC, REAL_WORK),
    best("large reads and writes, passed through: host", 1.03, data, isOurs, isNamed("host"), LARGE),
    best(
      "data, not passed through: best C/C++ peer without it",
      1.0,
      data,
      isNamed("read-here"),
      (peer) => isC(peer) && peer.name !== "hp",
    ),
    best("placement handler, one client: C with one thread", 1.5, metadata, isNamed("handler"), isNamed("c-single")),
    best(
      "io_uring, metadata, one client: passthrough_hp over io_uring",
      0.85,
      metadata,
      isNamed("uring"),
      isNamed("hp-uring"),
    ),
    best(
      `io_uring, metadata, ${cores} clients: the same`,
      0.8,
      { ...metadata, clients: cores },
      isNamed("uring"),
      isNamed("hp-uring"),
    ),
    {
      goal: "anything: JavaScript and Python libraries (worst mean)",
      atMost: 0.5,
      ...worst(figures, isOurs, isNamed("pyfuse3", "fuse-native")),
    },
    { goal: "mount ready, milliseconds", atMost: 150, ...readyOf(figures) },
    { goal: "idle, milliseconds of processor time in a second", atMost: 0, ...idleOf(figures) },
  ];
}

/** The ratio of the fastest of ours to the fastest of theirs, each by its mean. */
function compareBest(
  figures: Figures,
  section: Section,
  ours: Choice,
  theirs: Choice,
  work: readonly string[] = workOf(figures, section),
): Reached {
  const peers = peersOf(figures, section);
  const yardstick = peers[0]?.name ?? "";
  const fastest = (choice: Choice) =>
    peers.filter(choice)
      .map((peer) => ({ ...peer, mean: meanRatio(figures, section, peer.name, yardstick, work) ?? Infinity }))
      .sort((one, other) => one.mean - other.mean)[0];
  const [mine, other] = [fastest(ours), fastest(theirs)];
  if (mine === undefined || other === undefined) return {};
  const reached = meanRatio(figures, section, mine.name, other.name, work);
  const best = meanRatio(figures, section, mine.name, other.name, work, fastestRatio);
  const limit = other.kind === "C" ? meanRatio(figures, section, limitOf(other), other.name, work) : undefined;
  const who = `${mine.name} / ${other.name}`;
  return reached === undefined ? {} : { reached, fastest: best!, who, ...limit !== undefined && { limit } };
}

/** The largest mean ratio of the fastest of ours to one of theirs, over all sections. */
function worst(figures: Figures, ours: Choice, theirs: Choice): Reached {
  const found = sectionsOf(figures).map((section) => {
    const { who, ...found } = compareBest(figures, section, ours, theirs);
    return { ...found, who: `${who} (${section.group}, ${section.caching}, ${section.clients})` };
  }).filter(({ reached }) => reached !== undefined);
  const [largest] = found.sort((one, other) => other.reached! - one.reached!);
  return largest ?? {};
}

function readyOf({ servers }: Figures): Reached {
  const cost = servers.find(({ peer, ready }) =>
    isOurs({ name: peer, kind: "trellis", about: "" }) && ready.length > 0
  );
  return cost === undefined ? {} : { reached: median(cost.ready), who: cost.peer };
}

function idleOf({ servers }: Figures): Reached {
  const cost = servers.find(({ peer, idle }) =>
    isOurs({ name: peer, kind: "trellis", about: "" }) && idle !== undefined
  );
  return cost === undefined ? {} : { reached: Math.round(cost.idle!), who: cost.peer };
}

/** What a section is called. */
export function titleOf({ group, caching, clients }: Section): string {
  const units: Record<Group, string> = {
    metadata: "microseconds per operation",
    data: "microseconds per operation",
    fio: "microseconds per operation",
    programs: "milliseconds",
  };
  return `${group}, caches ${caching}, ${clients} ${clients === 1 ? "client" : "clients"}, ${units[group]}`;
}
