/** The reference of configurations and their JSON Schema, made from the one schema. */
import { z } from "./deps.ts";
import { formatValue } from "./format_value.ts";
import { variableOf } from "./overrides.ts";
import { ConfigSchema } from "./schema.ts";

/** The part of JSON Schema that zod writes here. */
interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** The JSON Schema (draft 7) by which editors complete and check a trellis.toml. */
export function makeJsonSchema(): JsonSchema {
  return z.toJSONSchema(ConfigSchema, { io: "input", target: "draft-7" }) as JsonSchema;
}

/** The reference: a section for each table, a line for each key. Markdown, not yet formatted. */
export function makeReference(): string {
  const { mount, branch, run } = makeJsonSchema().properties!;
  const variants = branch!.items!.oneOf!;
  const common = Object.keys(variants[0]!.properties!).filter((key) =>
    variants.every(({ properties }) =>
      JSON.stringify(properties![key]) === JSON.stringify(variants[0]!.properties![key])
    )
  );
  const types = variants.map(({ properties }) => `\`"${properties!["type"]!.const}"\``).join(", ");
  const description = `What all branches have, beside their \`type\`, which is one of ${types}.`;
  return [
    ...section("`[mount]`", mount!, environmentNote("mount")),
    ...section("Every `[[branch]]`", { ...pick(variants[0]!, common), description }),
    ...variants.flatMap((variant) => {
      const keys = Object.keys(variant.properties!).filter((key) => key !== "type" && !common.includes(key));
      return section(`\`type = "${variant.properties!["type"]!.const}"\``, pick(variant, keys));
    }),
    ...section("`[run]`", run!, environmentNote("run")),
  ].join("\n");
}

function environmentNote(table: string): string {
  return ` Each key can also be set by a variable of the environment, such as \`${
    variableOf(table, "key")
  }\` for \`key\`.`;
}

function pick(schema: JsonSchema, keys: readonly string[]): JsonSchema {
  return { ...schema, properties: Object.fromEntries(keys.map((key) => [key, schema.properties![key]!])) };
}

function section(title: string, schema: JsonSchema, note = ""): string[] {
  const heading = [`### ${title}`, "", `${schema.description}${note}`, ""];
  return [...heading, "| key | value | default | |", "| --- | --- | --- | --- |", ...rows(schema, ""), ""];
}

/** A row for each key, and for those of the tables in it. */
function rows({ properties = {}, required = [] }: JsonSchema, prefix: string): string[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const preset = schema.default === undefined ? "" : `\`${formatValue(schema.default)}\``;
    const cells = [`\`${prefix}${key}\``, describeValue(schema), required.includes(key) ? "required" : preset];
    const row = `| ${cells.join(" | ")} | ${(schema.description ?? "").replaceAll("|", "\\|")} |`;
    const parts = schema.items?.properties === undefined ? rows(schema, `${key}.`) : rows(schema.items, `${key}[].`);
    return [row, ...parts];
  });
}

function describeValue({ title, type, enum: words, minimum, maximum, items }: JsonSchema): string {
  if (words !== undefined) return words.map((word) => `\`"${word}"\``).join(", ");
  if (type === "boolean") return "`true`, `false`";
  if (type === "integer") return `${minimum} to ${maximum}`;
  if (type === "array") return `list of ${items!.properties === undefined ? describeValue(items!) + "s" : "tables"}`;
  return title ?? "table";
}
