/** The tool: `deno run -A cli.ts --help`. */
import { beginFirstLoop } from "./src/cli/first_loop.ts";

if (import.meta.main) {
  beginFirstLoop(Deno.args);
  // Not before: all of it is loaded while the thread begins.
  const { run } = await import("./src/cli/run.ts");
  Deno.exit(await run(Deno.args));
}
