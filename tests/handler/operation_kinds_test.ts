/** Which operations are bounded together. */
import { assertEquals } from "../deps.ts";
import { OPCODE } from "../../ffi/kernel.ts";
import { isBounded, operationKind } from "../../src/handler/operation_kinds.ts";
import { OPERATIONS } from "../../src/protocol/operations.ts";

Deno.test("every operation of a filesystem has a kind, but for those that must not be refused or held up", () => {
  const unbounded = [...OPERATIONS.keys()].filter((opcode) => operationKind(opcode) === undefined);
  assertEquals(unbounded, [OPCODE.RELEASE, OPCODE.RELEASEDIR, OPCODE.SETLKW]);
});

Deno.test("what has no answer, and what nobody knows, has no kind", () => {
  const opcodes = [OPCODE.FORGET, OPCODE.BATCH_FORGET, OPCODE.INTERRUPT, OPCODE.DESTROY, 4096];
  assertEquals(opcodes.map(operationKind), opcodes.map(() => undefined));
});

Deno.test("a flush has a deadline and no bound", () => {
  assertEquals([operationKind(OPCODE.FLUSH), isBounded(OPCODE.FLUSH), isBounded(OPCODE.FSYNC)], ["data", false, true]);
});
