/**
 * Serving in the background. There is no fork in Deno: the tool starts the same command once more, in a session of its
 * own, and that one mounts. What it says goes through pipes to the one that was called, which ends when the mount is
 * ready, or with the other's exit code. A mount that nobody has heard of is not left: the one that serves it goes on only
 * when it is told so.
 */
import { type Libc, openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { errnoName } from "../fs/errors.ts";
import { O_APPEND, O_CLOEXEC, O_CREAT, O_RDWR, O_WRONLY } from "../fs/flags.ts";
import { Failure } from "./failure.ts";

/** In the environment of the one that is to serve. */
const VARIABLE = "TRELLIS_IN_BACKGROUND";

/**
 * Ends what is meant for the caller, on standard output and standard error: the mount is ready. Comes once more on
 * standard output when the one that serves has been told to go on, and nothing of it goes to the caller any more.
 */
const END = 0;

const O_LOG = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

/**
 * Starts this very command in the background and returns its exit code, 0 as soon as its mount is ready. Its standard
 * error is the caller's until then, and its standard output too unless `quiet`.
 */
export async function startInBackground(quiet = false): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: await ownArguments(),
    env: { [VARIABLE]: "1" },
    detached: true, // setsid(2)
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ends = await Promise.all([
    pass(child.stdout, quiet ? undefined : Deno.stdout),
    pass(child.stderr, Deno.stderr),
  ]);
  if (ends.includes(false)) return await failureOf(child);
  await child.stdin.getWriter().write(new Uint8Array(1));
  return await pass(child.stdout, undefined) ? 0 : await failureOf(child);
}

async function failureOf(child: Deno.ChildProcess): Promise<number> {
  const { code, signal } = await child.status;
  if (signal !== null) console.error(`error: ${signal} ended the process that was to serve the mount`);
  return code;
}

/** With Deno's own arguments, such as permissions, which Deno.args has not. */
async function ownArguments(): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/cmdline")).split("\0").slice(1, -1);
}

/** Hands on what comes up to {@linkcode END}; false when that did not come. */
async function pass(
  from: ReadableStream<Uint8Array<ArrayBuffer>>,
  to: typeof Deno.stdout | undefined,
): Promise<boolean> {
  for await (const piece of from.values({ preventCancel: true })) {
    const end = piece.indexOf(END);
    const text = end < 0 ? piece : piece.subarray(0, end);
    for (let written = 0; to !== undefined && written < text.length;) written += await to.write(text.subarray(written));
    if (end >= 0) return true;
  }
  return false;
}

/** Whether this process is the one that {@linkcode startInBackground} started; true only once. */
export function isInBackground(): boolean {
  const is = Deno.env.has(VARIABLE);
  Deno.env.delete(VARIABLE); // it is not for programs that this one starts
  return is;
}

/** The ties to whoever waits for the mount, in the process that serves it. */
export class Background {
  readonly #libc: Libc = openLibc();
  /** What takes the place of standard output and standard error. */
  readonly #log: number;
  readonly #nothing: number;

  /** `logFile` is made or appended to. @throws {Failure} when it cannot be written. */
  constructor(logFile: string | undefined) {
    const { symbols, errno } = this.#libc;
    this.#nothing = symbols.open(cString("/dev/null"), O_RDWR | O_CLOEXEC, 0);
    this.#log = logFile === undefined ? this.#nothing : symbols.open(cString(logFile), O_LOG, 0o644);
    if (this.#log < 0) throw new Failure("USAGE", `Cannot write the log file ${logFile}: ${errnoName(errno[0]!)}`);
  }

  /** Says that the mount is ready and lets go of the caller. False when nobody waits for it any more. */
  async leave(): Promise<boolean> {
    try {
      for (const stream of [Deno.stdout, Deno.stderr]) await stream.write(new Uint8Array([END]));
      if (await Deno.stdin.read(new Uint8Array(1)) === null) return false;
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return false;
      throw error;
    }
    this.#redirect();
    return true;
  }

  /** Puts the log in the place of the pipes. Deno has duplicates of its own of the standard descriptors. */
  #redirect(): void {
    const { symbols } = this.#libc;
    const [input, ...outputs] = [0, 1, 2].map((descriptor) => fileOf(descriptor));
    const caller = symbols.dup(1);
    for (const descriptor of [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name))) {
      if (descriptor === caller) continue;
      const file = fileOf(descriptor);
      if (file === input) symbols.dup2(this.#nothing, descriptor);
      else if (outputs.includes(file)) symbols.dup2(this.#log, descriptor);
    }
    Deno.chdir("/");
    symbols.write(caller, new Uint8Array([END]), 1);
    symbols.close(caller);
  }
}

/** What a descriptor is of, as in `pipe:[123]`; undefined when it has been closed. */
function fileOf(descriptor: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
