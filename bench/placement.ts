/**
 * What the two placements cost, and what more loops bring: microseconds per stat (a LOOKUP and a GETATTR) of a filesystem
 * that answers at once, with caches off, beside the round trip of a message between two isolates.
 * `deno run -A bench/placement.ts`
 */
import { mount, type Session } from "../mod.ts";
import makeConstant from "./constant.ts";
import { type Bench, compilePrograms, median, runClient } from "./peers.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const ROUNDS = 5;
const COUNT = 8000;
const CORES = navigator.hardwareConcurrency;

const module = new URL("constant.ts", import.meta.url);
const placements: readonly [name: string, filesystem: Parameters<typeof mount>[0]][] = [
  ["loop, 1 loop", { module, loops: 1 }],
  [`loop, ${CORES} loops`, { module, loops: CORES }],
  ["handler, object", makeConstant()],
  ["handler, 1 worker", { module, placement: "handler", workers: 1 }],
  ["handler, 2 workers", { module, placement: "handler", workers: 2 }],
];

async function measure(programs: Bench, session: Session, processes: number): Promise<number> {
  return await runClient(programs, session.mountpoint, "stat", COUNT, processes);
}

/** Microseconds of a round trip between this isolate and a worker, both with an event loop. */
async function portRoundTrip(): Promise<number> {
  const source = "self.onmessage = ({ data }) => self.postMessage(data)";
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, { type: "module" });
  const trip = () =>
    new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage(0);
    });
  for (let warm = 0; warm < 500; warm++) await trip();
  const begin = performance.now();
  for (let count = 0; count < 5000; count++) await trip();
  const microseconds = (performance.now() - begin) / 5;
  worker.terminate();
  return microseconds;
}

await using programs = await compilePrograms();
const figures = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, filesystem] of round % 2 === 0 ? placements : placements.toReversed()) {
    const path = await Deno.makeTempDir({ dir: programs.directory });
    {
      await using session = await mount(filesystem, path, { entryTimeout: 0, attributesTimeout: 0 });
      for (const processes of [1, CORES]) {
        const rounds = figures.getOrInsertComputed(`${name}, ${processes} client(s)`, () => []);
        rounds.push(await measure(programs, session, processes));
      }
    }
    await Deno.remove(path);
  }
}
for (const [name, rounds] of figures) {
  console.log(
    `${name.padEnd(36)}${median(rounds).toFixed(1).padStart(8)} µs per stat (worst ${Math.max(...rounds).toFixed(0)})`,
  );
}
console.log(`${"port round trip".padEnd(36)}${(await portRoundTrip()).toFixed(1).padStart(8)} µs`);
