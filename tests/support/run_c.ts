/** Compiles and runs C source: the tests' oracle for what headers say. Needs gcc (`sh setup.sh --dev`). */

/** Returns what the program prints. @throws with the compiler's or the program's own words. */
export async function runC(source: string): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-c-" });
  try {
    await Deno.writeTextFile(`${directory}/program.c`, source);
    await run("gcc", ["-Wall", "-Werror", "-o", `${directory}/program`, `${directory}/program.c`]);
    return await run(`${directory}/program`, []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const output = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`${command} failed: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout);
}
