/** Runs the sandbox whose description is the argument, and exits as the program in it does. */
import { runInside } from "../../src/container/container.ts";

try {
  Deno.exit(await runInside(JSON.parse(Deno.args[0]!)));
} catch (error) {
  console.error(String(error));
  Deno.exit(99);
}
