/**
 * Nothing grows in the server of a passthrough mount: lookups and forgets, opens, walks. Counted in its process: the
 * descriptors, of which each known file has one (so that they are the table of nodes too), and resident memory.
 * `TRELLIS_GROWTH=1` takes the full sizes: a million lookups and forgets, 100,000 opens, ten walks of 8,000 files.
 */
import { assert, assertEquals } from "../deps.ts";
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { shell } from "../support/command.ts";
import { waitFor } from "../support/mounted.ts";

const FULL = Deno.env.get("TRELLIS_GROWTH") !== undefined;
const FOLDERS = 40;
const FILES = FULL ? 8_000 : 2_000;
const LOOKUPS = FULL ? 1_000_000 : 40_000;
const OPENS = FULL ? 100_000 : 10_000;
const WALKS = 10;

/** A loop may keep a few descriptors that another could still have been using (see `Descriptors`). */
const DESCRIPTORS_LEFT = 4 * 4;
/** MiB that the second half of the work may add: garbage that was not collected yet, no part of what grew. */
const MEMORY_LEFT = 12;
/** Of a whole run with full sizes, in seconds. */
const DEADLINE = 1500;

const WITHOUT_ROOT = Deno.uid() === 0 ? "" : " (skipped: only root can make the kernel forget)";

interface Size {
  descriptors: number;
  memory: number;
}

function sizeOf(pid: number): Size {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return {
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    memory: Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024,
  };
}

/** Has the kernel drop the names and nodes that nobody uses; it tells the server so with FORGET. */
async function forgetAll(): Promise<void> {
  await shell("echo 2 > /proc/sys/vm/drop_caches");
}

/**
 * Repeats `work`, whose first half warms up, and checks what the second adds; each time all is forgotten after it.
 * Returns the most descriptors that there were before.
 */
async function checkGrowth(pid: number, before: number, times: number, work: () => Promise<unknown>): Promise<number> {
  const sizes: Size[] = [];
  let most = 0;
  for (let time = 1; time <= times; time++) {
    await work();
    most = Math.max(most, sizeOf(pid).descriptors);
    await forgetAll();
    await waitFor("the descriptors to return", () => sizeOf(pid).descriptors <= before + DESCRIPTORS_LEFT);
    sizes.push(sizeOf(pid));
  }
  const half = sizes[(times >> 1) - 1]!, end = sizes.at(-1)!;
  console.log(
    `descriptors ${before}, at most ${most}, then ${half.descriptors} and ${end.descriptors}; ` +
      `MiB ${sizes.map(({ memory }) => memory.toFixed(0)).join(" ")}`,
  );
  assert(
    end.memory - half.memory < MEMORY_LEFT,
    `the second half added ${(end.memory - half.memory).toFixed(1)} MiB`,
  );
  return most;
}

const quoted = (path: string) => `'${path}'`;

Deno.test({
  name: `a passthrough mount does not grow by lookups, opens and walks${WITHOUT_ROOT}`,
  ignore: WITHOUT_ROOT !== "",
  fn: async (t) => {
    await using folder = await temporaryFolder();
    await using source = await temporaryFolder("/dev/shm");
    const each = FILES / FOLDERS;
    await shell(
      `cd ${quoted(source.path)}; for d in $(seq ${FOLDERS}); do mkdir $d; ` +
        `(cd $d; for f in $(seq ${each}); do echo $f > $f; done); done`,
    );
    await using mount = await MountProcess.start([source.path, `${folder.path}/mnt`], ["-o", "loops=4,process=same"]);
    const at = quoted(mount.mountpoint);
    await forgetAll();
    const before = sizeOf(mount.pid).descriptors;
    const deadline = { deadline: DEADLINE };
    const walk = () => shell(`find ${at} -type f -newermt 2000-01-01 | wc -l`, deadline);
    await t.step(`${WALKS} walks of ${FILES} files`, async () => {
      const most = await checkGrowth(
        mount.pid,
        before,
        WALKS,
        async () => assertEquals((await walk()).stdout, `${FILES}\n`),
      );
      assert(most > before + FILES / 2, `${most} descriptors at most: what a walk found was not counted`);
    });
    // A walk after which everything is forgotten looks each file up once.
    const rounds = Math.max(4, Math.ceil(LOOKUPS / FILES));
    await t.step(`${rounds * FILES} lookups and forgets`, async () => {
      await checkGrowth(mount.pid, before, rounds, walk);
    });
    const perRound = 1000;
    const open = () => shell(`cd ${at}/1; for f in $(seq ${perRound}); do : < $((f % ${each} + 1)); done`, deadline);
    await t.step(`${OPENS} opens`, async () => {
      await checkGrowth(mount.pid, before, OPENS / perRound, open);
    });
  },
});
