/** Third-party modules that tests use, each with its version, in one place. */

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
export * as fc from "npm:fast-check@4.10.2";
