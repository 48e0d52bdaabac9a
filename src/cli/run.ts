/** The tool's front: reads the command line, runs the command, prints errors and decides the exit code. */
import settings from "../../deno.json" with { type: "json" };
import { Command, CommanderError } from "../deps.ts";
import { checkCommand } from "./check.ts";
import { doctorCommand } from "./doctor.ts";
import { describeExitCodes, EXIT_CODES } from "./exit_codes.ts";
import { explainCommand } from "./explain.ts";
import { Failure } from "./failure.ts";
import { initCommand } from "./init.ts";
import { listCommand } from "./list.ts";
import { mountCommand } from "./mount.ts";
import { systemMountCommand } from "./system_mount.ts";
import { reloadCommand } from "./reload.ts";
import { restartCommand } from "./restart.ts";
import { runCommand } from "./run_program.ts";
import { statusCommand } from "./status.ts";
import { umountCommand } from "./umount.ts";

/** Runs the tool with `args`, those after the program's name, and returns its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let status: number = EXIT_CODES.OK;
  const program = makeProgram((ended) => status = ended);
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

/** `ended` is told the exit status of what was run, or goes on in the background. */
function makeProgram(ended: (status: number) => void): Command {
  const program = new Command("trellis")
    .description("Filesystems in TypeScript, mounted with FUSE.")
    .version(settings.version, "-V, --version", "print the version")
    .option("-d, --debug", "show where an error comes from (its stack), and every request of a mount")
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", describeExitCodes())
    .showHelpAfterError("(--help lists what there is)")
    .exitOverride();
  const commands = [
    mountCommand(ended),
    runCommand(ended),
    umountCommand(),
    restartCommand(),
    listCommand(),
    statusCommand(),
    doctorCommand(),
    initCommand(),
    checkCommand(),
    explainCommand(),
    reloadCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  // Nobody calls it by hand: see docs/systemd.md.
  program.addCommand(systemMountCommand(ended).copyInheritedSettings(program), { hidden: true });
  return program;
}

function printError(error: unknown, debug: boolean): void {
  if (debug) console.error(error);
  else console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
}
