/** Directory positions of 63 bits as numbers of 53. */
import { decodeOffset, encodeOffset } from "../../src/layers/passthrough/directory_offset.ts";
import { assert, assertEquals } from "../deps.ts";

function encode(position: bigint): number {
  return encodeOffset(Number(position & 0xffff_ffffn), Number(position >> 32n));
}

Deno.test("small positions and the last one come back as they are", () => {
  for (const position of [1n, 2n, 4096n, (1n << 32n) - 1n, 1n << 32n, (1n << 52n) - 1n, (1n << 63n) - 1n]) {
    assertEquals(decodeOffset(encode(position)), position);
  }
});

Deno.test("large positions come back at most 2047 earlier, in their order, as safe integers", () => {
  let last = encode((1n << 52n) - 1n);
  for (let position = 1n << 52n; position < (1n << 63n) - 1n; position += 0x1234_5678_9abc_defn) {
    const offset = encode(position);
    assert(Number.isSafeInteger(offset) && offset > last);
    const back = decodeOffset(offset);
    assert(back <= position && position - back < 2048n);
    last = offset;
  }
});
