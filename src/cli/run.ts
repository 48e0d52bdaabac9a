/** The tool's front: reads the command line, runs the command, prints errors and decides the exit code. */
import settings from "../../deno.json" with { type: "json" };
import { type Command, CommandLineError, type Program } from "../command_line/command.ts";
import { readCommandLine } from "../command_line/read.ts";
import { describeExitCodes, EXIT_CODES } from "./exit_codes.ts";
import { Failure } from "./failure.ts";

/** The modules of all commands, by their names. */
const MODULES: Readonly<Record<string, string>> = {
  mount: "./mount.ts",
  run: "./run_program.ts",
  umount: "./umount.ts",
  restart: "./restart.ts",
  list: "./list.ts",
  status: "./status.ts",
  doctor: "./doctor.ts",
  init: "./init.ts",
  check: "./check.ts",
  explain: "./explain.ts",
  reload: "./reload.ts",
  "system-mount": "./system_mount.ts",
};

const PROGRAM: Omit<Program, "commands"> = {
  name: "trellis",
  description: "Filesystems in TypeScript, mounted with FUSE.",
  version: settings.version,
  options: [{
    ...{ name: "debug", letter: "d" },
    description: "show where an error comes from (its stack), and every request of a mount",
  }],
  after: describeExitCodes(),
};

/** Where no terminal says otherwise. */
const WIDTH = 80;

/** Runs the tool with `args`, those after the program's name, and returns its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let debug = false;
  try {
    const commands = await loadCommands(args.find((arg) => !arg.startsWith("-")));
    const width = Deno.stdout.isTerminal() ? Deno.consoleSize().columns : WIDTH;
    const request = readCommandLine({ ...PROGRAM, commands }, args, width);
    if ("text" in request) return print(request.text, request.wanted);
    debug = request.given.has("debug");
    return await request.command.run(request.given) ?? EXIT_CODES.OK;
  } catch (error) {
    printError(error, debug);
    if (error instanceof CommandLineError) return EXIT_CODES.USAGE;
    return error instanceof Failure ? EXIT_CODES[error.kind] : EXIT_CODES.UNEXPECTED;
  }
}

/** The command `wanted`, for to load it is most of what it takes to begin; all of them when there is none of that name. */
async function loadCommands(wanted: string | undefined): Promise<Command[]> {
  const names = wanted !== undefined && Object.hasOwn(MODULES, wanted) ? [wanted] : Object.keys(MODULES);
  return await Promise.all(names.map((name) => loadCommand(MODULES[name]!)));
}

/** Deno does not see which module this is: of an `import()` that names its module it reads all files at the start. */
async function loadCommand(module: string): Promise<Command> {
  const { COMMAND } = await import(import.meta.resolve(module)) as { readonly COMMAND: Command };
  return COMMAND;
}

/** Prints help. What nobody asked for is an error. */
function print(text: string, wanted: boolean): number {
  if (wanted) console.log(text);
  else console.error(text);
  return wanted ? EXIT_CODES.OK : EXIT_CODES.USAGE;
}

function printError(error: unknown, debug: boolean): void {
  if (debug) console.error(error);
  else console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof CommandLineError) console.error("(--help lists what there is)");
}
