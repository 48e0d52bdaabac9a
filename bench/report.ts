/** The figures as text: tables with medians, spreads and ratios. */
import {
  meanRatio,
  peersOf,
  type Section,
  sectionsOf,
  type Target,
  targetsOf,
  titleOf,
  valuesFor,
  workOf,
  workRatio,
} from "./comparison.ts";
import type { Conditions, Figures, ServerCost } from "./figures.ts";
import { type By, median, RATIOS, spread } from "./statistics.ts";
import type { WakeUp } from "./wake_up.ts";

/** Characters of a line, at most, and between two columns. */
const WIDEST = 160;
const GAP = "  ";

/** All of it; `by` says how peers are compared. */
export function reportText(figures: Figures, by: By = "median"): string {
  return [
    conditionsText(figures.conditions),
    ...sectionsOf(figures).flatMap((section) => sectionText(figures, section, by)),
    ...figures.servers.length === 0 ? [] : [serversText(figures)],
    "What was to be reached, by medians (and by the fastest rounds)\n" + table(targetsOf(figures).map(targetCells)),
    listText("Not measured", figures.missing),
    listText("Did not work", figures.failures),
  ].filter((part) => part !== "").join("\n\n") + "\n";
}

function conditionsText(conditions: Conditions): string {
  const { date, kernel, deno, cores, load, rounds, programRounds, milliseconds, listed, files } = conditions;
  return `${date}, Linux ${kernel}, Deno ${deno}, ${cores} cores, load ${load.map((one) => one.toFixed(1)).join(" to ")}
${
    wakeUpText(conditions.wakeUp)
  }${rounds} rounds in alternating order, ${milliseconds} ms for each operation, of which readdir lists ${listed} entries
${programRounds} rounds of programs, on ${files} files`;
}

function wakeUpText(wakeUp: WakeUp | undefined): string {
  if (wakeUp === undefined) return "";
  const other = wakeUp.otherCore === undefined ? "" : `, ${wakeUp.otherCore.toFixed(1)} on another`;
  return `a byte to a process that sleeps, and back: ${wakeUp.sameCore.toFixed(1)} µs on the same core${other}\n`;
}

/** Whom the table of ratios is about: C's own example, or else the first there is. */
export function referenceOf(figures: Figures, section: Section): string {
  const peers = peersOf(figures, section);
  return (peers.find(({ name }) => name === "c") ?? peers[0])?.name ?? "";
}

function sectionText(figures: Figures, section: Section, by: By): string[] {
  const ratio = RATIOS[by];
  const work = workOf(figures, section);
  const peers = peersOf(figures, section).map(({ name }) => name);
  const reference = referenceOf(figures, section);
  const medians = peers.map((peer) => [
    peer,
    ...work.map((one) => medianCell(valuesFor(figures, section, one, peer))),
  ]);
  const ratios = peers.map((peer) => [
    peer,
    ...work.map((one) => ratioCell(workRatio(figures, section, one, peer, reference, ratio))),
    ratioCell(meanRatio(figures, section, peer, reference, work, ratio)),
  ]);
  const means = peers.map((peer) => [
    peer,
    ...peers.map((other) => ratioCell(meanRatio(figures, section, peer, other, work, ratio))),
  ]);
  return [
    `${titleOf(section)}: medians and spreads\n${table([["", ...work], ...medians])}`,
    `The same as ratios to ${reference}, by ${NAMES[by]}\n${table([["", ...work, "mean"], ...ratios])}`,
    `Geometric means of the ratios of each peer (row) to each other (column)\n${table([["", ...peers], ...means])}`,
  ];
}

const NAMES: Readonly<Record<By, string>> = { median: "medians", fastest: "the fastest rounds" };

/** The median, and how far in percent the rounds are from it. */
function medianCell(values: readonly number[]): string {
  const there = values.filter((value) => !Number.isNaN(value));
  if (there.length === 0) return "-";
  const middle = median(there);
  return `${middle.toFixed(middle < 10 ? 2 : middle < 1000 ? 1 : 0)} ±${(spread(there) * 100).toFixed(0)}%`;
}

function ratioCell(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(2);
}

function serversText({ servers, perLoop }: Figures): string {
  const work = [...new Set(servers.flatMap(({ memory }) => Object.keys(memory)))];
  const cells = ({ peer, ready, memory, idle }: ServerCost) => [
    peer,
    ready.length === 0 ? "-" : median(ready).toFixed(0),
    idle === undefined ? "-" : idle.toFixed(1),
    ...work.map((one) => String(memory[one] ?? "-")),
  ];
  const rows = [["", "ready ms", "idle ms/s", ...work.map((one) => one === "start" ? "MiB: start" : one)]];
  const text = `Servers: from the command to the mount, processor time when idle, memory in MiB after each work
${table([...rows, ...servers.map(cells)])}`;
  return perLoop === undefined ? text : `${text}\nEach further loop: ${perLoop.toFixed(1)} MiB`;
}

function targetCells({ goal, atMost, reached, fastest, who, limit }: Target): string[] {
  if (reached === undefined) return [goal, `at most ${atMost}`, "not measured"];
  const figure = reached < 10 ? reached.toFixed(2) : reached.toFixed(0);
  return [
    goal,
    `at most ${atMost}`,
    `${figure} ${Number(figure) <= atMost ? "yes" : "NO"}`,
    fastest === undefined ? "" : `(${fastest.toFixed(2)})`,
    limit === undefined ? "" : `limit ${limit.toFixed(2)}`,
    who ?? "",
  ];
}

function listText(title: string, reasons: Readonly<Record<string, string>>): string {
  const lines = Object.entries(reasons).map(([what, reason]) => `  ${what}: ${reason.split("\n")[0]}`);
  return lines.length === 0 ? "" : [title, ...lines].join("\n");
}

/** Columns as wide as their cells; the first to the left. What is too wide for a line goes on below. */
function table(rows: readonly (readonly string[])[]): string {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, nth) => Math.max(...rows.map((row) => (row[nth] ?? "").length)));
  const line = (row: readonly string[], columns: readonly number[]) =>
    [(row[0] ?? "").padEnd(widths[0]!), ...columns.map((nth) => (row[nth] ?? "").padStart(widths[nth]!))]
      .join(GAP).trimEnd();
  return fold(widths).map((columns) => rows.map((row) => line(row, columns)).join("\n")).join("\n\n");
}

/** The columns after the first, in as few tables as fit beside it. */
function fold([first = 0, ...widths]: readonly number[]): number[][] {
  const tables: number[][] = [];
  let used = Infinity;
  widths.forEach((width, nth) => {
    used += GAP.length + width;
    if (used > WIDEST) {
      tables.push([]);
      used = first + GAP.length + width;
    }
    tables.at(-1)!.push(nth + 1);
  });
  return tables;
}
