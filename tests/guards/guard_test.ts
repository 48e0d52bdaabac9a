/** Watchers over what has to be cleared up, whatever becomes of them; with processes, and no mount. */
import { KillGuard } from "../../src/guards/kill_guard.ts";
import { assertEquals } from "../deps.ts";

/** The process that watches: a child of this one, by its name in a list of processes. */
async function watcherCalled(name: string): Promise<number> {
  for await (const task of Deno.readDir("/proc/self/task")) {
    const children = await Deno.readTextFile(`/proc/self/task/${task.name}/children`);
    for (const child of children.split(" ").filter((word) => word !== "")) {
      const words = (await Deno.readTextFile(`/proc/${child}/cmdline`)).split("\0");
      if (words.includes(name)) return Number(child);
    }
  }
  throw new Error(`This process has no child that is called ${name}`);
}

Deno.test("a process that is watched over lives when its watcher is called off", async () => {
  const sleep = new Deno.Command("sleep", { args: ["1000"], stdout: "null", stderr: "null" }).spawn();
  {
    await using guard = KillGuard.start();
    await guard.add(sleep.pid);
  }
  sleep.kill("SIGTERM");
  assertEquals((await sleep.status).signal, "SIGTERM");
});

Deno.test("a watcher that somebody has killed need not be called off", async () => {
  const guard = KillGuard.start();
  Deno.kill(await watcherCalled("trellis-kill-guard"), "SIGKILL");
  await guard[Symbol.asyncDispose]();
});
