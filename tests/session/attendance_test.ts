/** Which loop attends to a device, a pipe here; nothing is mounted and all happens in one thread. */
import { assertEquals } from "../deps.ts";
import { type Libc, openLibc } from "../../ffi/library.ts";
import { Attendance, Attendant } from "../../src/session/attendance.ts";
import type { LoopAttendance } from "../../src/messages.ts";
import { DevicePoll, openDevicePoll } from "../../src/transport/device_poll.ts";
import { openEventfd, signalEventfd } from "../../src/transport/eventfd.ts";

/** As many requests without a break as call all when others wait, and as many as a loop serves beside others. */
const CROWD = 11;
const TRIAL = 128;

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
    repeat(CROWD - 1, () => loops.first.begin());
    loops.first.wait(0);
  });
  assertEquals(loops.called(), false, "there were breaks");
  loops.setRequest(false);
  repeat(10 * CROWD, () => loops.first.begin());
  assertEquals(loops.called(), false, "nobody waited");
  loops.setRequest(true);
  repeat(CROWD, () => loops.first.begin());
  assertEquals(loops.called(), true);
});

Deno.test("one that rests calls all when the timer finds the first at the same request", () => {
  using loops = startLoops();
  loops.first.begin();
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
  loops.first.begin();
  repeat(5, () => {
    loops.first.wait(0);
    loops.first.begin();
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
  repeat(TRIAL - 1, () => loops.second.begin());
  loops.second.callAll();
  assertEquals(loops.called(), true, "the first's call, and only that");
  loops.second.begin();
  // It is the second now, whose crowds call.
  loops.setRequest(true);
  repeat(CROWD, () => loops.first.begin());
  assertEquals(loops.called(), false);
  repeat(CROWD, () => loops.second.begin());
  assertEquals(loops.called(), true);
});

Deno.test("a call that came too late wakes one that rests once, and nobody for ever", () => {
  using loops = startLoops();
  loops.libc.symbols.write(loops.shared.rally, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  loops.second.wait(-1);
  assertEquals(loops.called(), false);
});

Deno.test("one that rests calls nobody while the first sleeps", () => {
  using loops = startLoops();
  loops.first.begin();
  // As it would be while the first is in the kernel: `wait` says so and takes it back.
  loops.shared.words[3] = 1;
  loops.second.wait(-1);
  assertEquals(loops.called(), false);
  loops.shared.words[3] = 0;
  // With its next request it sets the timer again.
  loops.first.begin();
  loops.second.wait(-1);
  assertEquals(loops.called(), true);
});
