/** What the loops of a live mount count. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";

Deno.test("the figures of all loops are added up, and one that is tried again is one request", async () => {
  const module = new URL("later_module.ts", import.meta.url);
  const mounted = await mountTemporarily({ module, loops: 2 }, { entryTimeout: 0 });
  {
    await using _ = mounted;
    for (const name of ["one", "two", "third"]) await Deno.stat(`${mounted.path}/${name}`);
    await Deno.stat(`${mounted.path}/one`);
    await assertRejects(() => Deno.mkdir(`${mounted.path}/new`));
    const waiting = new Deno.Command("stat", { args: [`${mounted.path}/never`], stdout: "null", stderr: "null" })
      .spawn();
    await waitFor("the request that waits", () => mounted.session.metrics().LOOKUP!.inFlight === 1);
    waiting.kill("SIGKILL");
    await waiting.status;
    await waitFor("its interrupt", () => mounted.session.metrics().LOOKUP!.inFlight === 0);
  }
  const { LOOKUP, MKDIR, FORGET } = mounted.session.metrics();
  assertEquals(FORGET, undefined);
  assertEquals(LOOKUP!.count, 6, "four names, the one to be made, and the one that never came");
  assertEquals(LOOKUP!.errors, { EINTR: 1 });
  assertEquals(MKDIR, undefined, "the lookup says that it is there already");
  assertEquals(LOOKUP!.latency.reduce((sum, count) => sum + count), LOOKUP!.count);
  const slow = LOOKUP!.latency.slice(10).reduce((sum, count) => sum + count);
  assert(slow >= 2, `the one tried thrice and the one interrupted took a millisecond: ${LOOKUP!.latency}`);
});
