/** Interrupts that come before their requests. */
import { assertEquals } from "../deps.ts";
import { EarlyInterrupts } from "../../src/handler/early_interrupts.ts";

Deno.test("an early interrupt is found once; of many the last are remembered", () => {
  const early = new EarlyInterrupts();
  assertEquals(early.take(2), false);
  early.add(2);
  assertEquals([early.take(4), early.take(2), early.take(2)], [false, true, false]);
  for (let unique = 0; unique < 5000; unique += 2) early.add(unique);
  assertEquals([early.take(0), early.take(4998), early.take(4000)], [false, true, true]);
});
