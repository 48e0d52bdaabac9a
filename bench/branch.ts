/**
 * What routing costs: microseconds per stat of a directory of tmpfs through passthrough alone and as a branch, one of 2 and
 * one of 1000, caches off; and what a branch in a handler of its own costs beside a whole mount in one. All are mounted at
 * once and asked in turn, in short rounds whose order turns too, so that what else the machine does falls on all alike; the
 * ratios are medians over rounds. Each time that all are mounted anew counts once, since the same code is now and then
 * compiled better. `deno run -A bench/branch.ts`
 */
import { type ModulePlacement, mount } from "../mod.ts";
import { prepareFiles, runOperations } from "./operations.ts";
import { compile } from "./run_program.ts";
import { median } from "./statistics.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const MOUNTINGS = 3;
const ROUNDS = 21;
/** Of one round of one contestant. */
const MILLISECONDS = 200;

const PASSTHROUGH = new URL("../src/layers/passthrough/module.ts", import.meta.url);
const TREE = new URL("branch_module.ts", import.meta.url);

/** What is mounted, and what its figure is a multiple of. */
interface Contestant {
  readonly module: ModulePlacement;
  readonly peer: string;
}

/** Each shows the same directory as `/src`, so that all paths are equally long. */
function contestants(source: string): Record<string, Contestant> {
  const tree = (branches: number, inHandler = false): ModulePlacement => ({
    module: TREE,
    options: { source: { source: `${source}/src`, cache: "never" }, branches, inHandler },
    handlers: inHandler ? [{}] : [],
  });
  const whole = { module: PASSTHROUGH, options: { source, cache: "never" } };
  return {
    "passthrough alone": { module: whole, peer: "passthrough alone" },
    "one of 2 branches": { module: tree(2), peer: "passthrough alone" },
    "one of 1000 branches": { module: tree(1000), peer: "one of 2 branches" },
    "all in a handler": { module: { ...whole, placement: "handler" }, peer: "passthrough alone" },
    "a branch in a handler": { module: tree(2, true), peer: "all in a handler" },
  };
}

/** Microseconds per stat of each, by round. */
async function measure(programs: string, all: Record<string, Contestant>): Promise<Map<string, number[]>> {
  await using stack = new AsyncDisposableStack();
  const directories = new Map<string, string>();
  for (const [name, { module }] of Object.entries(all)) {
    const path = await Deno.makeTempDir({ dir: programs });
    stack.defer(() => Deno.remove(path));
    stack.use(await mount(module, path, { entryTimeout: 0, attributesTimeout: 0 }));
    directories.set(name, `${path}/src`);
    await measureStat(programs, `${path}/src`, 4 * MILLISECONDS);
  }
  const figures = new Map<string, number[]>([...directories.keys()].map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...directories];
    for (const [name, directory] of round % 2 === 0 ? order : order.toReversed()) {
      figures.get(name)!.push(await measureStat(programs, directory, MILLISECONDS));
    }
  }
  return figures;
}

/** Microseconds per stat. */
async function measureStat(programs: string, directory: string, milliseconds: number): Promise<number> {
  const [measured] = await runOperations(clientOf(programs), directory, 1, milliseconds, ["stat"]);
  const found = measured![1];
  if (found instanceof Error) throw found;
  return found;
}

function clientOf(programs: string): string {
  return `${programs}/client`;
}

await using resources = new AsyncDisposableStack();
const programs = await Deno.makeTempDir({ dir: "/dev/shm" });
resources.defer(() => Deno.remove(programs, { recursive: true }));
await compile(clientOf(programs), new URL("client.c", import.meta.url));
const source = await Deno.makeTempDir({ dir: programs });
await Deno.mkdir(`${source}/src`);
await prepareFiles(clientOf(programs), `${source}/src`, 1, 1);
const all = contestants(source);
const mountings: Map<string, number[]>[] = [];
for (let time = 0; time < MOUNTINGS; time++) mountings.push(await measure(programs, all));
for (const [name, { peer }] of Object.entries(all)) {
  const microseconds = median(mountings.flatMap((figures) => figures.get(name)!));
  const ratios = mountings.map((figures) =>
    median(figures.get(name)!.map((figure, round) => figure / figures.get(peer)![round]!))
  );
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  const beside = name === peer ? "" : `, ×${median(ratios).toFixed(2)} of "${peer}" (by mounting ${range})`;
  console.log(`${name.padEnd(24)}${microseconds.toFixed(1).padStart(8)} µs per stat${beside}`);
}
