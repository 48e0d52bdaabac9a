/** A process that is asked in frames: what it says wrong is an error, and never a hang. */
import { FrameError } from "../../src/control/frames.ts";
import { ProcessFailure } from "../../src/keeper/failure.ts";
import { startProcess } from "../../src/keeper/deno_process.ts";
import { FramedProcess, ProcessLost } from "../../src/keeper/framed_process.ts";
import { LONGEST } from "../../src/keeper/messages.ts";
import { assertEquals, assertRejects } from "../deps.ts";

const ENTRY = new URL("garbled_process.ts", import.meta.url);

function start() {
  return new FramedProcess<{ kind: string }, { kind: "ready" } | { kind: "done" }>(startProcess(ENTRY), {
    ...{ title: "The process", kinds: ["ready", "done"] },
    onMessage: () => {},
  });
}

Deno.test("an answer that is none ends the process, and whoever asked hears why", async (t) => {
  for (const kind of ["no JSON", "too long", "an unknown kind", "half a frame"]) {
    await t.step(kind, async () => {
      const process = start();
      await assertRejects(() => process.ask({ kind }, "ready"), ProcessLost, "The process");
      await process.ended;
    });
  }
});

Deno.test("a process that answers is asked again, and is gone when it was killed", async () => {
  const process = start();
  const message = { kind: "what is asked for" };
  assertEquals(await process.ask(message, "ready"), { kind: "ready" });
  const both = [process.ask(message, "ready"), process.ask(message, "ready")];
  assertEquals(await Promise.all(both), [{ kind: "ready" }, { kind: "ready" }]);
  const waiting = assertRejects(() => process.ask({ kind: "half" }, "ready"), ProcessLost);
  process.kill();
  await waiting;
  assertEquals(await process.ended, "SIGKILL");
  await assertRejects(() => process.tell(message), ProcessLost, "is gone");
});

Deno.test("a failure that names a kind is that of who waits for it, and what is too long to say is asked of nobody", async () => {
  const process = start();
  await assertRejects(() => process.ask({ kind: "x".repeat(LONGEST) }, "done"), FrameError, "Cannot send a frame");
  const other = process.ask({ kind: "nothing" }, "ready");
  await assertRejects(() => process.ask({ kind: "that it failed" }, "done"), ProcessFailure, "no");
  await process.tell({ kind: "what is asked for" });
  assertEquals(await other, { kind: "ready" });
  process.kill();
  await process.ended;
});
