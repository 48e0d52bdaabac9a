/**
 * The model test: random operations on a directory and on a reference directory of the host, every result compared,
 * and at the end of each sequence the whole trees.
 */
import { fc } from "../deps.ts";
import { type Command, command, toLine } from "./commands.ts";
import type { User } from "../support/command.ts";
import { chooseSeed } from "../support/seed.ts";
import { compileExecutor, Executor } from "./executor.ts";

/** How much to try. */
export interface ModelOptions {
  /** How many sequences. */
  runs: number;
  /** The longest sequence. */
  commandsPerRun: number;
  /** Repeats a run that printed this seed. Default: {@linkcode chooseSeed}'s. */
  seed?: number;
  /** Whom both sides run as; only root can choose. Default: the caller. */
  user?: User;
}

/** The first operation whose results differ, with what each side said. */
interface Difference {
  index: number;
  tested: string;
  reference: string;
}

/** For all sequences together, in seconds. */
const DEADLINE = 1200;

const RESET: Command = ["reset"];
const TREE: Command = ["tree"];

/**
 * Fails when `directory` (under test) and `reference` (of the host) ever answer differently, with the shortest sequence
 * found that shows it. Both must exist and be writable; what is in them stays untouched.
 */
export async function checkModel(directory: string, reference: string, options: ModelOptions): Promise<void> {
  const seed = options.seed ?? chooseSeed();
  await using program = await compileExecutor();
  await using left = new Executor(program, `${directory}/model-${seed}`, options.user);
  await using right = new Executor(program, `${reference}/model-${seed}`, options.user);
  await check(directory, reference, { ...options, seed }, async (commands) => {
    // Each sequence begins with an empty directory.
    const difference = await compare(left, right, [RESET, ...commands, TREE]);
    return difference && { ...difference, index: difference.index - 1 };
  });
}

/**
 * The same for what is not empty at the beginning: sequence number N, and each try to shorten one, works in the
 * directory `N` of both, which must exist with the same content. Of those there must be `options.directories`.
 */
export async function checkModelOfExisting(
  directory: string,
  reference: string,
  options: ModelOptions & { directories: number },
): Promise<void> {
  const seed = options.seed ?? chooseSeed();
  await using program = await compileExecutor();
  let next = 0;
  await check(directory, reference, { ...options, seed }, async (commands) => {
    const sequence = next++;
    // What is left to try is taken for no difference: the sequence stays as long as it is.
    if (sequence >= options.directories) return undefined;
    await using left = new Executor(program, `${directory}/${sequence}`, options.user, true);
    await using right = new Executor(program, `${reference}/${sequence}`, options.user, true);
    return await compare(left, right, [...commands, TREE], withoutDirectoryLinks);
  });
}

async function check(
  directory: string,
  reference: string,
  options: ModelOptions & { seed: number },
  find: (commands: Command[]) => Promise<Difference | undefined>,
): Promise<void> {
  const { seed } = options;
  console.log(`model: TRELLIS_SEED=${seed}, ${options.runs} sequences of up to ${options.commandsPerRun} operations`);
  const sequence = fc.array(command, { minLength: 1, maxLength: options.commandsPerRun, size: "max" });
  /** No difference: an executor is gone, with which no shorter sequence can be tried. */
  let broken: Promise<never> | undefined;
  const property = fc.asyncProperty(sequence, async (commands) => {
    const difference = await (broken ?? find(commands).catch((error) => broken = Promise.reject(error)));
    if (difference) throw new Error(describe(commands, difference));
  });
  const details = await fc.check(property, { seed, numRuns: options.runs, interruptAfterTimeLimit: 1000 * DEADLINE });
  await broken;
  if (!details.failed && !details.interrupted) return;
  throw new Error(
    `${directory} differs from ${reference} (TRELLIS_SEED=${seed}, sequence ${details.numRuns}, shortened ` +
      `${details.numShrinks} times)\n${
        (details.errorInstance as Error | null)?.message ?? `Not done after ${DEADLINE} s`
      }`,
  );
}

/** Of a directory that is merged from several nobody counts the links: 1 stands for it, as long as it is. */
function withoutDirectoryLinks(result: string): string {
  return result.replace(/\b(d mode=\d+) nlink=\d+/g, "$1");
}

/** Executes the commands on both sides and finds the first whose results differ. */
async function compare(
  left: Executor,
  right: Executor,
  commands: readonly Command[],
  simplify: (result: string) => string = (result) => result,
): Promise<Difference | undefined> {
  const execute = async (side: Executor) => (await side.execute(commands)).map(simplify);
  const [tested, reference] = await Promise.all([execute(left), execute(right)]);
  const index = commands.findIndex((_, index) => tested[index] !== reference[index]);
  return index < 0 ? undefined : { index, tested: tested[index]!, reference: reference[index]! };
}

/** The sequence up to the difference, as lines that can be fed to the executor by hand. */
function describe(commands: Command[], { index, tested, reference }: Difference): string {
  const lines = [...commands, TREE].slice(0, index + 1).map(toLine);
  const [ours, theirs] = lines.length > commands.length ? differingParts(tested, reference) : [tested, reference];
  return `${lines.join("\n")}\n  under test: ${ours}\n  reference:  ${theirs}`;
}

/** Of two trees the entries that are not in both. */
function differingParts(tested: string, reference: string): [string, string] {
  const left = tested.split(" ;");
  const right = reference.split(" ;");
  return [
    left.filter((entry) => !right.includes(entry)).join(" ;") || "(nothing more)",
    right.filter((entry) => !left.includes(entry)).join(" ;") || "(nothing more)",
  ];
}
