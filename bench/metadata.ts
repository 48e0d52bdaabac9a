/**
 * What one operation costs over FUSE, in microseconds: Trellis against libfuse's own C `passthrough_ll`, on tmpfs, with
 * the kernel's caches off, in one run and in alternating order. `deno task bench [--short] [--uring]`
 *
 * `--uring` adds Trellis over io_uring, which the kernel has to offer (see doctor). With
 * `TRELLIS_PASSTHROUGH_HP` the program of that path, libfuse's C++ `passthrough_hp` (3.18 or newer), is measured beside it.
 *
 * The client is a separate C program. The table shows medians; the last columns, the ratio to C with as many threads.
 */
import { type Bench, compilePrograms, median, peers, runClient } from "./peers.ts";

const URING = Deno.args.includes("--uring");
const ROUNDS = Deno.args.includes("--short") ? 3 : 7;
const COUNT = Deno.args.includes("--short") ? 1500 : 4000;

const OPERATIONS: readonly [name: string, count: number][] = [
  ["stat", COUNT],
  ["negative", COUNT],
  ["open", COUNT],
  ["read4k", COUNT],
  ["readdir", 20],
  ["create", COUNT / 2],
  ["rename", COUNT / 2],
  ["symlink", COUNT / 2],
  ["unlink", COUNT / 2],
  ["write4k", COUNT],
  ["read1m", 64],
  ["write1m", 64],
];

// deno-lint-ignore-file no-console -- a benchmark prints its table

for (const processes of [1, navigator.hardwareConcurrency]) {
  const figures = await measure(processes);
  console.log(`\n${processes} client(s), microseconds per operation, median of ${ROUNDS} (and the worst round)`);
  const names = [...figures.keys()];
  console.log(["".padEnd(10), ...names.map((name) => name.padStart(24))].join(""));
  for (const [operation] of OPERATIONS) {
    const cells = names.map((name) => {
      const rounds = figures.get(name)!.get(operation) ?? [];
      if (rounds.length === 0) return "-".padStart(24);
      const ratio = median(rounds) / median(figures.get("C passthrough_ll")!.get(operation)!);
      return `${median(rounds).toFixed(1)} (${Math.max(...rounds).toFixed(0)}) ×${ratio.toFixed(2)}`.padStart(24);
    });
    console.log([operation.padEnd(10), ...cells].join(""));
  }
  const means = names.map((name) => `×${geometricMean(figures, name).toFixed(2)}`.padStart(24));
  console.log(["all".padEnd(10), ...means].join(""));
}

/** Of a peer's ratios to C, over all operations. */
function geometricMean(figures: Map<string, Map<string, number[]>>, name: string): number {
  const logarithms = OPERATIONS.map(([operation]) =>
    Math.log(median(figures.get(name)!.get(operation)!) / median(figures.get("C passthrough_ll")!.get(operation)!))
  );
  return Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length);
}

/** Microseconds by peer and operation. */
async function measure(processes: number): Promise<Map<string, Map<string, number[]>>> {
  await using programs = await compilePrograms();
  const figures = new Map<string, Map<string, number[]>>();
  for (let round = 0; round < ROUNDS; round++) {
    const order = peers(programs, URING);
    if (round % 2 === 1) order.reverse();
    for (const peer of order) await measurePeer(programs, peer, processes, figures);
  }
  return figures;
}

async function measurePeer(
  programs: Bench,
  peer: ReturnType<typeof peers>[number],
  processes: number,
  figures: Map<string, Map<string, number[]>>,
): Promise<void> {
  const table = figures.getOrInsertComputed(peer.name, () => new Map());
  await using server = await peer.start();
  await runClient(programs, server.path, "prepare", 1, processes);
  for (const [operation, count] of OPERATIONS) {
    const rounds = table.getOrInsertComputed(operation, () => []);
    rounds.push(await runClient(programs, server.path, operation, count, processes));
  }
}
