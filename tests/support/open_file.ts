/** What an open file says, without another open. */

/** The first 100 bytes of what `file` holds, as text. */
export async function readStart(file: Deno.FsFile): Promise<string> {
  await file.seek(0, Deno.SeekMode.Start);
  const buffer = new Uint8Array(100);
  return new TextDecoder().decode(buffer.subarray(0, await file.read(buffer) ?? 0));
}
