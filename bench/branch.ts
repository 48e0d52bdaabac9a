/**
 * What routing costs: microseconds per stat of a directory of tmpfs through passthrough alone and as a branch, one of 2 and
 * one of 1000, in the same run and in alternating order, caches off. `deno run -A bench/branch.ts`
 */
import { type ModulePlacement, mount } from "../mod.ts";
import { type Bench, compilePrograms, median, runClient } from "./peers.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const ROUNDS = 15;
const COUNT = 20_000;

const PASSTHROUGH = new URL("../src/layers/passthrough/module.ts", import.meta.url);
const TREE = new URL("branch_module.ts", import.meta.url);

/** Each shows the same directory as `/src`, so that all paths are equally long. */
function placements(source: string): [name: string, module: ModulePlacement][] {
  const tree = (branches: number) => {
    return { module: TREE, options: { source: { source: `${source}/src`, cache: "never" }, branches } };
  };
  return [
    ["passthrough alone", { module: PASSTHROUGH, options: { source, cache: "never" } }],
    ["one of 2 branches", tree(2)],
    ["one of 1000 branches", tree(1000)],
  ];
}

async function measure(programs: Bench, module: ModulePlacement): Promise<number> {
  const path = await Deno.makeTempDir({ dir: programs.directory });
  try {
    await using session = await mount(module, path, { entryTimeout: 0, attributesTimeout: 0 });
    const directory = `${session.mountpoint}/src`;
    await runClient(programs, directory, "prepare", 1, 1);
    await runClient(programs, directory, "stat", 2000, 1);
    return await runClient(programs, directory, "stat", COUNT, 1);
  } finally {
    await Deno.remove(path);
  }
}

await using programs = await compilePrograms();
const source = await Deno.makeTempDir({ dir: programs.directory });
await Deno.mkdir(`${source}/src`);
const figures = new Map<string, number[]>();
for (let round = 0; round < ROUNDS; round++) {
  const order = placements(source);
  for (const [name, module] of round % 2 === 0 ? order : order.toReversed()) {
    figures.getOrInsertComputed(name, () => []).push(await measure(programs, module));
  }
}
const alone = figures.get("passthrough alone")!;
for (const [name, rounds] of figures) {
  const ratio = median(rounds.map((figure, round) => figure / alone[round]!));
  const worst = Math.max(...rounds).toFixed(0);
  console.log(
    `${name.padEnd(24)}${median(rounds).toFixed(1).padStart(8)} µs per stat (worst ${worst}), ×${ratio.toFixed(2)}`,
  );
}
