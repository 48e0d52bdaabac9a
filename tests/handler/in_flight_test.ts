/** Requests in flight: one answer each, deadlines, interrupts, and places that become free. */
import { assert, assertEquals } from "../deps.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import type { Flight } from "../../src/handler/flight.ts";
import { InFlight } from "../../src/handler/in_flight.ts";
import { completeLimits, type LimitOptions } from "../../src/handler/limits.ts";
import { MetricsRecorder } from "../../src/metrics/metrics.ts";
import { RequestView } from "../../src/protocol/request.ts";
import { waitFor } from "../support/mounted.ts";

function makeRequest(opcode: number, unique: number): RequestView {
  const request = RequestView.over(new Uint8Array(STRUCT.fuse_in_header.SIZE));
  request.words[STRUCT.fuse_in_header.opcode >> 2] = opcode;
  request.words[STRUCT.fuse_in_header.unique >> 2] = unique;
  return request;
}

/** A handler's half: keeps what was started, and answers by hand. */
class Desk implements Disposable {
  readonly started: Flight[] = [];
  readonly answers: [unique: number, length: number][] = [];
  readonly metrics = new MetricsRecorder();
  readonly inFlight: InFlight;

  constructor(options: LimitOptions = {}) {
    this.inFlight = new InFlight({
      limits: completeLimits(options),
      metrics: this.metrics,
      start: (flight) => void this.started.push(flight),
      refuse: (request, errno) => this.answer(request, errno),
    });
  }

  take(opcode: number, unique: number): RequestView {
    const request = makeRequest(opcode, unique);
    this.inFlight.take(request);
    return request;
  }

  answer(request: RequestView, length: number): boolean {
    const flight = this.inFlight.end(request);
    if (flight === undefined) return false;
    this.answers.push([request.uniqueLower, length]);
    this.inFlight.leave(flight, length);
    return true;
  }

  [Symbol.dispose](): void {
    this.inFlight[Symbol.dispose]();
  }
}

Deno.test("the first answer counts, the second is dropped", () => {
  using desk = new Desk();
  const request = desk.take(OPCODE.READ, 2);
  assertEquals([desk.answer(request, 4), desk.answer(request, -5)], [true, false]);
  assertEquals(desk.answers, [[2, 4]]);
  const { count, dropped, errors, inFlight } = desk.metrics.read().READ!;
  assertEquals({ count, dropped, errors, inFlight }, { count: 1, dropped: 1, errors: {}, inFlight: 0 });
});

Deno.test("a full kind keeps no other one waiting", () => {
  using desk = new Desk({ bounds: { data: 1 } });
  desk.take(OPCODE.READ, 2);
  desk.take(OPCODE.READ, 4);
  desk.take(OPCODE.LOOKUP, 6);
  desk.take(OPCODE.STATFS, 8);
  desk.take(OPCODE.RELEASE, 10);
  assertEquals(desk.started.map(({ request }) => request.uniqueLower), [2, 6, 8, 10]);
  assertEquals(desk.metrics.read().READ!.queued, 1);
});

Deno.test("deadlines: at work or in the queue, what is out of time is ETIMEDOUT, and its place is free", async () => {
  using desk = new Desk({ bounds: { data: 1 }, deadlines: { data: 5 } });
  const first = desk.take(OPCODE.READ, 2);
  const signal = desk.started[0]!.signal();
  desk.take(OPCODE.READ, 4);
  desk.take(OPCODE.GETATTR, 6);
  await waitFor("both deadlines", () => desk.answers.length >= 2);
  assertEquals(desk.answers, [[2, -110], [4, -110]]);
  assertEquals([signal.aborted, signal.reason.name], [true, "TimeoutError"]);
  assertEquals(desk.answer(first, 4), false);
  const { timedOut, dropped, queued } = desk.metrics.read().READ!;
  assertEquals({ timedOut, dropped, queued }, { timedOut: 2, dropped: 1, queued: 0 });
  assertEquals(desk.inFlight.size, 1);
  const next = desk.take(OPCODE.WRITE, 8);
  assertEquals(desk.started.at(-1)!.request, next);
});

Deno.test("an interrupt fires the signal of what is at work, and answers what waits", () => {
  using desk = new Desk({ bounds: { metadata: 1 } });
  desk.take(OPCODE.LOOKUP, 2);
  desk.take(OPCODE.LOOKUP, 4);
  assert(desk.inFlight.interrupt(4, 0));
  assertEquals(desk.answers, [[4, -4]]);
  assert(desk.inFlight.interrupt(2, 0));
  // The signal is asked for only now.
  assertEquals([desk.started[0]!.signal().aborted, desk.answers.length], [true, 1]);
  assertEquals(desk.inFlight.interrupt(4, 0), false);
});

Deno.test("at the end what waits is answered and what is at work is interrupted", () => {
  using desk = new Desk({ bounds: { data: 1 } });
  desk.take(OPCODE.READ, 2);
  desk.take(OPCODE.READ, 4);
  desk.inFlight.refuseQueued();
  assertEquals([desk.answers, desk.started.length, desk.started[0]!.aborted], [[[4, -4]], 1, false]);
  desk.inFlight.interruptAll();
  assertEquals([desk.answers.length, desk.started[0]!.aborted], [1, true]);
});

Deno.test("what waits too long for room is EAGAIN", async () => {
  using desk = new Desk({ bounds: { administrative: 1, queue: 1, sendTimeout: 5 } });
  for (const unique of [2, 4, 6]) desk.take(OPCODE.STATFS, unique);
  await waitFor("the answer", () => desk.answers.length > 0);
  assertEquals(desk.answers, [[6, -11]]);
  const { overflowed, queued, inFlight } = desk.metrics.read().STATFS!;
  assertEquals({ overflowed, queued, inFlight }, { overflowed: 1, queued: 1, inFlight: 2 });
});
