/** Compiles and runs C source: the tests' oracle for what headers say. */
import { compile, run } from "./command.ts";

/**
 * Returns what the program prints; `flags` are more arguments for gcc. @throws with the compiler's or the program's own
 * words.
 */
export async function runC(source: string, flags: readonly string[] = []): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".c" });
  try {
    await Deno.writeTextFile(file, source);
    await using program = await compile([new URL(`file://${file}`)], flags);
    return (await run([program.path])).stdout;
  } finally {
    await Deno.remove(file);
  }
}
