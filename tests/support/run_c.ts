/** Compiles and runs C source: the tests' oracle for what headers say. */
import { compile, run } from "./command.ts";

/** Returns what the program prints. @throws with the compiler's or the program's own words. */
export async function runC(source: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".c" });
  try {
    await Deno.writeTextFile(file, source);
    await using program = await compile([new URL(`file://${file}`)]);
    return (await run([program.path])).stdout;
  } finally {
    await Deno.remove(file);
  }
}
