/** Who waits for whose lock: which circles of waits are believed. */
import { LockWaits, makeLockWaits } from "../../src/layers/passthrough/lock_waits.ts";
import { assertEquals } from "../deps.ts";

// Owners are 64-bit numbers that the kernel draws by lot.
const A = 0xfedc_ba98_7654_3210n;
const B = 0x0123_4567_89ab_cdefn;
const C = 0xfedc_ba98_0000_0001n;

Deno.test("two that wait for each other, try after try, are a circle, and one of them is told", () => {
  const waits = new LockWaits(makeLockWaits());
  const outcomes = [];
  for (let round = 0; round < 2; round++) outcomes.push(waits.closesCircle(A, B), waits.closesCircle(B, A));
  assertEquals(outcomes, [false, false, false, true]);
  assertEquals(waits.closesCircle(A, B), false);
});

Deno.test("a circle may have many members", () => {
  const waits = new LockWaits(makeLockWaits());
  const tryAll = () => [waits.closesCircle(A, B), waits.closesCircle(B, C), waits.closesCircle(C, A)];
  assertEquals(tryAll(), [false, false, false]);
  assertEquals(tryAll(), [false, false, true]);
});

Deno.test("a wait that has ended, and is not yet written down as ended, makes no circle", () => {
  const waits = new LockWaits(makeLockWaits());
  waits.closesCircle(A, B);
  // B gave the lock back and A has it, but its loop has not come to `end`: B wants the lock again, and tries on.
  for (let attempt = 0; attempt < 10; attempt++) assertEquals(waits.closesCircle(B, A), false);
  waits.end(A);
  assertEquals(waits.closesCircle(B, A), false);
});

Deno.test("a chain that leads into a circle of others is none, and nobody waits for itself", () => {
  const waits = new LockWaits(makeLockWaits());
  for (let round = 0; round < 3; round++) {
    waits.closesCircle(B, C);
    waits.closesCircle(C, B);
    assertEquals(waits.closesCircle(A, B), false);
    assertEquals(waits.closesCircle(A, A), false);
  }
});
