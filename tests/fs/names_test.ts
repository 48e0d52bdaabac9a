/** File names between bytes and strings. */
import { assertEquals, fc } from "../deps.ts";
import { decodeName, encodeName, encodeNameInto } from "../../src/fs/names.ts";

Deno.test("names: any bytes survive a round trip", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const name = decodeName(bytes);
    assertEquals(encodeName(name), new Uint8Array(bytes));
    assertEquals(name.includes("\ufffd"), new TextDecoder().decode(bytes).includes("\ufffd") && isUtf8(bytes));
  }));
});

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

Deno.test("names: any well-formed string survives a round trip", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    assertEquals(decodeName(encodeName(name)), name);
  }));
});

Deno.test("names: bytes that are not UTF-8 become one surrogate each", async (t) => {
  const cases: [string, number[], string][] = [
    ["Latin-1", [0x63, 0x61, 0x66, 0xe9], "caf\udce9"],
    ["a cut sequence", [0xe2, 0x82], "\udce2\udc82"],
    ["an overlong slash", [0xc0, 0xaf], "\udcc0\udcaf"],
    ["a surrogate in UTF-8", [0xed, 0xa0, 0x80], "\udced\udca0\udc80"],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80], "\udcf4\udc90\udc80\udc80"],
    ["valid around invalid", [0xc3, 0xa9, 0xff, 0xf0, 0x9f, 0x8c, 0xb1], "é\udcff🌱"],
    ["a byte order mark", [0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  ];
  for (const [what, bytes, name] of cases) {
    await t.step(what, () => {
      assertEquals(decodeName(new Uint8Array(bytes)), name);
      assertEquals([...encodeName(name)], bytes);
    });
  }
});

Deno.test("names: encoding in place says how long the name is, or that it does not fit", () => {
  const target = new Uint8Array(8);
  assertEquals(encodeNameInto("abc", target, 2), 3);
  assertEquals([...target], [0, 0, 97, 98, 99, 0, 0, 0]);
  assertEquals(encodeNameInto("é\udcff", target, 5), 3);
  assertEquals([...target.subarray(5)], [0xc3, 0xa9, 0xff]);
  assertEquals(encodeNameInto("toolong", target, 2), -1);
  assertEquals(encodeNameInto("ééé", target, 3), -1);
});
