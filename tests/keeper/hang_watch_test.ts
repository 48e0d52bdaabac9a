/** When a server counts as hung. */
import { HangWatch } from "../../src/keeper/hang_watch.ts";
import type { JournalSlot } from "../../src/kept/journal.ts";
import { assertEquals } from "../deps.ts";

const slot = (count: number, begun?: number, beats = 0): JournalSlot => ({ count, beats, begun, answer: undefined });

Deno.test("a loop that is at one request for too long hangs, and others do not excuse it", () => {
  const watch = new HangWatch(1000, [slot(5), slot(7)], 0);
  assertEquals(watch.look([slot(6, 20), slot(7)], false, 500), undefined);
  assertEquals(watch.look([slot(6, 20), slot(8)], false, 1400), undefined);
  assertEquals(watch.look([slot(6, 20), slot(9)], false, 1500), "loop 0 has been at one request for 1 s");
  assertEquals(watch.look([slot(7, 22), slot(9)], false, 1600), undefined);
});

Deno.test("a request that was taken before anybody looked counts from the first look on", () => {
  const watch = new HangWatch(1000, [slot(1, 20)], 0);
  assertEquals(watch.look([slot(1, 20)], false, 900), undefined);
  assertEquals(watch.look([slot(1, 20)], false, 1000), "loop 0 has been at one request for 1 s");
});

Deno.test("requests that nobody reads are a hang, and those that are read one after the other are none", () => {
  const watch = new HangWatch(1000, [slot(5)], 0);
  assertEquals(watch.look([slot(5)], true, 900), undefined);
  assertEquals(watch.look([slot(6)], true, 1100), undefined);
  assertEquals(watch.look([slot(6)], true, 2000), undefined);
  assertEquals(watch.look([slot(6)], false, 2050), undefined);
  assertEquals(watch.look([slot(6)], true, 3000), undefined);
  assertEquals(watch.look([slot(6)], true, 3050), "nobody has read for 1 s what waits to be read");
});

Deno.test("a handler that comes round to its events does not hang, however long its methods wait", () => {
  const watch = new HangWatch(1000, [slot(5), slot(7, undefined, 1)], 0);
  assertEquals(watch.look([slot(5), slot(7, undefined, 2)], false, 900), undefined);
  assertEquals(watch.look([slot(5), slot(7, undefined, 3)], false, 1800), undefined);
  // One request after the other, without a turn for events between them.
  assertEquals(watch.look([slot(5), slot(9, 20, 3)], false, 2700), undefined);
  assertEquals(watch.look([slot(5), slot(9, undefined, 4)], false, 3600), undefined);
});

Deno.test("a handler that does not come round hangs, in a method or after one, and one that has ended does not", () => {
  for (const begun of [undefined, 20]) {
    const watch = new HangWatch(1000, [slot(5), slot(7, begun, 4)], 0);
    assertEquals(watch.look([slot(6), slot(7, begun, 4)], false, 900), undefined);
    const stuck = "the handler in place 1 has not come round to its events for 1 s";
    assertEquals(watch.look([slot(6), slot(7, begun, 4)], false, 1000), stuck);
    assertEquals(watch.look([slot(6), slot(7)], false, 1100), undefined);
    assertEquals(watch.look([slot(6), slot(7)], false, 3000), undefined);
    // Another in its place has as long again.
    assertEquals(watch.look([slot(6), slot(7, undefined, 1)], false, 3500), undefined);
    assertEquals(watch.look([slot(6), slot(7, undefined, 1)], false, 4400), undefined);
    assertEquals(watch.look([slot(6), slot(7, undefined, 1)], false, 4500), stuck);
  }
});
