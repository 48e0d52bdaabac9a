/** posix_client.c compiled, once for a test process, into a directory of its own. */

import { fileURLToPath } from "node:url";

let program: Promise<string> | undefined;

/** The path of the compiled program. It is removed when this process ends. Any user may run it. */
export function compiledProgram(): Promise<string> {
  program ??= compile();
  return program;
}

async function compile(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-posix-client-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  await Deno.chmod(directory, 0o755);
  const target = `${directory}/posix_client`;
  const source = fileURLToPath(new URL("posix_client.c", import.meta.url));
  const { success, stderr } = await new Deno.Command("gcc", { args: ["-O1", "-o", target, source] }).output();
  if (!success) throw new Error(`Cannot compile posix_client.c with gcc: ${new TextDecoder().decode(stderr)}`);
  return target;
}
