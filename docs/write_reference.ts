/** Writes what docs/ has from the schema of configurations: `deno task docs`. A test fails when it has to be run. */
import { makeJsonSchema, makeReference } from "../src/config/reference.ts";

/** Between these lines docs/configuration.md has the reference. */
const BEGIN = "<!-- The reference below is written by `deno task docs`. -->";
const END = "<!-- End of the reference. -->";

/** The files with what they should say. */
export async function makeDocuments(): Promise<Map<URL, string>> {
  const page = new URL("configuration.md", import.meta.url);
  const text = await Deno.readTextFile(page);
  const before = text.slice(0, text.indexOf(BEGIN) + BEGIN.length);
  const after = text.slice(text.indexOf(END));
  const schema = JSON.stringify(makeJsonSchema());
  return new Map([
    [page, await format(`${before}\n\n${makeReference()}\n${after}`, "md")],
    [new URL("trellis.schema.json", import.meta.url), await format(schema, "json")],
  ]);
}

/** As `deno fmt` has it, so that the written files pass its check. */
async function format(text: string, extension: string): Promise<string> {
  const config = new URL("../deno.json", import.meta.url).pathname;
  const formatter = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--config", config, "--ext", extension, "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = formatter.output();
  const writer = formatter.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await output;
  if (!success) throw new Error(`deno fmt could not format the ${extension} that the schema makes`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  for (const [file, text] of await makeDocuments()) await Deno.writeTextFile(file, text);
}
