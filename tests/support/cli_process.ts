/** Runs the tool as a process of its own, as a user would. */
import { fileURLToPath } from "node:url";
import { findMount } from "../../src/connection/mount_table.ts";
import { TextLineStream } from "../deps.ts";
import { PATIENCE } from "./patience.ts";

/** How and as whom the tool is run. */
export interface Invocation {
  /** A command that runs the one after it, such as `["setpriv", "--reuid=65534", "--"]`. */
  readonly prefix?: readonly string[];
  /** The Deno program. Default: the one that runs the tests. */
  readonly deno?: string;
  /** The path of cli.ts. */
  readonly cli?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The current folder. Default: that of the tests. */
  readonly cwd?: string;
}

/** What came of a run. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

function command(args: readonly string[], { prefix = [], deno = Deno.execPath(), cli = CLI, env, cwd }: Invocation) {
  const [program, ...rest] = [...prefix, deno, "run", "-A", cli, ...args];
  return new Deno.Command(program!, {
    args: rest,
    env: { NO_COLOR: "1", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the tool until it ends by itself. */
export async function runCli(args: readonly string[], invocation: Invocation = {}): Promise<Outcome> {
  const { code, stdout, stderr } = await command(args, invocation).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * As {@linkcode runCli}, again and again while it says that a server is late. `status` and `list` wait two seconds for an
 * answer, which on a busy machine may take longer.
 */
export async function askPatiently(args: readonly string[], invocation: Invocation = {}): Promise<Outcome> {
  for (const deadline = performance.now() + PATIENCE * 1000;;) {
    const outcome = await runCli(args, invocation);
    const isLate = /did not answer within|begins, or hangs/.test(outcome.stdout + outcome.stderr);
    if (!isLate || performance.now() > deadline) return outcome;
  }
}

/** Starts the tool and returns while it runs. */
export function startCli(args: readonly string[], invocation: Invocation = {}): Deno.ChildProcess {
  return command(args, invocation).spawn();
}

/** A running `mount`. Disposing of it ends it, the hard way when it has to. */
export class MountProcess implements AsyncDisposable {
  readonly mountpoint: string;
  /** The line that says the mount is ready. */
  readonly readyLine: string;
  readonly #child: Deno.ChildProcess;
  readonly #outcome: Promise<Outcome>;
  #running = true;

  private constructor(mountpoint: string, readyLine: string, child: Deno.ChildProcess, outcome: Promise<Outcome>) {
    this.mountpoint = mountpoint;
    this.readyLine = readyLine;
    this.#child = child;
    this.#outcome = outcome;
    child.status.finally(() => this.#running = false);
  }

  /** Mounts a filesystem in memory, or a source, and returns when the tool says that the mount is ready. */
  static async start(
    paths: string | readonly [source: string, mountpoint: string],
    options: readonly string[] = [],
    invocation: Invocation = {},
  ): Promise<MountProcess> {
    const [source, mountpoint] = typeof paths === "string" ? [undefined, paths] : paths;
    return await MountProcess.startWith([...(source ? [source] : []), mountpoint, ...options], mountpoint, invocation);
  }

  /** As {@linkcode start}, with any arguments for `mount` that mount at `mountpoint`. */
  static async startWith(
    args: readonly string[],
    mountpoint: string,
    invocation: Invocation = {},
  ): Promise<MountProcess> {
    const child = startCli(["mount", ...args], invocation);
    const { promise: ready, resolve } = Promise.withResolvers<string>();
    const outcome = collect(child, resolve);
    const readyLine = await within(Promise.race([ready, outcome]), `mounting ${mountpoint}`);
    if (typeof readyLine !== "string") {
      throw new Error(`mount ended with ${readyLine.code} before it was ready: ${readyLine.stderr}`);
    }
    return new MountProcess(mountpoint, readyLine, child, outcome);
  }

  /** The process id that the ready line names: the tool's own, also behind a prefix. */
  get pid(): number {
    return Number(/\(pid (\d+)\)$/.exec(this.readyLine)?.[1]);
  }

  /** Waits for the end. */
  ended(): Promise<Outcome> {
    return within(this.#outcome, `the end of the mount on ${this.mountpoint}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) this.#child.kill("SIGKILL");
    await this.#outcome;
    if (await isMounted(this.mountpoint)) await run("umount", "-l", this.mountpoint);
  }
}

async function collect(child: Deno.ChildProcess, onLine: (line: string) => void): Promise<Outcome> {
  let stdout = "";
  const reading = (async () => {
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream());
    for await (const line of lines) {
      stdout += line + "\n";
      onLine(line);
    }
  })();
  const stderr = await new Response(child.stderr).text();
  await reading;
  return { code: (await child.status).code, stdout, stderr };
}

async function within<Result>(promise: Promise<Result>, what: string): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} took more than ${PATIENCE} s`)), PATIENCE * 1000);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program and returns its exit code. */
export async function run(program: string, ...args: string[]): Promise<number> {
  const { code } = await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).output();
  return code;
}

/** Whether something is mounted at exactly `path`. */
export async function isMounted(path: string): Promise<boolean> {
  return await findMount(path) !== undefined;
}

/** Whether `path` is there. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A temporary folder, in the usual place or in `parent`, removed at the end. */
export async function temporaryFolder(parent?: string): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "cli_", ...(parent && { dir: parent }) }));
  await Deno.chmod(path, 0o755);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await Deno.remove(path, { recursive: true });
    },
  };
}
