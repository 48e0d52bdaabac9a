/** The processes of a sandbox that are found only when some of them have ended. */
import { adoptOrphans, lives, SandboxProcesses } from "../../src/container/sandbox_processes.ts";
import { assertEquals } from "../deps.ts";
import { requireTools } from "../support/command.ts";

const NAMESPACES = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"];

Deno.test("what an interrupted program left behind is not taken for the program, and is killed", async () => {
  await requireTools(["bwrap"]);
  using _orphans = adoptOrphans();
  const monitor = new Deno.Command("bwrap", {
    args: [...NAMESPACES, "--", "sh", "-c", "sleep 600 & echo ready; wait"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = monitor.stdout.getReader();
  await reader.read();
  const processes = new SandboxProcesses(monitor);
  const reaper = (await processes.reaper())!;
  const program = (await processes.program())!;
  // As Ctrl-C does, to which only what is left behind does not listen.
  monitor.kill("SIGINT");
  Deno.kill(program, "SIGINT");
  await monitor.status;
  while (await lives(program)) await new Promise((resolve) => setTimeout(resolve, 5));
  const late = new SandboxProcesses(monitor);
  const timer = Promise.withResolvers<string>();
  const deadline = setTimeout(() => timer.resolve("it still waits"), 10_000);
  const status = await Promise.race([late.end(), timer.promise]);
  clearTimeout(deadline);
  if (await lives(reaper)) Deno.kill(reaper, "SIGKILL");
  await reader.cancel();
  assertEquals(status, 128 + 2);
});
