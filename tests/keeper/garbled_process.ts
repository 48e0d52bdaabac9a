/** A process that says what the test wants to its standard output, and waits. */
const words: Record<string, Uint8Array> = {
  "no JSON": frame("{"),
  "too long": new Uint8Array([255, 255, 255, 255]),
  "an unknown kind": frame('{"kind":"poem"}'),
  "half a frame": frame('{"kind":"ready"}').subarray(0, 7),
  "that it failed": frame('{"kind":"failed","of":"done","error":"TypeError","message":"no"}'),
  "what is asked for": frame('{"kind":"ready"}'),
};

function frame(text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  return new Uint8Array([body.length, 0, 0, 0, ...body]);
}

for await (const piece of Deno.stdin.readable) {
  for (let at = 0; at < piece.length; at += 4 + piece[at]!) {
    const { kind } = JSON.parse(new TextDecoder().decode(piece.subarray(at + 4, at + 4 + piece[at]!)));
    await Deno.stdout.write(words[kind] ?? new Uint8Array());
    if (kind === "half a frame") Deno.exit(0);
  }
}
