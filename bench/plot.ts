/** The figures as a picture: each peer's ratios to C, a dot for each kind of work and a bar for their mean, as SVG. */
import { meanRatio, peersOf, type Section, sectionsOf, workOf, workRatio } from "./comparison.ts";
import type { Figures, MeasuredPeer } from "./figures.ts";
import { referenceOf } from "./report.ts";
import { type By, type Ratio, RATIOS } from "./statistics.ts";

const WIDTH = 760;
const LABELS = 110;
/** Where the numbers of the means are. */
const NUMBERS = 50;
const ROW = 18;
const HEAD = 46;
const MARKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];
const COLOURS = { host: "#888888", limit: "#222222", C: "#c2703d", other: "#8a6bbf", trellis: "#2c7fb8" } as const;
const LEGEND = { host: "host", limit: "limit", C: "C and C++", other: "other languages", trellis: "Trellis" } as const;

/** One panel below the other, on one logarithmic scale. */
export function plotSvg(figures: Figures, by: By = "median"): string {
  const panels: string[] = [];
  let top = 56;
  const sections = sectionsOf(figures);
  for (const section of sections) {
    panels.push(panel(figures, section, top, RATIOS[by]));
    top += HEAD + peersOf(figures, section).length * ROW;
  }
  const references = [...new Set(sections.map((section) => referenceOf(figures, section)))]
    .map((name) => figures.peers.find((peer) => peer.name === name)?.about.split(",")[0] ?? name).join(" or ");
  const title = `Time taken, as a ratio to ${references} (dot: one kind of work; bar: geometric mean; left is faster)`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${
    top + 10
  }" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="12">${escapeText(title)}</text>
${legend(figures)}
${panels.join("\n")}
</svg>
`;
}

/** What the colours are of, for who is there. */
function legend({ peers }: Figures): string {
  const kinds = (Object.keys(LEGEND) as (keyof typeof LEGEND)[]).filter((one) =>
    peers.some(({ kind }) => kind === one)
  );
  const words = kinds.map((kind) => `<tspan fill="${COLOURS[kind]}" dx="14">&#9679; ${LEGEND[kind]}</tspan>`);
  return `<text x="0" y="38">${words.join("")}</text>`;
}

function panel(figures: Figures, section: Section, top: number, ratio: Ratio): string {
  const peers = peersOf(figures, section);
  const { group, caching, clients } = section;
  const title = `${group}, caches ${caching}, ${clients} ${clients === 1 ? "client" : "clients"}`;
  const bottom = top + HEAD - 22 + peers.length * ROW;
  const marks = MARKS.map((mark) => {
    const line = `<line x1="${x(mark)}" x2="${x(mark)}" y1="${top + 18}" y2="${bottom}" stroke="${
      mark === 1 ? "#444444" : "#dddddd"
    }"/>`;
    return `${line}<text x="${x(mark)}" y="${bottom + 12}" text-anchor="middle" fill="#777777">${mark}</text>`;
  });
  const rows = peers.map((peer, nth) => row(figures, section, peer, top + 30 + nth * ROW, ratio));
  return [`<text x="10" y="${top + 12}" font-weight="bold">${escapeText(title)}</text>`, ...marks, ...rows].join("\n");
}

function row(figures: Figures, section: Section, { name, kind }: MeasuredPeer, y: number, ratio: Ratio): string {
  const reference = referenceOf(figures, section);
  const work = workOf(figures, section);
  const mean = meanRatio(figures, section, name, reference, work, ratio);
  const dots = work.map((one) => {
    const value = workRatio(figures, section, one, name, reference, ratio);
    if (value === undefined) return "";
    const told = `<title>${escapeText(one)} ${value.toFixed(2)}</title>`;
    return `<circle cx="${x(value)}" cy="${y - 4}" r="3" opacity=".45">${told}</circle>`;
  });
  const bar = mean === undefined ? "" : `<rect x="${x(mean) - 2}" y="${y - 11}" width="4" height="14"/>`;
  const number = mean === undefined
    ? ""
    : `<text x="${WIDTH - 8}" y="${y}" text-anchor="end">${mean.toFixed(2)}</text>`;
  const label = `<text x="${LABELS - 8}" y="${y}" text-anchor="end">${escapeText(name)}</text>`;
  return `${label}${number}<g fill="${COLOURS[kind]}">${dots.join("")}${bar}</g>`;
}

/** Where a ratio is; what is off the scale is at its end. */
function x(ratio: number): number {
  const [first, last] = [Math.log(MARKS[0]!), Math.log(MARKS.at(-1)!)];
  const part = Math.min(1, Math.max(0, (Math.log(ratio) - first) / (last - first)));
  return Math.round((LABELS + 10 + part * (WIDTH - LABELS - 20 - NUMBERS)) * 10) / 10;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
}
