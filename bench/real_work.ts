/**
 * What programs take, in milliseconds, on a repository of 8,000 files: the host, libfuse's C `passthrough_ll` and Trellis
 * passthrough, each as it is by default, on tmpfs, in one run and in alternating order.
 * `deno run -A bench/real_work.ts [--short] [--json]`
 *
 * Before each program a second passes, in which what the kernel knows of names and attributes grows old; file contents
 * stay in its cache. The table shows medians, the worst round and the ratio to C.
 */
import { type Bench, cachingPeers, compilePrograms, median, run } from "./peers.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const ROUNDS = Deno.args.includes("--short") ? 3 : 7;
const FOLDERS = 80;
const FILES_PER_FOLDER = 100;
const ATTRIBUTES_GROW_OLD = 1100;

/** Programs as shell text, run in the peer's folder, where `repository` is; `after` is not counted. */
const WORK: Record<string, { command: string; after?: string }> = {
  "git status": { command: "git -C repository status --short" },
  "find by size": { command: "find repository -type f -size +1M" },
  "ls -R": { command: "ls -R repository" },
  // It finds nothing, which is its exit code 1.
  "grep -r": { command: "! grep -r nowhere-to-be-found repository/src" },
  "tar x": { command: "mkdir out; tar xf repository/part.tar -C out", after: "rm -r out" },
};

/** By work and peer, milliseconds of each round. */
type Figures = Map<string, Map<string, number[]>>;

/** Makes the repository, and an archive of every fifth folder in it. */
async function makeRepository({ directory }: Bench): Promise<string> {
  const repository = `${directory}/repository`;
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = `${repository}/src/${folder % 8}/${folder}`;
    await Deno.mkdir(path, { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      const line = `line of file ${file} in folder ${folder}\n`;
      await Deno.writeTextFile(`${path}/${file}.txt`, line.repeat(1 + (file * 7) % 300));
    }
  }
  // Tidying up would go on behind the copies.
  const git = "git -c maintenance.auto=false -c gc.auto=0 -c user.name=bench -c user.email=bench@example.org";
  await shell(repository, `git init -q; ${git} add src; ${git} commit -qm made; tar cf part.tar src/0 src/4`);
  await Deno.writeTextFile(`${repository}/.git/info/exclude`, "part.tar\n");
  return repository;
}

function shell(folder: string, script: string): Promise<string> {
  return run("sh", ["-euc", `cd "$1"; ${script}`, "sh", folder]);
}

async function measure(): Promise<Figures> {
  await using programs = await compilePrograms();
  const repository = await makeRepository(programs);
  await using servers = new AsyncDisposableStack();
  const places: { name: string; path: string }[] = [];
  for (const peer of cachingPeers(programs)) {
    const { path } = servers.use(await peer.start());
    await run("cp", ["-a", repository, path]);
    // The first status writes the index, since a copy has other inodes.
    await shell(path, WORK["git status"]!.command);
    places.push({ name: peer.name, path });
  }
  const figures: Figures = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [work, { command, after }] of Object.entries(WORK)) {
      const table = figures.getOrInsertComputed(work, () => new Map());
      await new Promise((resolve) => setTimeout(resolve, ATTRIBUTES_GROW_OLD));
      for (const { name, path } of round % 2 === 0 ? places : places.toReversed()) {
        const start = performance.now();
        await shell(path, command);
        table.getOrInsertComputed(name, () => []).push(performance.now() - start);
        if (after !== undefined) await shell(path, after);
      }
    }
  }
  return figures;
}

function print(figures: Figures): void {
  const names = [...figures.values().next().value!.keys()];
  console.log(`milliseconds, median of ${ROUNDS} (and the worst round), ratio to C`);
  console.log(["".padEnd(14), ...names.map((name) => name.padStart(24))].join(""));
  for (const [work, table] of figures) {
    const cells = names.map((name) => {
      const rounds = table.get(name)!;
      const ratio = median(rounds) / median(table.get("C passthrough_ll")!);
      return `${median(rounds).toFixed(0)} (${Math.max(...rounds).toFixed(0)}) ×${ratio.toFixed(2)}`.padStart(24);
    });
    console.log([work.padEnd(14), ...cells].join(""));
  }
}

const figures = await measure();
if (Deno.args.includes("--json")) {
  console.log(JSON.stringify(Object.fromEntries(figures.entries().map(([work, t]) => [work, Object.fromEntries(t)]))));
} else print(figures);
