/** What the command line of the benchmark may say. */
import { parseArgs } from "node:util";
import { GROUPS } from "./figures.ts";
import { FIO_WORK } from "./fio.ts";
import type { Plan } from "./measure.ts";
import { OPERATIONS } from "./operations.ts";
import { type Caching, CACHINGS } from "./peer.ts";
import { PEERS, USUAL_PEERS } from "./peers.ts";
import { WORK } from "./programs.ts";
import { type By, RATIOS } from "./statistics.ts";

export const USAGE = `Usage: deno task bench [options]

Measures Trellis against the host and other FUSE servers. Without options a short run, of a minute or two.

  --long              longer rounds, more files, all peers, and fio: forty minutes or so
  --peers=A,B         whom to measure: names of --list, "usual" or "all"
  --work=A,B          what: metadata, data, fio, programs, or names of --list
  --clients=1,2       how many clients at once, one number after another (1 and the number of cores)
  --caching=off,best  with the kernel's caches off, as each server has them by default, or at their best, one after
                      another (off and best); programs run with the defaults
  --rounds=N          how often everything is repeated
  --milliseconds=N    how long each operation is repeated in a round
  --by=WHAT           compare by the "median" or the "fastest" round (for a machine that does other things, too)
  --json=FILE         write all figures there
  --svg=FILE          write a picture there
  --from=FILE         measure nothing, and take the figures of an earlier --json
  --list              who and what there is
`;

const SHORT = {
  rounds: 12,
  programRounds: 3,
  milliseconds: 8,
  listed: 500,
  files: 1000,
  peers: "usual",
  work: ["metadata", "data", "programs"],
} as const;
const LONG = {
  rounds: 3,
  programRounds: 2,
  milliseconds: 20,
  listed: 10_000,
  files: 10_000,
  peers: "all",
  work: GROUPS,
} as const;

export interface Options {
  readonly plan: Plan;
  readonly list: boolean;
  readonly by: By;
  readonly json?: string;
  readonly svg?: string;
  readonly from?: string;
}

/** @throws {Error} that says what cannot be understood. */
export function readOptions(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      long: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      peers: text,
      work: text,
      clients: text,
      caching: text,
      rounds: text,
      milliseconds: text,
      by: text,
      json: text,
      svg: text,
      from: text,
    },
  });
  const size = values.long ? LONG : SHORT;
  const wanted: readonly string[] = values.work === undefined ? size.work : listOf("--work", values.work, WORK_NAMES);
  return {
    plan: {
      peers: choosePeers(values.peers ?? size.peers),
      cachings: listOf("--caching", values.caching ?? "off,best", CACHINGS) as Caching[],
      clients: values.clients === undefined
        ? [...new Set([1, navigator.hardwareConcurrency])]
        : values.clients.split(",").map((text) => count("--clients", text, 64)),
      wants: (work, group) => wanted.includes(group) || wanted.includes(work),
      rounds: count("--rounds", values.rounds ?? String(size.rounds), 1000),
      programRounds: count("--rounds", values.rounds ?? String(size.programRounds), 1000),
      milliseconds: count("--milliseconds", values.milliseconds ?? String(size.milliseconds), 60_000),
      listed: size.listed,
      files: size.files,
    },
    list: values.list,
    by: listOf("--by", values.by ?? "median", Object.keys(RATIOS))[0] as By,
    ...values.json !== undefined && { json: values.json },
    ...values.svg !== undefined && { svg: values.svg },
    ...values.from !== undefined && { from: values.from },
  };
}

const WORK_NAMES: readonly string[] = [
  ...GROUPS,
  ...Object.values(OPERATIONS).flat(),
  ...FIO_WORK,
  ...WORK.map(({ name }) => name),
];

function choosePeers(text: string): Plan["peers"] {
  if (text === "all") return PEERS;
  const names = text === "usual" ? USUAL_PEERS : listOf("--peers", text, PEERS.map(({ name }) => name));
  return PEERS.filter(({ name }) => names.includes(name));
}

function listOf(option: string, text: string, known: readonly string[]): string[] {
  const names = text.split(",");
  for (const name of names) {
    if (!known.includes(name)) throw new Error(`${option}: there is no "${name}"; there are ${known.join(", ")}`);
  }
  return names;
}

function count(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${option}: "${text}" is no whole number from 1 to ${most}`);
  }
  return value;
}

/** Who and what there is, for `--list`. */
export function listText(): string {
  const line = (name: string, about: string) => `  ${name.padEnd(14)}${about}`;
  return [
    "Peers",
    ...PEERS.map(({ name, about }) => line(name, about)),
    "Work",
    ...Object.entries(OPERATIONS).map(([group, operations]) => line(group, operations.join(" "))),
    line("fio", FIO_WORK.join(" ")),
    line("programs", WORK.map(({ name }) => name).join(" ")),
  ].join("\n") + "\n";
}
