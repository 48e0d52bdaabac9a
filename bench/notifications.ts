/**
 * What notifications cost: from "data is ready" to a client's return from poll, in microseconds, beside a fifo and the
 * same filesystem in C; and notifications per second. `deno run -A bench/notifications.ts [--short]`
 */
import { mount, type Session } from "../mod.ts";
import { compile, run, waitForMount } from "./run_program.ts";
import { median } from "./statistics.ts";
import makePollFile, { prepare } from "./poll_file.ts";

// deno-lint-ignore-file no-console -- a benchmark prints its table

const ROUNDS = Deno.args.includes("--short") ? 3 : 7;
const WAKE_UPS = Deno.args.includes("--short") ? 300 : 1000;
const QUEUED = 20_000;
const AWAITED = 2_000;

const here = (name: string) => new URL(name, import.meta.url);
const directory = await Deno.makeTempDir({ prefix: "trellis-bench-", dir: "/dev/shm" });
const mountpoint = `${directory}/mnt`;

/** Runs `work` on a path whose file is ready when something was written to it. */
type Peer = (work: (file: string, session?: Session) => Promise<void>) => Promise<void>;

const inTrellis = (filesystem: () => Parameters<typeof mount>[0]): Peer => async (work) => {
  await using session = await mount(filesystem(), mountpoint);
  await work(`${mountpoint}/file`, session);
};

const peers: readonly [name: string, peer: Peer][] = [
  ["fifo on the host", (work) => work(`${directory}/fifo`)],
  ["C over libfuse", async (work) => {
    const server = new Deno.Command(`${directory}/poll_file`, { args: ["-f", mountpoint] }).spawn();
    await waitForMount(mountpoint);
    await work(`${mountpoint}/file`);
    await run("fusermount3", ["-u", mountpoint]);
    await server.status;
  }],
  ["handler", inTrellis(() => makePollFile(undefined, { shared: prepare() }))],
  ["loop, 1 loop", inTrellis(() => ({ module: here("poll_file.ts"), loops: 1 }))],
  ["loop, 2 loops", inTrellis(() => ({ module: here("poll_file.ts"), loops: 2 }))],
];

/** Notifications per second when all are queued at once, and microseconds for one that is awaited. */
async function measureNotifications({ notifier, mountpoint }: Session): Promise<[perSecond: number, awaited: number]> {
  await Deno.stat(`${mountpoint}/file`);
  await notifier.invalidateNode(2);
  let begin = performance.now();
  // Of different ranges, so that none stands for another.
  await Promise.all(Array.from({ length: QUEUED }, (_, nth) => notifier.invalidateNode(2, nth * 4096, 4096)));
  const perSecond = QUEUED / (performance.now() - begin) * 1000;
  begin = performance.now();
  for (let nth = 0; nth < AWAITED; nth++) await notifier.invalidateNode(2);
  return [perSecond, (performance.now() - begin) / AWAITED * 1000];
}

await compile(`${directory}/poll_latency`, here("poll_latency.c"));
await compile(`${directory}/poll_file`, here("poll_file.c"), "fuse3");
await run("mkfifo", [`${directory}/fifo`]);
await Deno.mkdir(mountpoint);
const medians = new Map<string, number[]>();
const worst = new Map<string, number[]>();
const rates: number[] = [];
const awaited: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, peer] of round % 2 === 0 ? peers : peers.toReversed()) {
    await peer(async (file, session) => {
      const [p50, p99] = (await run(`${directory}/poll_latency`, [file, String(WAKE_UPS)])).split(" ").map(Number);
      medians.getOrInsertComputed(name, () => []).push(p50!);
      worst.getOrInsertComputed(name, () => []).push(p99!);
      if (name !== "handler") return;
      const [perSecond, one] = await measureNotifications(session!);
      rates.push(perSecond);
      awaited.push(one);
    });
  }
}
const inC = median(medians.get("C over libfuse")!);
console.log(`\nfrom the write to the return from poll, microseconds, medians of ${ROUNDS} rounds of ${WAKE_UPS}`);
for (const [name, rounds] of medians) {
  const p50 = median(rounds);
  const p99 = median(worst.get(name)!);
  console.log(
    `${name.padEnd(20)}p50 ${p50.toFixed(0).padStart(6)}  p99 ${p99.toFixed(0).padStart(6)}  ×${
      (p50 / inC).toFixed(2)
    }`,
  );
}
console.log(
  `notifications: ${median(rates).toFixed(0)} per second when queued, ${median(awaited).toFixed(0)} µs awaited`,
);
await Deno.remove(directory, { recursive: true });
