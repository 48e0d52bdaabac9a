/**
 * What reading and writing a large file costs, in microseconds per piece: on the host (tmpfs), through Trellis with the
 * kernel's passthrough and without, and through libfuse's C `passthrough_ll`, in turns, and the ratio to the host. And what
 * passing through costs an open and a close. `deno run -A bench/passthrough_data.ts [--short]`, as root.
 */
import { type Bench, compilePrograms, median, type Peer, peer, run } from "./peers.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const ROUNDS = Deno.args.includes("--short") ? 3 : 7;

const OPERATIONS = ["read", "write"].flatMap((kind) =>
  ["sequential", "random"].flatMap((order) =>
    [["4096", "40000"], ["1048576", "600"]].map((size) => [kind, order, ...size])
  )
).concat([["open", "sequential", "1", "8000"]]);

function trellis(options: string): (source: string, mountpoint: string) => string[] {
  const cli = new URL("../cli.ts", import.meta.url).pathname;
  return (source, mountpoint) => [Deno.execPath(), "run", "-A", cli, "mount", "-o", options, source, mountpoint];
}

function peersOfData({ directory }: Bench): Peer[] {
  return [
    {
      name: "host",
      async start() {
        const path = await Deno.makeTempDir({ dir: directory });
        return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
      },
    },
    peer(directory, "passed through", trellis("loops=2")),
    peer(directory, "not", trellis("loops=2,no_kernel_passthrough")),
    peer(directory, "C passthrough_ll", (source, mountpoint) => [
      `${directory}/passthrough_ll`,
      "-f",
      "-o",
      `source=${source},cache=auto,timeout=1,default_permissions`,
      mountpoint,
    ]),
  ];
}

async function measure(): Promise<Map<string, Map<string, number[]>>> {
  await using programs = await compilePrograms();
  const client = `${programs.directory}/passthrough_data`;
  await run("gcc", ["-O2", "-o", client, new URL("passthrough_data.c", import.meta.url).pathname]);
  const figures = new Map<string, Map<string, number[]>>();
  for (let round = 0; round < ROUNDS; round++) {
    const order = peersOfData(programs);
    if (round % 2 === 1) order.reverse();
    for (const { name, start } of order) {
      await using server = await start();
      const file = `${server.path}/file`;
      await run("dd", ["if=/dev/zero", `of=${file}`, "bs=1M", "count=256", "status=none"]);
      for (const [kind, ...rest] of OPERATIONS) {
        const table = figures.getOrInsertComputed([kind, ...rest].join(" "), () => new Map());
        const microseconds = Number(await run(client, [file, kind!, ...rest]));
        table.getOrInsertComputed(name, () => []).push(microseconds);
      }
    }
  }
  return figures;
}

const figures = await measure();
const names = ["host", "passed through", "not", "C passthrough_ll"];
console.log(["operation, order, bytes, count".padEnd(34), ...names.map((name) => name.padStart(22))].join(""));
for (const [operation, table] of figures) {
  const cells = names.map((name) => {
    const value = median(table.get(name)!);
    return `${value.toFixed(2)} ×${(value / median(table.get("host")!)).toFixed(2)}`.padStart(22);
  });
  console.log([operation.padEnd(34), ...cells].join(""));
}
