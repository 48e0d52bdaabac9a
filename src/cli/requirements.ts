/** What mounting needs of a machine: libfuse, the device, and for ordinary users fusermount3. */
import { libfuseNames, openLibfuse } from "../../ffi/library.ts";
import { inspectFuseDevice } from "./fuse_device.ts";

export interface LibfuseFindings {
  /** What was loaded: a name, or a file. */
  readonly path: string | undefined;
  readonly version: string | undefined;
  /** The names tried, in order, up to the one that opened. */
  readonly tried: readonly string[];
  readonly problem: string | undefined;
}

export interface FusermountFindings {
  readonly path: string;
  readonly version: string;
  readonly setuid: boolean;
}

const CHECKS = {
  libfuse: () => examineLibfuse().problem,
  device: async () => (await inspectFuseDevice()).problem,
  fusermount: async () => {
    if (Deno.uid() === 0 || (await examineFusermount())?.setuid) return undefined;
    return "fusermount3, through which ordinary users mount, is not there or not set-user-id: install fuse3";
  },
};

/** What keeps this user from mounting here, each with what to do; only what the `checks` named look at. */
export async function findProblems(
  checks: readonly (keyof typeof CHECKS)[] = ["libfuse", "device", "fusermount"],
): Promise<string[]> {
  const problems = await Promise.all(checks.map((check) => CHECKS[check]()));
  return problems.filter((problem) => problem !== undefined);
}

/** Loads libfuse. */
export function examineLibfuse(): LibfuseFindings {
  const names = libfuseNames();
  try {
    const { path, version } = openLibfuse();
    const tried = names.slice(0, names.indexOf(path) + 1);
    return { path, version, tried, problem: undefined };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { path: undefined, version: undefined, tried: names, problem };
  }
}

/** Looks for fusermount3 on the PATH. */
export async function examineFusermount(): Promise<FusermountFindings | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${folder}/fusermount3`;
    const status = await Deno.stat(path).catch(() => undefined);
    if (!status?.isFile) continue;
    const { stdout } = await new Deno.Command(path, { args: ["--version"], cwd: "/" }).output();
    const version = new TextDecoder().decode(stdout).replace("fusermount3 version:", "").trim();
    return { path, version, setuid: ((status.mode ?? 0) & 0o4000) !== 0 && status.uid === 0 };
  }
  return undefined;
}
