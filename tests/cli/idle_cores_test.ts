/** What doctor says of idle cores, on machines of all kinds. */
import { examineIdleCores } from "../../src/cli/idle_cores.ts";
import { assertEquals } from "../deps.ts";

const POLL = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";

/** On a machine whose governor and polling time are these files' texts. */
async function examineWith(governor: string | undefined, poll: string | undefined) {
  return await examineIdleCores((path) => Promise.resolve(path === POLL ? poll : governor));
}

Deno.test("cores that are halted at once have advice, others have none", async () => {
  assertEquals(await examineWith("haltpoll\n", "0\n"), {
    governor: "haltpoll",
    waits: 0,
    advice: `as root: echo 200000 >${POLL}`,
  });
  assertEquals(await examineWith("haltpoll\n", "200000\n"), { governor: "haltpoll", waits: 200, advice: undefined });
});

Deno.test("the polling time of another governor does not count", async () => {
  const nothing = { waits: undefined, advice: undefined };
  assertEquals(await examineWith("menu\n", "0\n"), { governor: "menu", ...nothing });
  assertEquals(await examineWith("haltpoll\n", undefined), { governor: "haltpoll", ...nothing });
  assertEquals(await examineWith(undefined, "0\n"), { governor: undefined, ...nothing });
});
