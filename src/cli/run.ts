/** The tool's front: reads the command line, runs the command, prints errors and decides the exit code. */
import settings from "../../deno.json" with { type: "json" };
import { Command, CommanderError } from "../deps.ts";
import { describeExitCodes, EXIT_CODES } from "./exit_codes.ts";
import { Failure } from "./failure.ts";

/** Makes a command. `ended` is told the exit status of what was run, or goes on in the background. */
type MakeCommand = (ended: (status: number) => void) => Command;

/** By name. Each is loaded only when it is the one to be run: loading is most of what a command takes to begin. */
const COMMANDS: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  mount: async () => (await load<typeof import("./mount.ts")>("./mount.ts")).mountCommand,
  run: async () => (await load<typeof import("./run_program.ts")>("./run_program.ts")).runCommand,
  umount: async () => (await load<typeof import("./umount.ts")>("./umount.ts")).umountCommand,
  restart: async () => (await load<typeof import("./restart.ts")>("./restart.ts")).restartCommand,
  list: async () => (await load<typeof import("./list.ts")>("./list.ts")).listCommand,
  status: async () => (await load<typeof import("./status.ts")>("./status.ts")).statusCommand,
  doctor: async () => (await load<typeof import("./doctor.ts")>("./doctor.ts")).doctorCommand,
  init: async () => (await load<typeof import("./init.ts")>("./init.ts")).initCommand,
  check: async () => (await load<typeof import("./check.ts")>("./check.ts")).checkCommand,
  explain: async () => (await load<typeof import("./explain.ts")>("./explain.ts")).explainCommand,
  reload: async () => (await load<typeof import("./reload.ts")>("./reload.ts")).reloadCommand,
};

/** Nobody calls these by hand: see docs/systemd.md. */
const HIDDEN: typeof COMMANDS = {
  "system-mount": async () => (await load<typeof import("./system_mount.ts")>("./system_mount.ts")).systemMountCommand,
};

/** Runs the tool with `args`, those after the program's name, and returns its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let status: number = EXIT_CODES.OK;
  const program = await makeProgram(args.find((arg) => !arg.startsWith("-")), (ended) => status = ended);
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // Commander has printed what it throws, be it help or a complaint.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.OK : EXIT_CODES.USAGE;
    printError(error, program.opts().debug === true);
    return error instanceof Failure ? EXIT_CODES[error.kind] : EXIT_CODES.UNEXPECTED;
  }
}

/** The program with the command `wanted`; with all of them when there is none of that name. */
async function makeProgram(wanted: string | undefined, ended: (status: number) => void): Promise<Command> {
  const program = new Command("trellis")
    .description("Filesystems in TypeScript, mounted with FUSE.")
    .version(settings.version, "-V, --version", "print the version")
    .option("-d, --debug", "show where an error comes from (its stack), and every request of a mount")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", describeExitCodes())
    .showHelpAfterError("(--help lists what there is)")
    .exitOverride();
  const all = Object.entries({ ...COMMANDS, ...HIDDEN });
  const one = all.filter(([name]) => name === wanted);
  for (const [name, load] of one.length > 0 ? one : all) {
    const command = (await load())(ended);
    program.addCommand(command.copyInheritedSettings(program), { hidden: name in HIDDEN });
  }
  return program;
}

/** Loads one of them. Deno does not see which: of an `import()` that names its module it reads all files at the start. */
function load<Module>(path: string): Promise<Module> {
  return import(import.meta.resolve(path));
}

function printError(error: unknown, debug: boolean): void {
  if (debug) console.error(error);
  else console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
}
