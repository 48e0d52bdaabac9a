/** The tool: `deno run -A cli.ts --help`. */
import { beginEarly, endEarly } from "./src/cli/early_start.ts";

if (import.meta.main) {
  beginEarly(Deno.args);
  // Not before: all of it is loaded meanwhile.
  const { run } = await import("./src/cli/run.ts");
  const status = await run(Deno.args);
  endEarly();
  Deno.exit(status);
}
