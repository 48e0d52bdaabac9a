/** Third-party modules that tests use, each with its version, in one place. */
import * as fc from "npm:fast-check@4.10.2";

// Where CI is set all runs try the same, as with the seeds of `support/seed.ts`.
if ((Deno.env.get("CI") ?? "") !== "") fc.configureGlobal({ seed: 1 });

export {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "npm:deno-std@1.4.0/assert/mod.js";
export { TextLineStream } from "npm:deno-std@1.4.0/streams/mod.js";
export { fc };
