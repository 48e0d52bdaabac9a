/** Requests that a loop tries again: when, how often, and what becomes of those that are interrupted. */
import { assertEquals } from "../deps.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { RequestView } from "../../src/protocol/request.ts";
import { makeInterrupts } from "../../src/session/interrupts.ts";
import { WaitingRequests } from "../../src/session/waiting_requests.ts";

/** More interrupts than there is room for at a time. */
const MANY = 2500;

/** Milliseconds on the clock of all loops, which stands still until one of them lets time go by. */
let clock = 0;

/** What waits in one loop. */
class Loop implements Disposable {
  readonly answers: [unique: number, length: number][] = [];
  readonly served: number[] = [];
  readonly waiting: WaitingRequests;

  constructor(interrupts = makeInterrupts(1), loop = 0) {
    this.waiting = new WaitingRequests(interrupts, (request, length) => {
      this.answers.push([request.uniqueLower, length]);
      return true;
    }, loop);
    performance.now = () => clock;
  }

  /** Lets `milliseconds` go by, and serves what is due; `again` says after which time what is served is to be tried again. */
  pass(milliseconds: number, again?: number): number[] {
    clock += milliseconds;
    this.served.length = 0;
    this.waiting.serveDue((request) => {
      this.served.push(request.uniqueLower);
      if (again !== undefined) this.waiting.add(request, again);
    });
    return this.served;
  }

  [Symbol.dispose](): void {
    // The prototype's own.
    delete (performance as { now?: unknown }).now;
  }
}

function request(unique: number): RequestView {
  const view = RequestView.over(new Uint8Array(STRUCT.fuse_in_header.SIZE));
  view.words[STRUCT.fuse_in_header.len >> 2] = STRUCT.fuse_in_header.SIZE;
  view.words[STRUCT.fuse_in_header.unique >> 2] = unique;
  return view;
}

Deno.test("a request is tried when its time has come, and again after ever longer times", () => {
  using loop = new Loop();
  assertEquals([loop.waiting.size, loop.waiting.untilNext()], [0, -1]);
  loop.waiting.add(request(2), 3);
  assertEquals([loop.waiting.size, loop.waiting.untilNext()], [1, 3]);
  assertEquals(loop.pass(2, 3), []);
  for (const next of [6, 12, 20, 20]) {
    // The time that the method asks for counts once only.
    assertEquals(loop.pass(loop.waiting.untilNext(), 3), [2]);
    assertEquals(loop.waiting.untilNext(), next);
  }
  assertEquals(loop.pass(25), [2]);
  assertEquals([loop.waiting.size, loop.answers], [0, []]);
});

Deno.test("of several the first to be due is waited for, and the others stay", () => {
  using loop = new Loop();
  for (const [unique, milliseconds] of [[2, 9], [4, 4], [6, 6.5]] as const) {
    loop.waiting.add(request(unique), milliseconds);
  }
  assertEquals(loop.waiting.untilNext(), 4);
  assertEquals(loop.pass(4), [4]);
  assertEquals([loop.waiting.size, loop.waiting.untilNext()], [2, 3]);
  assertEquals(loop.pass(100), [2, 6]);
});

Deno.test("what the loop reads next does not change what waits", () => {
  using loop = new Loop();
  const view = request(2);
  loop.waiting.add(view, 1);
  view.words[STRUCT.fuse_in_header.unique >> 2] = 4;
  assertEquals(loop.pass(1), [2]);
});

Deno.test("a request that is interrupted, in whichever loop, is answered and not tried again", () => {
  const interrupts = makeInterrupts(2);
  using loop = new Loop(interrupts);
  loop.pass(0);
  const HIGH = 2 ** 32 - 2;
  for (const unique of [2, 4, HIGH]) loop.waiting.add(request(unique), 5);
  using reader = new Loop(interrupts, 1);
  // Many others since do not hide it.
  for (const unique of [4, HIGH, ...uniques(1000)]) reader.waiting.interrupt(unique);
  assertEquals(loop.pass(1), []);
  assertEquals(loop.answers, [[4, -ERRNO.EINTR], [HIGH, -ERRNO.EINTR]]);
  assertEquals(loop.pass(4), [2]);
});

Deno.test("a loop that does not come round loses no interrupt, however many others read", () => {
  const interrupts = makeInterrupts(2);
  using loop = new Loop(interrupts);
  using reader = new Loop(interrupts, 1);
  loop.pass(0);
  for (const unique of uniques(MANY)) loop.waiting.add(request(unique), 1000);
  for (const unique of uniques(MANY)) {
    reader.pass(0);
    reader.waiting.interrupt(unique);
  }
  assertEquals([reader.waiting.size, reader.waiting.rest()], [0, 5]);
  for (let rounds = 0; rounds < 3; rounds++) {
    loop.pass(5);
    reader.pass(5);
  }
  assertEquals(loop.answers, uniques(MANY).map((unique) => [unique, -ERRNO.EINTR]));
  assertEquals([loop.waiting.size, reader.waiting.rest()], [0, -1]);
});

Deno.test("a loop that does not come round keeps no interrupt from the others", () => {
  const interrupts = makeInterrupts(3);
  using loop = new Loop(interrupts);
  using stuck = new Loop(interrupts, 1);
  using reader = new Loop(interrupts, 2);
  stuck.pass(0);
  loop.pass(0);
  for (const unique of uniques(MANY)) loop.waiting.add(request(unique), 1000);
  for (const unique of uniques(MANY)) {
    reader.waiting.interrupt(unique);
    loop.pass(0);
  }
  assertEquals([loop.answers.length, loop.waiting.rest(), reader.waiting.rest()], [MANY, -1, 5]);
});

Deno.test("an interrupt is not lost while its request is at work, before it waits", () => {
  const interrupts = makeInterrupts(2);
  using loop = new Loop(interrupts);
  using reader = new Loop(interrupts, 1);
  loop.waiting.rest();
  loop.pass(0);
  for (const unique of [2, ...uniques(MANY)]) reader.waiting.interrupt(unique);
  loop.waiting.add(request(2), 1000);
  loop.pass(0);
  assertEquals(loop.answers, [[2, -ERRNO.EINTR]]);
});

Deno.test("an interrupt is not lost that comes while a loop is about to wake up", () => {
  const interrupts = makeInterrupts(2);
  using loop = new Loop(interrupts);
  using reader = new Loop(interrupts, 1);
  loop.pass(0);
  loop.waiting.rest();
  reader.waiting.interrupt(2);
  loop.waiting.attend();
  for (const unique of uniques(MANY)) reader.waiting.interrupt(unique);
  loop.waiting.add(request(2), 1000);
  loop.pass(0);
  assertEquals(loop.answers, [[2, -ERRNO.EINTR]]);
});

Deno.test("loops that sleep, or have not begun, or serve and have nothing that waits, hold up no interrupt", () => {
  const interrupts = makeInterrupts(4);
  using sleeping = new Loop(interrupts);
  using serving = new Loop(interrupts, 1);
  using reader = new Loop(interrupts, 2);
  sleeping.pass(0);
  assertEquals(sleeping.waiting.rest(), -1);
  for (const unique of uniques(MANY)) {
    serving.pass(0);
    reader.pass(0);
    reader.waiting.interrupt(unique);
  }
  assertEquals(reader.waiting.rest(), -1);
});

Deno.test("a loop that is alone looks at all that it reads at a time", () => {
  using loop = new Loop();
  loop.pass(0);
  for (const unique of uniques(MANY)) loop.waiting.add(request(unique), 1000);
  for (const unique of uniques(MANY)) loop.waiting.interrupt(unique);
  for (let rounds = 0; rounds < 3; rounds++) loop.pass(5);
  assertEquals([loop.answers.length, loop.waiting.rest()], [MANY, -1]);
});

/** So many, none of them 2 or 4. */
function uniques(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 100 + 2 * index);
}
