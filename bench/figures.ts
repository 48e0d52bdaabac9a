/** What a run of the benchmark found, as it is written to JSON. */
import type { Caching, Kind } from "./peer.ts";
import type { WakeUp } from "./wake_up.ts";

export const GROUPS = ["metadata", "data", "fio", "programs"] as const;
/** What is alike enough to have one mean. */
export type Group = typeof GROUPS[number];

/** Where and how it was measured. */
export interface Conditions {
  readonly date: string;
  readonly kernel: string;
  readonly deno: string;
  readonly cores: number;
  /** Load averages of a minute, at the start and at the end: much more than the clients' number says what to doubt. */
  readonly load: [before: number, after: number];
  /** Figures from before this was measured have none. */
  readonly wakeUp?: WakeUp;
  /** Of operations. */
  readonly rounds: number;
  readonly programRounds: number;
  /** Of each operation in each round. */
  readonly milliseconds: number;
  /** Entries that one `readdir` lists. */
  readonly listed: number;
  /** In the tree that programs work on. */
  readonly files: number;
}

export interface MeasuredPeer {
  readonly name: string;
  readonly kind: Kind;
  readonly about: string;
}

/** A kind of work by one peer. */
export interface Row {
  readonly group: Group;
  readonly caching: Caching;
  readonly clients: number;
  readonly work: string;
  readonly peer: string;
  /** One for each round: microseconds per operation, or milliseconds of a program; `null` where it failed. */
  readonly values: (number | null)[];
}

/** What one server took. */
export interface ServerCost {
  readonly peer: string;
  /** From the command to a mount that answers, in milliseconds, one for each start. */
  readonly ready: number[];
  /** MiB of resident memory after each kind of work, the last that was seen. */
  readonly memory: Record<string, number>;
  /** Milliseconds of processor time in a second in which nobody asks for anything. */
  idle?: number;
}

export interface Figures {
  conditions: Conditions;
  readonly peers: MeasuredPeer[];
  readonly rows: Row[];
  readonly servers: ServerCost[];
  /** MiB that each further loop takes, where measured. */
  perLoop?: number;
  /** Who or what could not be had, and why. */
  readonly missing: Record<string, string>;
  /** What did not work: the reason by `peer, caching: work`. */
  readonly failures: Record<string, string>;
}

/** Adds what one round found; an error is a failure that is told once. */
export function record(figures: Figures, key: Omit<Row, "values">, found: number | Error): void {
  const { group, caching, clients, work, peer } = key;
  let row = find(figures, key);
  if (row === undefined) figures.rows.push(row = { group, caching, clients, work, peer, values: [] });
  row.values.push(found instanceof Error ? null : found);
  if (found instanceof Error) figures.failures[`${peer}, caches ${caching}: ${work}`] ??= found.message;
}

/** The row of that key. */
export function find({ rows }: Figures, key: Omit<Row, "values">): Row | undefined {
  return rows.find((row) =>
    row.work === key.work && row.peer === key.peer && row.caching === key.caching && row.clients === key.clients &&
    row.group === key.group
  );
}

/** A row's values by round, NaN where it failed; none for a row that is not there or never succeeded. */
export function valuesOf(row: Row | undefined): number[] {
  const values = (row?.values ?? []).map((value) => value ?? NaN);
  return values.every(Number.isNaN) ? [] : values;
}

/** The costs of a peer's server, to be added to. */
export function costOf(figures: Figures, peer: string): ServerCost {
  let cost = figures.servers.find((one) => one.peer === peer);
  if (cost === undefined) figures.servers.push(cost = { peer, ready: [], memory: {} });
  return cost;
}
