/** Requests that a loop tries again: when, how often, and what becomes of those that are interrupted. */
import { assertEquals } from "../deps.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { RequestView } from "../../src/protocol/request.ts";
import { makeInterrupts, WaitingRequests } from "../../src/session/waiting_requests.ts";

/** Of one loop, whose clock stands still until it is told to go on. */
class Loop implements Disposable {
  readonly answers: [unique: number, length: number][] = [];
  readonly served: number[] = [];
  readonly waiting: WaitingRequests;
  #now = 0;

  constructor(interrupts = makeInterrupts()) {
    this.waiting = new WaitingRequests(interrupts, (request, length) => {
      this.answers.push([request.uniqueLower, length]);
      return true;
    });
    performance.now = () => this.#now;
  }

  /** Lets `milliseconds` go by, and serves what is due; `again` says after which time what is served is to be tried again. */
  pass(milliseconds: number, again?: number): number[] {
    this.#now += milliseconds;
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
  const interrupts = makeInterrupts();
  using loop = new Loop(interrupts);
  const HIGH = 2 ** 32 - 2;
  for (const unique of [2, 4, HIGH]) loop.waiting.add(request(unique), 5);
  const reader = new WaitingRequests(interrupts, () => true);
  // Many others since do not hide it.
  for (const unique of [4, HIGH, ...Array.from({ length: 1000 }, (_, index) => 100 + 2 * index)]) {
    reader.interrupt(unique);
  }
  assertEquals(loop.pass(1), []);
  assertEquals(loop.answers, [[4, -ERRNO.EINTR], [HIGH, -ERRNO.EINTR]]);
  assertEquals(loop.pass(4), [2]);
});
