/**
 * The command line of libfuse's own examples, for their ports: `[-f] [-d] [-s] [-o option[,option…]] MOUNTPOINT`, and
 * whatever `--name=value` options a program has of its own. Serves until somebody unmounts or interrupts, and then
 * exits with 0.
 */
import settings from "../deno.json" with { type: "json" };
import { type FileSystem, mount, type MountOptions } from "../mod.ts";

export interface CommandLine {
  readonly mountpoint: string;
  /** Stay in the foreground (`-f`, and with `-d`). */
  readonly foreground: boolean;
  /** `-s`. One isolate serves an object in any case, one request beside another. */
  readonly singleThread: boolean;
  readonly debug: boolean;
  /** What stood after `-o`. */
  readonly options: readonly string[];
  /** The program's own options by name; without a value, "". */
  readonly own: ReadonlyMap<string, string>;
}

/**
 * Reads the arguments. `own` has what a program takes beside the usual, by name, or as `name=<meaning>` when a value must
 * follow, with a line for the help. Prints and exits for `--help`, and with 1 for what is wrong, as libfuse's programs do.
 */
export function parseCommandLine(args: readonly string[], own: Readonly<Record<string, string>> = {}): CommandLine {
  const options: string[] = [];
  const found = new Map<string, string>();
  const flags = new Set<string>();
  const positional: string[] = [];
  const rest = [...args];
  const takesValue = new Map(Object.keys(own).map((name) => [name.split("=")[0], name.includes("=")]));
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [name, value] = arg.replace(/^--/, "").split(/=(.*)/s);
    if (arg === "-h" || arg === "--help") return exit(0, usage(own));
    else if (arg === "-V" || arg === "--version") return exit(0, `Trellis ${settings.version}`);
    else if (arg === "-o") options.push(...(rest.shift() ?? "").split(/(?<!\\),/));
    else if (arg.startsWith("-o")) options.push(...arg.slice(2).split(/(?<!\\),/));
    else if (arg.startsWith("--") && takesValue.get(name) === (value !== undefined)) found.set(name!, value ?? "");
    else if (/^-[fds]$/.test(arg)) flags.add(arg);
    else if (arg.startsWith("-")) return exit(1, `unknown option: ${arg}\n${usage(own)}`);
    else positional.push(arg);
  }
  const mountpoint = positional.pop();
  if (mountpoint === undefined || positional.length > 0) return exit(1, usage(own));
  const debug = flags.has("-d") || options.includes("debug");
  return {
    mountpoint,
    foreground: debug || flags.has("-f"),
    singleThread: flags.has("-s"),
    debug,
    options: options.filter((option) => !OF_THREADS.test(option)),
    own: found,
  };
}

/** Options of libfuse's own loop. There is none here. */
const OF_THREADS = /^(?:clone_fd|max_idle_threads=\d+|max_threads=\d+)$/;

/** The number given as `--name=…`, or `otherwise`. Exits with 1 for what is no number. */
export function numberOf({ own }: CommandLine, name: string, otherwise: number): number {
  const text = own.get(name);
  if (text === undefined) return otherwise;
  if (!/^\d+(?:\.\d*)?$/.test(text)) return exit(1, `invalid parameter in option --${name}=${text}`);
  return Number(text);
}

/** Mounts, goes into the background unless told not to, and exits when the mount has ended. */
export async function serve(filesystem: FileSystem, line: CommandLine, options: MountOptions = {}): Promise<never> {
  if (!line.foreground) return await startInBackground(line.mountpoint);
  try {
    const log = Deno.env.has(BACKGROUND) ? { log: () => {} } : {};
    await using session = await mount(filesystem, line.mountpoint, {
      ...log,
      ...options,
      debug: line.debug,
      options: line.options,
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => void session.unmount());
    }
    await session.finished;
  } catch (error) {
    return exit(1, error instanceof Error ? error.message : String(error));
  }
  Deno.exit(0);
}

/** Set for a program that nobody watches. */
const BACKGROUND = "TRELLIS_EXAMPLE_IN_BACKGROUND";

/** Starts this program again with `-f` and returns when its mount is there, or with its failure. */
async function startInBackground(mountpoint: string): Promise<never> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", Deno.mainModule, "-f", ...Deno.args],
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { [BACKGROUND]: "1" },
  }).spawn();
  // What it says until it is mounted is for the user; later nobody reads it (fuse_daemonize gives /dev/null).
  void child.stderr.pipeTo(Deno.stderr.writable);
  let ended: Deno.CommandStatus | undefined;
  void child.status.then((status) => ended = status);
  const before = await countMounts(mountpoint);
  while (ended === undefined && await countMounts(mountpoint) <= before) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  Deno.exit(ended?.code ?? 0);
}

async function countMounts(mountpoint: string): Promise<number> {
  const table = await Deno.readTextFile("/proc/self/mountinfo");
  const path = await Deno.realPath(mountpoint).catch(() => mountpoint);
  return table.split("\n").filter((line) => line.split(" ")[4] === path).length;
}

function usage(own: Readonly<Record<string, string>>): string {
  const lines = Object.entries(own).map(([name, meaning]) => `    --${name.padEnd(22)} ${meaning}`);
  return [
    `usage: ${Deno.mainModule.split("/").pop()} [options] <mountpoint>`,
    "    -h   --help              print help",
    "    -V   --version           print version",
    "    -d                       debug (implies -f)",
    "    -f                       foreground operation",
    "    -s                       single thread",
    "    -o option[,option...]    mount options, as in mount.fuse3(8)",
    ...lines,
  ].join("\n");
}

/** Prints, on standard error when it is a failure, and exits. */
export function exit(code: number, text: string): never {
  // deno-lint-ignore no-console -- what a program prints before it exits
  (code === 0 ? console.log : console.error)(text);
  Deno.exit(code);
}
