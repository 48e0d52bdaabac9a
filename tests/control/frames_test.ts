/** Frames: what goes in comes out, in whatever pieces; what is none is refused, and never waited for. */
import { assertEquals, assertThrows, fc } from "../deps.ts";
import { encodeFrame, FrameDecoder, FrameError, MAX_FRAME } from "../../src/control/frames.ts";

function decode(...pieces: Uint8Array[]): unknown[] {
  const decoder = new FrameDecoder();
  const values = pieces.flatMap((piece) => [...decoder.push(piece)]);
  decoder.end();
  return values;
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** A frame whose header says `length`, with this body. */
function frameOf(length: number, body: string): Uint8Array {
  const bytes = new Uint8Array(4 + body.length);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(new TextEncoder().encode(body), 4);
  return bytes;
}

Deno.test("values come out as they went in, wherever the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 8 }), (values, at) => {
      const stream = concatenate(values.map((value) => encodeFrame(value)));
      const cuts = [0, ...at.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
      const pieces = cuts.slice(1).map((end, index) => stream.subarray(cuts[index], end));
      assertEquals(decode(...pieces), values.map((value) => JSON.parse(JSON.stringify(value))));
    }),
  );
});

Deno.test("whatever bytes come, they are values or an error of the frame's own", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    try {
      decode(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
    }
  }));
});

Deno.test("what is no frame is refused", async (t) => {
  const cases: [name: string, bytes: Uint8Array, says: string][] = [
    ["too long, known from the header alone", frameOf(MAX_FRAME + 1, ""), `at most ${MAX_FRAME}`],
    ["the longest length there is", frameOf(0xffff_ffff, ""), "4294967295"],
    ["no JSON", frameOf(3, "abc"), "no JSON"],
    ["no body", frameOf(0, ""), "no JSON"],
    ["no UTF-8", new Uint8Array([3, 0, 0, 0, 0x22, 0xff, 0x22]), "no JSON"],
    ["half a header", new Uint8Array([1, 0]), "ended within"],
    ["half a body", frameOf(10, '{"a"'), "ended within"],
    ["one frame and a half", concatenate([encodeFrame(1), frameOf(10, "{")]), "ended within"],
  ];
  for (const [name, bytes, says] of cases) {
    await t.step(name, () => void assertThrows(() => decode(bytes), FrameError, says));
  }
});

Deno.test("a frame that is too long is never sent", () => {
  assertEquals(encodeFrame("a".repeat(MAX_FRAME - 2)).length, 4 + MAX_FRAME);
  assertThrows(() => encodeFrame("a".repeat(MAX_FRAME - 1)), FrameError, "at most");
});
