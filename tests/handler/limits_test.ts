/** Limits: what holds when nothing is said, and what is refused. */
import { assertEquals, assertThrows } from "../deps.ts";
import { completeLimits, divideLimits } from "../../src/handler/limits.ts";

Deno.test("what is left out has its default", () => {
  const limits = completeLimits({ deadlines: { data: 250 }, bounds: { metadata: 7 } });
  assertEquals(limits.deadlines, { data: 250, metadata: Infinity, administrative: Infinity });
  assertEquals(limits.bounds, {
    data: 100,
    metadata: 7,
    administrative: 10,
    queue: 1000,
    queueBytes: 128 << 20,
    sendTimeout: 5000,
  });
});

Deno.test("limits that make no sense are refused by name", () => {
  for (const value of [0, -1, NaN]) {
    assertThrows(() => completeLimits({ deadlines: { metadata: value } }), RangeError, "deadlines.metadata");
    assertThrows(() => completeLimits({ bounds: { sendTimeout: value } }), RangeError, "bounds.sendTimeout");
  }
  assertThrows(() => completeLimits({ bounds: { data: 1.5 } }), RangeError, "bounds.data is 1.5");
  assertThrows(() => completeLimits({ bounds: { queue: 0 } }), RangeError, "bounds.queue");
});

Deno.test("workers share the bounds, rounded up, and each keeps to the deadlines", () => {
  const limits = divideLimits(completeLimits({ deadlines: { data: 250 }, bounds: { data: Infinity, queue: 5 } }), 4);
  assertEquals(limits.deadlines.data, 250);
  assertEquals(limits.bounds, {
    data: Infinity,
    metadata: 25,
    administrative: 3,
    queue: 2,
    queueBytes: 32 << 20,
    sendTimeout: 5000,
  });
});
