/** Which loop attends to a device, a pipe here; nothing is mounted and all happens in one thread. */
import { assertEquals } from "../deps.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";
import { Attendance, Attendant } from "../../src/session/attendance.ts";
import type { LoopAttendance } from "../../src/messages.ts";
import { DevicePoll, openDevicePoll } from "../../src/transport/device_poll.ts";
import { SHORTEST_SPIN, Spin } from "../../src/transport/spin.ts";
import { openEventfd, signalEventfd } from "../../src/transport/eventfd.ts";

/** The word of who attends alone. */
const ATTENDANT = 0;

/**
 * As many requests without a break as call all when others wait, and as many as a loop serves beside others before it
 * tries alone: after such a crowd, and otherwise.
 */
const CROWD = 11;
const SHORT_TRIAL = 64;
const TRIAL = 1024;

/** Of as many requests it is looked at whose they are. */
const CALLS = 32;

/** How often who attends alone reads an empty device again, by the clock of {@linkcode startSpin}. */
const READS = 4;

/** Whose requests are, where it does not matter. */
const CALLER = 7;

/** Milliseconds within which a timer has run out. */
const SOON = 1_000;

interface Loops extends Disposable {
  readonly libc: Libc;
  readonly shared: LoopAttendance;
  readonly first: Attendant;
  readonly second: Attendant;
  /** Lets the device have a request, or none. */
  setRequest(there: boolean): void;
  /** Whether all were called since this was last asked. */
  called(): boolean;
}

/** Two loops on a device that has no request, of which the first attends alone. */
function startLoops(): Loops {
  const libc = openLibc();
  const { symbols } = libc;
  const [device, stop] = [openEventfd(libc), openEventfd(libc)];
  const attendance = new Attendance(libc);
  const polls = [0, 1].map(() => openDevicePoll(libc, device, stop));
  const parts = polls.map((poll) => [libc, new DevicePoll(libc, poll), attendance.add(stop)] as const);
  const shared = parts[0]![2];
  return {
    libc,
    shared,
    first: new Attendant(...parts[0]!),
    second: new Attendant(...parts[1]!),
    setRequest(there) {
      if (there) signalEventfd(libc, device);
      else symbols.read(device, new Uint8Array(8), 8);
    },
    called: () => symbols.read(shared.rally, new Uint8Array(8), 8) === 8,
    [Symbol.dispose]() {
      attendance[Symbol.dispose]();
      for (const descriptor of [...polls, device, stop]) symbols.close(descriptor);
    },
  };
}

function repeat(count: number, act: () => void): void {
  for (let done = 0; done < count; done++) act();
}

Deno.test("requests without a break call all loops when others wait behind them, and only then", () => {
  using loops = startLoops();
  loops.setRequest(true);
  repeat(3, () => {
    repeat(CROWD - 1, () => loops.first.begin(CALLER));
    loops.first.wait(0);
  });
  assertEquals(loops.called(), false, "there were breaks");
  loops.setRequest(false);
  repeat(10 * CROWD, () => loops.first.begin(CALLER));
  assertEquals(loops.called(), false, "nobody waited");
  loops.setRequest(true);
  repeat(CROWD, () => loops.first.begin(CALLER));
  assertEquals(loops.called(), true);
});

/** So many requests of callers in turn, each of which asks `each` times. */
function takeTurns(loop: Attendant, requests: number, callers: readonly number[], each = 1): void {
  for (let done = 0; done < requests; done++) loop.begin(callers[Math.floor(done / each) % callers.length]!);
}

Deno.test("callers that take turns call all loops, and those that follow each other do not", () => {
  using loops = startLoops();
  const [one, other] = [CALLER, CALLER + 1];
  takeTurns(loops.first, 10 * CALLS, [one]);
  assertEquals(loops.called(), false, "one caller");
  takeTurns(loops.first, 10 * CALLS, [one, other], CALLS);
  assertEquals(loops.called(), false, "one after the other");
  takeTurns(loops.first, 10 * CALLS, [one, 0]);
  assertEquals(loops.called(), false, "and the kernel's own requests");
  takeTurns(loops.first, CALLS, [one, other]);
  assertEquals(loops.called(), true);
});

Deno.test("all attend as long as there is more than one caller, also when each asks many times in a row", () => {
  using loops = startLoops();
  loops.first.callAll();
  takeTurns(loops.second, 10 * TRIAL, [CALLER, CALLER + 1], TRIAL / 4);
  assertEquals(loops.shared.words[ATTENDANT], 0);
  takeTurns(loops.second, 2 * TRIAL, [CALLER]);
  assertEquals(loops.shared.words[ATTENDANT], 2);
});

Deno.test("programs that run one after the other are served by one loop again", () => {
  using loops = startLoops();
  loops.first.callAll();
  takeTurns(loops.second, TRIAL, Array.from({ length: 40 }, (_, index) => CALLER + index), TRIAL / 40);
  assertEquals(loops.shared.words[ATTENDANT], 2);
});

Deno.test("after a crowd, which may have been one caller's, a loop soon tries alone", () => {
  using loops = startLoops();
  loops.setRequest(true);
  repeat(CROWD, () => loops.first.begin(CALLER));
  assertEquals(loops.shared.words[ATTENDANT], 0);
  repeat(SHORT_TRIAL - 1, () => loops.second.begin(CALLER));
  assertEquals(loops.shared.words[ATTENDANT], 0);
  loops.second.begin(CALLER);
  assertEquals(loops.shared.words[ATTENDANT], 2);
});

Deno.test("one that rests calls all when the timer finds the first at the same request", () => {
  using loops = startLoops();
  loops.first.begin(CALLER);
  // The timer wakes it: a test that hangs here has lost it.
  loops.second.wait(-1);
  assertEquals(loops.called(), true);
});

Deno.test("one that goes to rest sets the timer, unless the first sleeps and will set it", () => {
  using loops = startLoops();
  // The first has begun nothing and does not sleep: it may be held up by what is not counted.
  loops.second.wait(-1);
  assertEquals(loops.called(), true);
});

Deno.test("the timer does not call for a loop that goes on, and is set again for it", () => {
  using loops = startLoops();
  loops.first.begin(CALLER);
  repeat(5, () => {
    loops.first.wait(0);
    loops.first.begin(CALLER);
    loops.second.wait(-1);
    assertEquals(loops.called(), false);
  });
  loops.second.wait(-1);
  assertEquals(loops.called(), true);
});

Deno.test("who attends alone and leaves calls all, and who does not calls nobody", () => {
  using loops = startLoops();
  loops.second.callAll();
  assertEquals(loops.called(), false);
  loops.first.callAll();
  assertEquals(loops.called(), true);
  loops.first.callAll();
  assertEquals(loops.called(), false);
});

Deno.test("after a number of requests beside others a loop attends alone again", () => {
  using loops = startLoops();
  loops.first.callAll();
  assertEquals(loops.called(), true);
  repeat(TRIAL - 1, () => loops.second.begin(CALLER));
  loops.second.callAll();
  assertEquals(loops.called(), false, "it did not attend alone yet");
  // As a loop leaves them that was called while it slept.
  loops.shared.words[3] = 1;
  signalEventfd(loops.libc, loops.shared.rally);
  loops.second.begin(CALLER);
  assertEquals(loops.called(), false, "the old call is taken back");
  // It is the second now: it does not sleep, and the timer is set for it.
  loops.first.wait(SOON);
  assertEquals(loops.called(), true);
  repeat(TRIAL, () => loops.second.begin(CALLER));
  // Only its crowds call.
  loops.setRequest(true);
  repeat(CROWD, () => loops.first.begin(CALLER));
  assertEquals(loops.called(), false);
  repeat(CROWD, () => loops.second.begin(CALLER));
  assertEquals(loops.called(), true);
});

/** A device without a request. Its waits tell a loop to stop, so that they can be told from reading once more. */
class EmptyDevice {
  /** Called in each wait. */
  look = () => {};

  wait(): boolean {
    this.look();
    return true;
  }
}

/** How often the attendant reads again before each of so many sleeps. */
function readsBeforeSleeps(attendant: Attendant, sleeps: number): number[] {
  return Array.from({ length: sleeps }, () => {
    let reads = 0;
    while (!attendant.wait(-1)) reads++;
    return reads;
  });
}

/** A spin whose clock goes on by so much with each look that it is over after `READS` reads. */
function startSpin(): Spin {
  let now = 1;
  return new Spin(() => now += SHORTEST_SPIN / (READS - 0.6));
}

Deno.test("a loop reads an empty device again before it sleeps, and again after a request", async (t) => {
  using loops = startLoops();
  for (const shared of [undefined, loops.shared]) {
    await t.step(shared === undefined ? "the only one" : "who attends alone", () => {
      const attendant = new Attendant(loops.libc, new EmptyDevice() as unknown as DevicePoll, shared, startSpin());
      assertEquals(readsBeforeSleeps(attendant, 3), [READS, 0, READS]);
      readsBeforeSleeps(attendant, 2);
      attendant.wait(-1);
      attendant.begin(CALLER);
      assertEquals(readsBeforeSleeps(attendant, 3), [READS, 0, READS]);
    });
  }
});

Deno.test("while all attend a loop sleeps at once, and nobody else looks after one that sleeps", () => {
  using loops = startLoops();
  const device = new EmptyDevice();
  const first = new Attendant(loops.libc, device as unknown as DevicePoll, loops.shared);
  const asleep: number[] = [];
  device.look = () => asleep.push(loops.shared.words[3]!);
  readsBeforeSleeps(first, 1);
  assertEquals([asleep, loops.shared.words[3]], [[1], 0]);
  first.callAll();
  assertEquals(readsBeforeSleeps(first, 3), [0, 0, 0]);
});

Deno.test("a call that came too late wakes one that rests once, and nobody for ever", () => {
  using loops = startLoops();
  signalEventfd(loops.libc, loops.shared.rally);
  loops.second.wait(-1);
  assertEquals(loops.called(), false);
});

Deno.test("one that rests calls nobody while the first sleeps", () => {
  using loops = startLoops();
  loops.first.begin(CALLER);
  // As it would be while the first is in the kernel: `wait` says so and takes it back.
  loops.shared.words[3] = 1;
  loops.second.wait(-1);
  assertEquals(loops.called(), false);
  loops.shared.words[3] = 0;
  // With its next request it sets the timer again.
  loops.first.begin(CALLER);
  loops.second.wait(-1);
  assertEquals(loops.called(), true);
});
