/**
 * The model test: random operations on a directory and on a reference directory of the host, every result compared,
 * and at the end of each sequence the whole trees.
 */
import { fc } from "../deps.ts";
import { type Command, command, toLine } from "./commands.ts";
import type { User } from "../support/command.ts";
import { compileExecutor, Executor } from "./executor.ts";

/** How much to try. */
export interface ModelOptions {
  /** How many sequences. */
  runs: number;
  /** The longest sequence. */
  commandsPerRun: number;
  /** Repeats a run that printed this seed. Default: the environment's TRELLIS_SEED, or random. */
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

const RESET: Command = ["reset"];
const TREE: Command = ["tree"];

/**
 * Fails when `directory` (under test) and `reference` (of the host) ever answer differently, with the shortest sequence
 * found that shows it. Both must exist and be writable; what is in them stays untouched.
 */
export async function checkModel(directory: string, reference: string, options: ModelOptions): Promise<void> {
  const seed = options.seed ?? chooseSeed();
  console.log(`model: TRELLIS_SEED=${seed}, ${options.runs} sequences of up to ${options.commandsPerRun} operations`);
  await using program = await compileExecutor();
  await using left = new Executor(program, `${directory}/model-${seed}`, options.user);
  await using right = new Executor(program, `${reference}/model-${seed}`, options.user);
  const sequence = fc.array(command, { minLength: 1, maxLength: options.commandsPerRun, size: "max" });
  const property = fc.asyncProperty(sequence, async (commands) => {
    const difference = await compare(left, right, commands);
    if (difference) throw new Error(describe(commands, difference));
  });
  const details = await fc.check(property, { seed, numRuns: options.runs, interruptAfterTimeLimit: 600_000 });
  if (!details.failed && !details.interrupted) return;
  throw new Error(
    `${directory} differs from ${reference} (TRELLIS_SEED=${seed}, sequence ${details.numRuns}, shortened ` +
      `${details.numShrinks} times)\n${(details.errorInstance as Error | null)?.message ?? "Not done after 600 s"}`,
  );
}

/** Executes the commands on both sides, each beginning with an empty directory. */
async function compare(left: Executor, right: Executor, commands: Command[]): Promise<Difference | undefined> {
  const all = [RESET, ...commands, TREE];
  const [tested, reference] = await Promise.all([left.execute(all), right.execute(all)]);
  const index = all.findIndex((_, index) => tested[index] !== reference[index]);
  if (index < 0) return undefined;
  return { index: index - 1, tested: tested[index]!, reference: reference[index]! };
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

function chooseSeed(): number {
  const given = Deno.env.get("TRELLIS_SEED");
  if (given === undefined) return crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
  if (!/^\d{1,9}\d?$/.test(given) || Number(given) > 0x7fffffff) {
    throw new Error(`TRELLIS_SEED must be a whole number from 0 to 2147483647, not ${given}`);
  }
  return Number(given);
}
