/** What the benchmark makes of its figures: statistics, comparisons, tables, picture. */
import { meanRatio, targetsOf, workRatio } from "../../bench/comparison.ts";
import { costOf, type Figures, record, type Row } from "../../bench/figures.ts";
import { type Options, readOptions } from "../../bench/options.ts";
import { plotSvg } from "../../bench/plot.ts";
import { reportText } from "../../bench/report.ts";
import { fastestRatio, geometricMean, median, medianRatio, spread } from "../../bench/statistics.ts";
import { assert, assertAlmostEquals, assertEquals, assertMatch, assertThrows } from "../deps.ts";

const METADATA = { group: "metadata", caching: "off", clients: 1 } as const;

function makeFigures(): Figures {
  return {
    conditions: {
      date: "2026-01-01T00:00",
      kernel: "6.18",
      deno: "2.9",
      cores: 2,
      load: [0.5, 1],
      rounds: 3,
      programRounds: 1,
      milliseconds: 10,
      listed: 500,
      files: 1000,
    },
    peers: [
      { name: "host", kind: "host", about: "" },
      { name: "c", kind: "C", about: "libfuse's C passthrough_ll, as many threads as it likes" },
      { name: "mergerfs", kind: "C", about: "" },
      { name: "loops-1", kind: "trellis", about: "" },
    ],
    rows: [],
    servers: [],
    missing: { bindfs: "bindfs is not installed" },
    failures: {},
  };
}

function add(
  figures: Figures,
  peer: string,
  work: string,
  values: (number | Error)[],
  section: Partial<Row> = {},
): void {
  for (const value of values) record(figures, { ...METADATA, ...section, work, peer }, value);
}

function filledFigures(): Figures {
  const figures = makeFigures();
  add(figures, "host", "stat", [1, 1, 2]);
  add(figures, "c", "stat", [40, 80, 60]);
  add(figures, "mergerfs", "stat", [80, 80, 80]);
  add(figures, "loops-1", "stat", [20, 40, 60]);
  add(figures, "c", "open", [100, new Error("Device or resource busy"), 100]);
  add(figures, "loops-1", "open", [200, 200, 200]);
  costOf(figures, "loops-1").ready.push(140, 160, 100);
  costOf(figures, "loops-1").memory.start = 80;
  return figures;
}

const wantsFio = ({ plan }: Options) => plan.wants("fio_read1m", "fio");

Deno.test("the median is the middle of what was measured, and the spread its median distance from it", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertThrows(() => median([]), RangeError);
  assertEquals(spread([10, 10, 10]), 0);
  assertAlmostEquals(spread([8, 10, 11, 100]), 0.1428, 1e-3);
  assertAlmostEquals(geometricMean([0.5, 2]), 1);
  assertThrows(() => geometricMean([]), RangeError);
});

Deno.test("ratios are those of the same round, and rounds that failed do not count", () => {
  assertEquals(medianRatio([10, 200, 30], [20, 400, 20]), 0.5);
  assertEquals(medianRatio([10, NaN, 30], [20, 1, 20]), 1);
  assertEquals(medianRatio([10], []), undefined);
  assertEquals(fastestRatio([10, 200, NaN], [20, 400, 40]), 0.5);
  assertEquals(fastestRatio([NaN], [1]), undefined);
});

Deno.test("peers are compared by the work that both did", () => {
  const figures = filledFigures();
  assertEquals(workRatio(figures, METADATA, "stat", "loops-1", "c"), 0.5);
  assertEquals(workRatio(figures, METADATA, "open", "loops-1", "c"), 2);
  assertAlmostEquals(meanRatio(figures, METADATA, "loops-1", "c")!, 1);
  assertAlmostEquals(meanRatio(figures, METADATA, "loops-1", "host")!, 30);
  assertEquals(meanRatio(figures, METADATA, "loops-1", "bindfs"), undefined);
});

Deno.test("targets name the fastest on both sides, and say what was not measured", () => {
  const [oneClient, twoClients, ...others] = targetsOf(filledFigures());
  assertEquals(oneClient!.who, "loops-1 / c");
  assertAlmostEquals(oneClient!.reached!, 1);
  assertAlmostEquals(oneClient!.fastest!, 1);
  assertEquals(twoClients!.reached, undefined);
  assertEquals(others.find(({ goal }) => goal.startsWith("mount ready"))!.reached, 140);
});

Deno.test("the report has medians, spreads, ratios, what failed and who was missing", () => {
  const text = reportText(filledFigures());
  assertMatch(text, /^metadata, caches off, 1 client, microseconds per operation: medians and spreads$/m);
  assertMatch(text, /^c +60\.0 ±33% +100\.0 ±0%$/m);
  assertMatch(text, /^host +1\.00 ±0% +-$/m);
  assertMatch(text, /^loops-1 +0\.50 +2\.00 +1\.00$/m);
  assertMatch(text, /^metadata, caches off, one client: .* at most 1 +1\.00 yes +\(1\.00\) +loops-1 \/ c$/m);
  assertMatch(text, /^metadata, caches off, 2 clients: .* not measured$/m);
  assertMatch(text, /^ {2}bindfs: bindfs is not installed$/m);
  assertMatch(text, /^ {2}c, caches off: open: Device or resource busy$/m);
  assert(!text.includes("NaN") && !text.includes("undefined"), text);
});

Deno.test("what a server that answers at once would have reached stands beside the targets", () => {
  const figures = filledFigures();
  figures.peers.splice(1, 0, { name: "limit", kind: "limit", about: "" });
  add(figures, "limit", "stat", [10, 20, 15]);
  add(figures, "limit", "open", [25, 25, 25]);
  const [oneClient] = targetsOf(figures);
  assertEquals(oneClient!.who, "loops-1 / c");
  assertAlmostEquals(oneClient!.limit!, 0.25);
  assertMatch(reportText(figures), /^metadata, caches off, one client: .* limit 0\.25 +loops-1 \/ c$/m);
  assertEquals(targetsOf(filledFigures())[0]!.limit, undefined);
});

Deno.test("what is measured over io_uring has the limit over io_uring beside it", () => {
  const figures = filledFigures();
  figures.peers.push({ name: "hp-uring", kind: "C", about: "" }, { name: "uring", kind: "trellis", about: "" });
  add(figures, "hp-uring", "stat", [20, 20, 20]);
  add(figures, "uring", "stat", [30, 30, 30]);
  const overUring = () => targetsOf(figures).find(({ who }) => who === "uring / hp-uring")!;
  figures.peers.push({ name: "limit", kind: "limit", about: "" });
  add(figures, "limit", "stat", [16, 16, 16]);
  assertEquals(overUring().limit, undefined);
  figures.peers.push({ name: "limit-uring", kind: "limit", about: "" });
  add(figures, "limit-uring", "stat", [10, 10, 10]);
  assertAlmostEquals(overUring().limit!, 0.5);
});

Deno.test("figures are the same after JSON", () => {
  const figures = filledFigures();
  assertEquals(reportText(JSON.parse(JSON.stringify(figures))), reportText(figures));
});

Deno.test("what a wake-up takes is said, where it was measured", () => {
  const figures = filledFigures();
  const lines = () => reportText(figures).split("\n").filter((line) => line.startsWith("a byte to a process"));
  assertEquals(lines(), []);
  const sameCore = 2;
  figures.conditions = { ...figures.conditions, wakeUp: { sameCore, otherCore: 68.7 } };
  assertEquals(lines(), ["a byte to a process that sleeps, and back: 2.0 µs on the same core, 68.7 on another"]);
  figures.conditions = { ...figures.conditions, wakeUp: { sameCore } };
  assertEquals(lines(), ["a byte to a process that sleeps, and back: 2.0 µs on the same core"]);
});

Deno.test("a table that is too wide for a line goes on below with the same rows", () => {
  const figures = filledFigures();
  for (let nth = 0; nth < 30; nth++) {
    figures.peers.push({ name: `another-server-${nth}`, kind: "C", about: "" });
    add(figures, `another-server-${nth}`, "stat", [nth + 1]);
  }
  const lines = reportText(figures).split("\n");
  assert(lines.every((line) => line.length <= 160), lines.find((line) => line.length > 160));
  const means = lines.slice(lines.findIndex((line) => line.startsWith("Geometric means")));
  const heads = means.slice(0, means.findIndex((line) => line.startsWith("Servers")))
    .filter((line) => line.startsWith("  "));
  assertEquals(heads.flatMap((line) => line.trim().split(/ +/)), figures.peers.map(({ name }) => name));
});

Deno.test("the picture has a bar for each peer and a dot for each kind of work", () => {
  const svg = plotSvg(filledFigures());
  assertEquals(svg.match(/<rect x=/g)?.length, 4);
  assertEquals(svg.match(/<circle /g)?.length, 6);
  assertMatch(svg, /<title>stat 0\.50<\/title>/);
  // loops-1 is half as slow as C in one and twice in the other.
  assertMatch(svg, /text-anchor="end">loops-1<\/text><text [^>]*>1\.00<\/text>/);
  assertEquals([...svg.matchAll(/<tspan [^>]*>&#9679; ([^<]*)/g)].map(([, kind]) => kind), [
    "host",
    "C and C++",
    "Trellis",
  ]);
  assertMatch(svg, /as a ratio to libfuse's C passthrough_ll \(/);
  assertEquals(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length);
  assert(!svg.includes("NaN") && !svg.includes("undefined"));
});

Deno.test("the command line chooses peers and work, and refuses what there is not", () => {
  const { plan } = readOptions(["--peers=host,c", "--work=stat,programs", "--clients=1,4", "--rounds=2"]);
  assertEquals(plan.peers.map(({ name }) => name), ["host", "c"]);
  assertEquals([plan.wants("stat", "metadata"), plan.wants("open", "metadata"), plan.wants("tar", "programs")], [
    true,
    false,
    true,
  ]);
  assertEquals([plan.clients, plan.rounds, plan.programRounds], [[1, 4], 2, 2]);
  assertEquals([readOptions([]), readOptions(["--long"]), readOptions(["--work=fio"])].map(wantsFio), [
    false,
    true,
    true,
  ]);
  assertThrows(() => readOptions(["--peers=nobody"]), Error, 'there is no "nobody"');
  assertThrows(() => readOptions(["--rounds=0"]), Error, "no whole number");
});
