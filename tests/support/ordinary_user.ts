/**
 * Running the tool as an ordinary user while the tests run as root: `nobody`, which every system has, with copies of
 * what it could not read where it is (the repository or Deno in root's home, the cache of dependencies). The lock file is
 * among them: without it Deno asks the registry what the dependencies depend on.
 */
import { fileURLToPath } from "node:url";
import type { Invocation } from "./cli_process.ts";

const NOBODY = 65534;

/** Why the tests cannot become an ordinary user; undefined when they can. */
export const NO_ORDINARY_USER = Deno.uid() === 0 ? undefined : "becoming another user needs root";

/** An ordinary user's way to run the tool. */
export interface OrdinaryUser extends AsyncDisposable {
  readonly uid: number;
  readonly invocation: Invocation;
  /** A folder of the user's own. */
  readonly folder: string;
}

/** Makes copies in a temporary folder and returns how to run the tool from there. */
export async function prepareOrdinaryUser(): Promise<OrdinaryUser> {
  const root = await Deno.makeTempDir({ prefix: "nobody_" });
  const repository = fileURLToPath(new URL("../..", import.meta.url));
  const folder = `${root}/home`;
  await Deno.mkdir(folder);
  await Deno.mkdir(`${root}/cache`);
  await Deno.mkdir(`${root}/trellis`);
  for (const name of ["cli.ts", "deno.json", "deno.lock", "ffi", "src"]) {
    await copy(`${repository}/${name}`, `${root}/trellis/`);
  }
  await copy(`${await cacheFolder()}/npm`, `${root}/cache/`);
  await output("chown", "-R", `${NOBODY}:${NOBODY}`, root);
  await output("chmod", "-R", "u+rwX", root);
  return {
    uid: NOBODY,
    folder,
    invocation: {
      prefix: asNobody(),
      deno: await readableDeno(root),
      cli: `${root}/trellis/cli.ts`,
      env: { HOME: folder, TMPDIR: folder, DENO_DIR: `${root}/cache` },
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
}

function asNobody(): string[] {
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];
}

async function cacheFolder(): Promise<string> {
  return JSON.parse(await output(Deno.execPath(), "info", "--json")).denoDir;
}

async function readableDeno(root: string): Promise<string> {
  const deno = Deno.execPath();
  const [program, ...args] = [...asNobody(), "test", "-x", deno];
  const { success } = await new Deno.Command(program!, { args }).output();
  if (success) return deno;
  await copy(deno, `${root}/deno`);
  return `${root}/deno`;
}

async function copy(from: string, to: string): Promise<void> {
  await output("cp", "-r", from, to);
}

async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
