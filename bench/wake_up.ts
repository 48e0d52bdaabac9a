/** What it takes to wake another process (see wake_up.c): the part of each figure that no server has a say in. */
import { compile, run } from "./run_program.ts";

/** Microseconds to a process that sleeps and back: on one core, and on two where there are two. */
export interface WakeUp {
  readonly sameCore: number;
  readonly otherCore?: number;
}

/** Compiles the program into `programs` and runs it. */
export async function measureWakeUp(programs: string): Promise<WakeUp> {
  const program = `${programs}/wake_up`;
  await compile(program, new URL("wake_up.c", import.meta.url));
  const [same, other] = (await run(program, [])).trim().split(" ") as [string, string];
  return { sameCore: Number(same), ...other !== "-" && { otherCore: Number(other) } };
}
