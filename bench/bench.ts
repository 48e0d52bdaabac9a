/** The benchmark: Trellis against the host and other FUSE servers. `deno task bench --help`; docs/performance.md. */
import type { Figures } from "./figures.ts";
import { measure, noFigures, type Plan } from "./measure.ts";
import { listText, type Options, readOptions, USAGE } from "./options.ts";
import { plotSvg } from "./plot.ts";
import { reportText } from "./report.ts";
import { unmount } from "./run_program.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its tables

function say(what: string): void {
  console.error(`bench: ${what}`);
}

/** Measures in a folder of memory, which is removed again; after Ctrl-C, too, it tells what has been measured. */
async function measureInMemory(plan: Plan, tell: (figures: Figures) => Promise<void>): Promise<void> {
  const figures = noFigures(plan);
  const programs = await Deno.makeTempDir({ prefix: "trellis-bench-", dir: "/dev/shm" });
  const cleanUp = async () => {
    const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n").map((line) =>
      line.split(" ")[4] ?? ""
    );
    // Ctrl-C goes to the servers, too, of which some unmount by themselves.
    for (const path of mounts.filter((one) => one.startsWith(`${programs}/`))) await unmount(path).catch(() => {});
    await removeAll(programs);
  };
  const interrupted = () => {
    // As it is now: what goes on fails.
    const found = structuredClone(figures);
    void tell(found).finally(cleanUp).finally(() => Deno.exit(130));
  };
  Deno.addSignalListener("SIGINT", interrupted);
  try {
    await measure(plan, programs, figures, say);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupted);
    await cleanUp();
  }
  await tell(figures);
}

/** Removes a directory into which a client or server that is about to end may still write. */
async function removeAll(path: string): Promise<void> {
  for (const deadline = Date.now() + 5000; Date.now() < deadline;) {
    if (await Deno.remove(path, { recursive: true }).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await Deno.remove(path, { recursive: true });
}

async function main({ plan, list, by, from, json, svg }: Options): Promise<void> {
  if (list) return console.log(listText());
  const tell = async (figures: Figures) => {
    if (json !== undefined) await Deno.writeTextFile(json, JSON.stringify(figures));
    if (svg !== undefined) await Deno.writeTextFile(svg, plotSvg(figures, by));
    console.log(reportText(figures, by));
  };
  if (from === undefined) await measureInMemory(plan, tell);
  else await tell(JSON.parse(await Deno.readTextFile(from)) as Figures);
}

if (Deno.args.includes("--help")) console.log(USAGE);
else await main(readOptions(Deno.args));
