/** The torture of a mount whose source is changed behind it: random operations on both sides at once. */
import { assert } from "../deps.ts";
import { compile, type Program, run, type User } from "../support/command.ts";
import { PATIENCE } from "../support/patience.ts";
import { chooseSeed } from "../support/seed.ts";

/** What is tortured, how long, and what must hold at the end. */
export interface ChangingSourceOptions {
  /** Operations of each of the processes in the mount; those in the source make as many together. */
  operations: number;
  /** Milliseconds after which the mount must equal the source; without it they are not compared. */
  settle?: number;
  /** Repeats a run that printed this seed, as far as processes can be. Default: {@linkcode chooseSeed}'s. */
  seed?: number;
  /** Whom the processes run as; only root can choose. Default: the caller. */
  user?: User;
}

const INSIDERS = 3;
const OUTSIDERS = 2;

/** Tortures `mount`, which shows the empty directory `source`; both are left with what the torture made. */
export async function tortureChangingSource(
  mount: string,
  source: string,
  options: ChangingSourceOptions,
): Promise<void> {
  await using program = await compileProgram();
  const stdout = await runProgram(program, mount, source, options);
  const [own, foreign] = /read (\d+) words of their own and (\d+) of outsiders\n$/.exec(stdout)!.slice(1).map(Number);
  assert(own! > 0 && foreign! > 0, `The sides never met: ${stdout}`);
}

/** Checks that the torture notices writes that come 8 bytes too far, and a mount that is not its source. */
export async function checkThatChangingSourceNotices(directory: string): Promise<void> {
  const places = ["misplaced", "one", "other"].map((name) => `${directory}/${name}`);
  await run(["mkdir", ...places]);
  const [misplaced, one, other] = places as [string, string, string];
  const broken = ["-include", decodeURIComponent(new URL("misplaced_write.h", import.meta.url).pathname)];
  await using program = await compileProgram(broken);
  await mustFail(runProgram(program, misplaced, misplaced, { operations: 5000, seed: 1 }), "nobody wrote");
  await using sound = await compileProgram();
  for (const top of ["0", "1", "2", "3"]) await Deno.mkdir(`${one}/${top}`);
  await mustFail(
    runProgram(sound, one, other, { operations: 500, seed: 1, settle: 0 }),
    "the mount is not as the source",
  );
}

function compileProgram(flags: readonly string[] = []): Promise<Program> {
  return compile([new URL("changing_source.c", import.meta.url)], flags);
}

async function runProgram(
  program: Program,
  mount: string,
  source: string,
  { operations, settle = -1, user, seed = chooseSeed() }: ChangingSourceOptions,
): Promise<string> {
  console.log(`torture of a changing source: TRELLIS_SEED=${seed}`);
  const numbers = [INSIDERS, OUTSIDERS, operations, seed, settle].map(String);
  // A slow mount on a busy machine does some dozen operations a second, of each process.
  const deadline = PATIENCE + operations / 10;
  return (await run([program.path, mount, source, ...numbers], { deadline, ...(user && { user }) })).stdout;
}

async function mustFail(running: Promise<string>, words: string): Promise<void> {
  const failure = await running.then(() => "it found nothing", String);
  assert(failure.includes(words), failure);
}
