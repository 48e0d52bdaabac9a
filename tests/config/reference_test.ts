/** What docs/ has from the schema is what the schema says, and the JSON Schema means the same as the schema. */
import { makeDocuments } from "../../docs/write_reference.ts";
import { z } from "../../src/config/deps.ts";
import { makeJsonSchema } from "../../src/config/reference.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import { TEMPLATE } from "../../src/config/template.ts";
import { TomlDocument } from "../../src/config/toml.ts";
import { assert, assertEquals } from "../deps.ts";
import { configOf, readExample } from "./configurations.ts";

Deno.test("docs/ is up to date (deno task docs)", async (t) => {
  for (const [file, text] of await makeDocuments()) {
    await t.step(file.pathname.split("/").at(-1)!, async () => assertEquals(await Deno.readTextFile(file), text));
  }
});

Deno.test("the JSON Schema takes what the schema takes, and refuses what it refuses", async (t) => {
  const schema = z.fromJSONSchema(makeJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const memory = '[[branch]]\npath = "/"\ntype = "memory"\n';
  const texts = [
    await readExample(),
    TEMPLATE,
    memory + 'size = "5%"\nmode = "1777"\nhidden = ["a"]\nmap = { uid = 1 }',
    memory + 'mount.entry_timeout = "1s"\n',
    'mount.entry_timeout = "1s"\n' + memory,
    "mount.entry_timeout = 1\n" + memory,
    "mount.loops = 17\n" + memory,
    memory + "siez = 1",
    memory + 'size = "big"',
    memory + "mode = 755",
    memory + 'source = "."',
    memory + 'map = { who = "me" }',
    '[[branch]]\npath = "/"',
    '[[branch]]\ntype = "memory"',
    "branch = []",
    memory + '[run]\nshared_memory = [{ name = "a/b", size = 1 }]',
    memory + "[run]\nenv = { A = 1 }",
  ];
  const results = texts.map((text) => {
    const { value } = TomlDocument.parse(text);
    return [schema.safeParse(value).success, ConfigSchema.safeParse(value).success] as const;
  });
  for (const [index, [json, own]] of results.entries()) {
    await t.step(
      `${own ? "takes" : "refuses"} ${JSON.stringify(texts[index]!.slice(0, 60))}`,
      () => assertEquals(json, own),
    );
  }
  assert(results.some(([, own]) => own) && results.some(([, own]) => !own));
});

Deno.test("every key is described", () => {
  const missing: string[] = [];
  const look = (schema: ReturnType<typeof makeJsonSchema>, path: string) => {
    for (const [key, part] of Object.entries(schema.properties ?? {})) {
      if (part.description === undefined && key !== "type" && path !== "") missing.push(path + key);
      look(part, `${path}${key}.`);
    }
    if (schema.items) look(schema.items, path);
    for (const variant of schema.oneOf ?? []) look(variant, path);
  };
  look(makeJsonSchema(), "");
  assertEquals(missing, []);
});

Deno.test("what init writes has no problem, as it is and with all that it shows switched on", () => {
  assertEquals(configOf(TEMPLATE).branches.map(({ path }) => path), ["/"]);
  const all = configOf(TEMPLATE.replace(/^#(?=[^ \n])/gm, ""));
  assertEquals(all.branches.map(({ path }) => path), ["/", "/src", "/build"]);
  assertEquals(all.run?.command, ["bash"]);
});
