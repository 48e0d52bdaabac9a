/** What doctor says of mounts that outlive their server. */
import { examineSeparateProcess } from "../../src/cli/separate_process.ts";
import { assertEquals, assertMatch } from "../deps.ts";

Deno.test("a kernel that cannot send requests again is said to mount anew", () => {
  const { usable, reason, limitation } = examineSeparateProcess({ minor: 38, features: ["init-ext"] });
  assertEquals([usable, reason], [true, undefined]);
  assertMatch(limitation!, /Linux 6\.9.*mounted anew, and what was open gets errors/);
});

Deno.test("of a kernel that was not asked nothing is promised", () => {
  assertEquals(examineSeparateProcess(undefined).usable, false);
});
