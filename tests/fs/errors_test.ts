/** Errors: the class, the table, and the one mapper. */
import { assertEquals } from "../deps.ts";
import { ERRNO, errnoName, errnoNameOf, FsError } from "../../src/fs/errors.ts";
import { runC } from "../support/run_c.ts";

Deno.test("errno: the numbers are this system's", async () => {
  const lines = Object.keys(ERRNO).map((name) => `printf("%s %d\\n", "${name}", ${name});`);
  const output = await runC(`#include <errno.h>\n#include <stdio.h>\nint main(void) { ${lines.join("\n")} return 0; }`);
  assertEquals(output.trim().split("\n"), Object.entries(ERRNO).map(([name, number]) => `${name} ${number}`));
});

Deno.test("errno: numbers have their names back", () => {
  assertEquals(errnoName(2), "ENOENT");
  assertEquals(errnoName(107), "ENOTCONN");
  assertEquals(errnoName(4096), undefined);
});

Deno.test("FsError carries its code, number, message and cause", () => {
  const cause = new Error("underneath");
  const error = new FsError("ENOSPC", "The quota is used up", { cause });
  assertEquals([error.code, error.errno, error.message, error.cause], ["ENOSPC", 28, "The quota is used up", cause]);
  assertEquals(error instanceof Error, true);
  assertEquals(new FsError("EPERM").message, "EPERM");
});

Deno.test("errnoNameOf maps what can be thrown", async (t) => {
  const cases: [string, unknown, string | undefined][] = [
    ["an FsError", new FsError("EXDEV"), "EXDEV"],
    ["a system error of node's", Object.assign(new Error(), { code: "EMFILE" }), "EMFILE"],
    ["a code that is no errno", Object.assign(new Error(), { code: "ERR_INVALID_ARG" }), undefined],
    ["a code that is a property of every object", Object.assign(new Error(), { code: "toString" }), undefined],
    ["Deno.errors.NotFound", new Deno.errors.NotFound(), "ENOENT"],
    ["Deno.errors.PermissionDenied", new Deno.errors.PermissionDenied(), "EACCES"],
    ["Deno.errors.NotADirectory", new Deno.errors.NotADirectory(), "ENOTDIR"],
    ["Deno.errors.NotCapable", new Deno.errors.NotCapable(), "EACCES"],
    ["Deno.errors.TimedOut", new Deno.errors.TimedOut(), "ETIMEDOUT"],
    ["Deno.errors.WouldBlock, not ready", new Deno.errors.WouldBlock(), "EAGAIN"],
    ["an abort", new DOMException("", "AbortError"), "EINTR"],
    ["a timeout", AbortSignal.timeout(0).reason ?? new DOMException("", "TimeoutError"), "ETIMEDOUT"],
    ["a range", new RangeError(), "EINVAL"],
    ["a bug", new TypeError(), undefined],
    ["a string", "ENOENT", undefined],
    ["nothing", undefined, undefined],
  ];
  for (const [what, thrown, name] of cases) {
    await t.step(what, () => assertEquals(errnoNameOf(thrown), name));
  }
});
