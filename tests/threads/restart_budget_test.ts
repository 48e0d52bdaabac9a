/** The budget of restarts. */
import { assertEquals } from "../deps.ts";
import { RestartBudget } from "../../src/threads/restart_budget.ts";

Deno.test("three restarts in any minute, and no more", () => {
  const budget = new RestartBudget();
  const spent = [0, 10_000, 20_000, 59_999, 60_000, 60_001, 70_000, 80_001, 80_002].map((now) => budget.spend(now));
  assertEquals(spent, [true, true, true, false, true, false, true, true, false]);
});
