/** Checks what the tool says, and with which exit code it ends, when it is asked for what cannot be. */
import { assert, assertEquals } from "../../deps.ts";
import { exists, type Invocation, isMounted, runCli } from "../../support/cli_process.ts";

/** How the tool refuses. */
export interface Refusal {
  code: number;
  /** Words of the message. */
  says: string[];
  /** Default: the first argument after the command. */
  mountpoint?: string;
}

/** Runs the tool and checks that it refuses as told, in words only, and leaves the mountpoint as it was. */
export async function assertRefused(
  args: string[],
  { code, says, mountpoint = args[1]! }: Refusal,
  invocation: Invocation = {},
): Promise<void> {
  const before = { mounted: await isMounted(mountpoint), exists: await isThere(mountpoint) };
  const outcome = await runCli(args, invocation);
  assertEquals({ code: outcome.code, stdout: outcome.stdout }, { code, stdout: "" }, outcome.stderr);
  for (const words of says) assert(outcome.stderr.includes(words), `"${words}" is not in: ${outcome.stderr}`);
  assert(!/^\s+at .*:\d+:\d+/m.test(outcome.stderr), `a stack trace without --debug: ${outcome.stderr}`);
  assertEquals({ mounted: await isMounted(mountpoint), exists: await isThere(mountpoint) }, before);
}

async function isThere(path: string): Promise<boolean> {
  return await exists(path).catch(() => false);
}
