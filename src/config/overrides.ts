/** Values from outside of the file: `TRELLIS_MOUNT_…` and `TRELLIS_RUN_…` of the environment, and KEY=VALUE of flags. */
import { z } from "./deps.ts";
import { describeKnown } from "./nearest_name.ts";
import type { Problem } from "./problems.ts";
import { ConfigSchema } from "./schema.ts";
import type { Override } from "./settings.ts";
import { TomlDocument, TomlError } from "./toml.ts";
import { shapeOf, unwrap } from "./walk.ts";

/** What was found: the values, and names that mean nothing. */
export interface Overrides {
  readonly overrides: readonly Override[];
  readonly problems: readonly Problem[];
}

/** A name outside of the file, and the key that it sets. */
interface Setting {
  readonly path: readonly [table: string, key: string];
  readonly schema: z.core.$ZodType;
}

// Branches have no names of their own by which a variable or flag could mean one of them.
const TABLES = ["mount", "run"] as const;

const SETTINGS: readonly Setting[] = TABLES.flatMap((table) =>
  Object.entries(shapeOf(unwrap(ConfigSchema.shape[table]))).map(([key, schema]): Setting => ({
    path: [table, key],
    schema,
  }))
);

/** The environment variable that sets a key of `[mount]` or `[run]`. */
export function variableOf(table: string, key: string): string {
  return `TRELLIS_${table}_${key}`.toUpperCase();
}

/** The variables of `environment` that set something. */
export function readEnvironment(environment: Readonly<Record<string, string>>): Overrides {
  const given = Object.entries(environment).filter(([name]) => /^TRELLIS_(?:MOUNT|RUN)_/.test(name)).sort();
  return gather(
    given.map(([name, value]) => ({ name, value, source: name })),
    ([table, key]) => variableOf(table, key),
  );
}

/** What `--set KEY=VALUE` sets, one after the other. */
export function readFlags(assignments: readonly string[]): Overrides {
  const given = assignments.map((assignment) => {
    const [name = "", ...value] = assignment.split("=");
    return { name, value: value.join("="), source: `--set ${name}` };
  });
  return gather(given, ([table, key]) => `${table}.${key}`);
}

function gather(
  given: readonly { name: string; value: string; source: string }[],
  nameOf: (path: Setting["path"]) => string,
): Overrides {
  const known = new Map(SETTINGS.map((setting) => [nameOf(setting.path), setting]));
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const { name, value, source } of given) {
    const setting = known.get(name);
    if (setting) overrides.push({ path: setting.path, value: readValue(value, setting.schema), source });
    else problems.push({ where: source, message: explainUnknown(name, [...known.keys()]) });
  }
  return { overrides, problems };
}

function explainUnknown(name: string, known: readonly string[]): string {
  if (/^branch\b/.test(name)) {
    return "unknown; branches are the file's alone, only keys of [mount] and [run] are set so";
  }
  return `unknown; ${describeKnown(name, known)}`;
}

/** What a text means where `schema` is expected. What it cannot mean is left as text, for the schema to refuse. */
function readValue(text: string, schema: z.core.$ZodType): unknown {
  const kind = unwrap(schema);
  if (kind instanceof z.ZodBoolean && /^(?:true|false)$/.test(text)) return text === "true";
  if (kind instanceof z.ZodNumber && /^\d+$/.test(text)) return Number(text);
  if (kind instanceof z.ZodRecord) return readToml(text);
  if (kind instanceof z.ZodArray) {
    return text.startsWith("[") ? readToml(text) : text.split(",").filter((one) => one !== "");
  }
  return text;
}

function readToml(text: string): unknown {
  try {
    return TomlDocument.parse(`value = ${text}`).value["value"];
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return text;
  }
}
