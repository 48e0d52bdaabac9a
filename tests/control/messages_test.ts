/** Messages: what is no request, no answer or another version is refused by name. */
import { assertEquals, assertThrows, fc } from "../deps.ts";
import { ControlError, readRequest, readResult, readStatusReport } from "../../src/control/messages.ts";

Deno.test("requests that make no sense are refused with a code", async (t) => {
  const cases: [value: unknown, code: string][] = [
    [null, "malformed"],
    [[], "malformed"],
    ["status", "malformed"],
    [{}, "version"],
    [{ version: 2, command: "status" }, "version"],
    [{ version: 1 }, "command"],
    [{ version: 1, command: "toString" }, "command"],
    [{ version: 1, command: ["status"] }, "command"],
  ];
  for (const [value, code] of cases) {
    await t.step(JSON.stringify(value), () => {
      assertEquals(assertThrows(() => readRequest(value, ["status"]), ControlError).code, code);
    });
  }
  assertEquals(readRequest({ version: 1, command: "status" }, ["status"]).command, "status");
});

Deno.test("a refusal is thrown with its code, a result is given as it is", () => {
  assertEquals(readResult({ version: 1, result: null }), null);
  const refusal = { version: 1, error: { code: "command", message: "There is no command" } };
  assertEquals(assertThrows(() => readResult(refusal), ControlError, "no command").code, "command");
  for (const answer of [{ version: 1 }, { version: 1, error: 7 }, { version: 1, error: null }]) {
    assertEquals(assertThrows(() => readResult(answer), ControlError).code, "malformed");
  }
});

Deno.test("a report is taken whole or not at all", () => {
  const operation = { count: 1, errors: { EIO: 1 }, inFlight: 0, queued: 0, dropped: 0, latency: [0, 1] };
  const report = {
    mountpoint: "/mnt",
    placement: "loop",
    transport: "uring",
    transportReason: "transport=uring",
    servers: 1,
    pid: 7,
    uptimeSeconds: 1.5,
    minor: 45,
    features: ["big-writes"],
    operations: { LOOKUP: operation },
  };
  const read: unknown = readStatusReport(report);
  assertEquals(read, report);
  for (const field of Object.keys(report)) {
    assertThrows(() => readStatusReport({ ...report, [field]: undefined }), ControlError, "no status report");
  }
  for (const field of Object.keys(operation)) {
    const operations = { LOOKUP: { ...operation, [field]: undefined } };
    assertThrows(() => readStatusReport({ ...report, operations }), ControlError, "no status report");
  }
});

Deno.test("whatever comes is a message or a ControlError", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    for (const read of [(it: unknown) => readRequest(it, ["status"]), readResult, readStatusReport]) {
      try {
        read(value);
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
      }
    }
  }));
});
