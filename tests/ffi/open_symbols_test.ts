/** Functions of libc that are opened one by one. */
import { CALLS_BY_ADDRESS, openSymbols } from "../../ffi/open_symbols.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";

Deno.test("a function answers the same by its address and when Deno has compiled it, under another name too", () => {
  const symbols = openSymbols("libc.so.6", {
    labs: { parameters: ["i64"], result: "i64" },
    length_of: { name: "strlen", parameters: ["buffer"], result: "usize" },
    getenv: { parameters: ["buffer"], result: "pointer" },
  });
  const text = new TextEncoder().encode("words\0");
  for (let call = 0; call < 200; call++) {
    assertEquals(symbols.labs(-(2n ** 40n)), 2n ** 40n);
    assertEquals(symbols.length_of(text), 5n);
    assertEquals(symbols.getenv(text), null);
  }
});

Deno.test("what the library does not have is an error when it is first asked for", () => {
  const symbols = openSymbols("libc.so.6", { no_such_function: { parameters: [], result: "void" } });
  assertThrows(() => symbols.no_such_function(), Error, "no_such_function");
});

Deno.test("call sites are shown the compiled function before V8 notes whom they call, and no other from then on", () => {
  const symbols = openSymbols("libc.so.6", { getppid: { parameters: [], result: "i32" } });
  const V8_NOTES = 8;
  assert(CALLS_BY_ADDRESS < V8_NOTES - 1);
  for (let call = 0; call < CALLS_BY_ADDRESS; call++) symbols.getppid();
  const compiled = symbols.getppid;
  for (let call = 0; call < 200; call++) assert(symbols.getppid === compiled);
});
