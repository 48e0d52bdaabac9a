/** What recorders count, and how it is read. */
import { assertEquals } from "../deps.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { makeMetricsBlock, MetricsRecorder, readMetrics } from "../../src/metrics/metrics.ts";

Deno.test("operations that nobody asked for are not shown", () => {
  assertEquals(readMetrics([makeMetricsBlock()]), {});
});

Deno.test("a request is in flight until it is answered, and its error is counted by name", () => {
  const block = makeMetricsBlock();
  const recorder = new MetricsRecorder(block);
  for (let count = 0; count < 3; count++) recorder.begin(OPCODE.LOOKUP);
  recorder.enqueue(OPCODE.LOOKUP);
  recorder.end(OPCODE.LOOKUP, 144, 0.003);
  recorder.end(OPCODE.LOOKUP, -2, 0.003);
  const { LOOKUP, ...others } = readMetrics([block]);
  assertEquals(others, {});
  const { count, errors, inFlight, queued, overflowed, timedOut, dropped } = LOOKUP!;
  assertEquals({ count, errors, inFlight, queued }, { count: 2, errors: { ENOENT: 1 }, inFlight: 1, queued: 1 });
  assertEquals({ overflowed, timedOut, dropped }, { overflowed: 0, timedOut: 0, dropped: 0 });
});

Deno.test("an opcode that nobody knows is counted, too", () => {
  const block = makeMetricsBlock();
  const recorder = new MetricsRecorder(block);
  recorder.begin(4096);
  recorder.end(4096, -38, 0);
  assertEquals(readMetrics([block]).unknown!.errors, { ENOSYS: 1 });
});

Deno.test("the figures of several servers are added up", () => {
  const blocks = [makeMetricsBlock(), makeMetricsBlock()];
  for (const block of blocks) {
    const recorder = new MetricsRecorder(block);
    recorder.begin(OPCODE.READ);
    recorder.begin(OPCODE.READ);
    recorder.end(OPCODE.READ, -5, 0.003);
    recorder.drop(OPCODE.READ);
  }
  const { count, errors, inFlight, dropped, latency } = readMetrics(blocks).READ!;
  assertEquals({ count, errors, inFlight, dropped }, { count: 2, errors: { EIO: 2 }, inFlight: 2, dropped: 2 });
  assertEquals(latency[2], 2);
});
