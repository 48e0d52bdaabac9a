/** The torture: one file under random operations checked against memory, and many processes in one tree. */
import { assert, assertEquals } from "../deps.ts";
import { compile, run, type User } from "../support/command.ts";
import { PATIENCE } from "../support/patience.ts";
import { chooseSeed } from "../support/seed.ts";

/** How long to torture. */
export interface TortureOptions {
  /** Operations on the one file; with O_DIRECT a quarter as many, and each process of the mixed load a tenth. */
  operations: number;
  /** Processes of the mixed load. */
  processes: number;
  /** Repeats a run that printed this seed. Default: {@linkcode chooseSeed}'s. */
  seed?: number;
  /** Whom the processes run as; only root can choose. Default: the caller. */
  user?: User;
  /** Options of fsx.c for filesystems that lack an operation: `no-mmap`, `no-allocate`, `no-copy`. */
  leaveOut?: readonly ("no-mmap" | "no-allocate" | "no-copy")[];
}

/** The sizes of an ordinary test run, or of the long one that the environment's TRELLIS_TORTURE asks for. */
export function tortureSizes(): { operations: number; processes: number } {
  const given = Deno.env.get("TRELLIS_TORTURE") ?? "20000";
  if (!/^[1-9]\d*$/.test(given)) throw new Error(`TRELLIS_TORTURE must be a number of operations, not ${given}`);
  return { operations: Number(given), processes: 8 };
}

/** Tortures `directory`, which must exist and be writable; each part is a step that leaves nothing behind. */
export async function torture(t: Deno.TestContext, directory: string, options: TortureOptions): Promise<void> {
  const { operations, processes, leaveOut = [] } = options;
  const seed = options.seed ?? chooseSeed();
  // A slow mount on a busy machine does some dozen operations a second.
  const settings = { deadline: PATIENCE + operations / 20, ...(options.user && { user: options.user }) };
  console.log(`torture: TRELLIS_SEED=${seed}`);
  const fsx = (count: number, ...more: string[]) => async () => {
    await using program = await compile([new URL("fsx.c", import.meta.url)]);
    const file = `${directory}/fsx-${seed}`;
    await run([program.path, file, String(count), String(seed), ...leaveOut, ...more], settings);
  };
  await t.step(`${operations} random operations on one file`, fsx(operations));
  await t.step("random operations on one file with O_DIRECT", fsx(Math.ceil(operations / 4), "direct"));
  await t.step(`${processes} processes of mixed operations in one tree`, async () => {
    await using program = await compile([new URL("mixed.c", import.meta.url)]);
    const tree = `${directory}/mixed-${seed}`;
    await run(["mkdir", tree], settings);
    const perProcess = String(Math.ceil(operations / 10));
    const { stdout } = await run([program.path, tree, String(processes), perProcess, String(seed)], settings);
    const [summary, note] = stdout.trimEnd().split("\n");
    assertEquals(summary, `${processes} processes of ${perProcess} operations, nothing lost`);
    // The kernel's own, with any FUSE server (README, Limits); what is retried is at least said.
    if (note !== undefined) console.log(`torture: ${note}`);
    await run(["rmdir", tree], settings);
  });
}

/** Checks that fsx.c notices one byte that a write lost, in a directory of the host. */
export async function checkThatFsxNotices(directory: string): Promise<void> {
  const broken = ["-include", decodeURIComponent(new URL("broken_write.h", import.meta.url).pathname)];
  await using program = await compile([new URL("fsx.c", import.meta.url)], broken);
  const { code, stderr } = await run([program.path, `${directory}/fsx`, "20000", "1"], { accept: [1] });
  assertEquals(code, 1);
  assert(stderr.includes("the last operations"), stderr);
}
