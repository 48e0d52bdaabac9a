/** What the recorder counts, and how it is read. */
import { assertEquals } from "../deps.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { MetricsRecorder } from "../../src/handler/metrics.ts";

Deno.test("operations that nobody asked for are not shown", () => {
  assertEquals(new MetricsRecorder().read(), {});
});

Deno.test("a request is in flight until it is answered, and its error is counted by name", () => {
  const recorder = new MetricsRecorder();
  for (let count = 0; count < 3; count++) recorder.begin(OPCODE.LOOKUP);
  recorder.enqueue(OPCODE.LOOKUP);
  recorder.end(OPCODE.LOOKUP, 144, 0.003);
  recorder.end(OPCODE.LOOKUP, -2, 0.003);
  const { LOOKUP, ...others } = recorder.read();
  assertEquals(others, {});
  const { count, errors, inFlight, queued, overflowed, timedOut, dropped } = LOOKUP!;
  assertEquals({ count, errors, inFlight, queued }, { count: 2, errors: { ENOENT: 1 }, inFlight: 1, queued: 1 });
  assertEquals({ overflowed, timedOut, dropped }, { overflowed: 0, timedOut: 0, dropped: 0 });
});

Deno.test("latencies fall into buckets by powers of two, in microseconds", async (t) => {
  const cases: [milliseconds: number, bucket: number][] = [
    [0, 0],
    [0.0009, 0],
    [0.001, 1],
    [0.0019, 1],
    [0.002, 2],
    [0.003, 2],
    [0.004, 3],
    [1, 10],
    [1000, 20],
    [Infinity, 31],
  ];
  for (const [milliseconds, bucket] of cases) {
    await t.step(`${milliseconds} ms`, () => {
      const recorder = new MetricsRecorder();
      recorder.begin(OPCODE.READ);
      recorder.end(OPCODE.READ, 0, milliseconds);
      assertEquals(recorder.read().READ!.latency.indexOf(1), bucket);
    });
  }
});

Deno.test("an opcode that nobody knows is counted, too", () => {
  const recorder = new MetricsRecorder();
  recorder.begin(4096);
  recorder.end(4096, -38, 0);
  assertEquals(recorder.read().unknown!.errors, { ENOSYS: 1 });
});
