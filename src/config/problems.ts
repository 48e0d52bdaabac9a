/** What is wrong with a configuration: every problem, each with where it comes from. */
import type { z } from "./deps.ts";
import { describeKnown } from "./nearest_name.ts";
import { ConfigSchema } from "./schema.ts";
import type { Settings } from "./settings.ts";
import type { KeyPath, Position } from "./toml.ts";
import { schemaAt, shapeOf } from "./walk.ts";

/** One problem. */
export interface Problem {
  /** `FILE:LINE:COLUMN`, the name of an environment variable, or a flag. */
  readonly where: string;
  readonly message: string;
  /** Where in the file; undefined for what comes from elsewhere. */
  readonly position?: Position | undefined;
}

/** A configuration that cannot be used. Its message has a line for every problem, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[], options?: ErrorOptions) {
    const sorted = problems.toSorted(inOrder);
    const lines = sorted.map(({ where, message }) => `${where}: ${message}`);
    super(
      [`${file} has ${sorted.length === 1 ? "a problem" : `${sorted.length} problems`}:`, ...lines].join("\n"),
      options,
    );
    this.problems = sorted;
  }
}

// What comes from elsewhere goes last: a flag or a variable is seldom what has to be looked for.
function inOrder({ position: one }: Problem, { position: other }: Problem): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined);
  return one.line - other.line || one.column - other.column;
}

/** A problem with the value at `path`. */
export function problemAt(settings: Settings, path: KeyPath, message: string): Problem {
  return makeProblem(settings, path, settings.placeOf(path, "value"), message);
}

function makeProblem(
  settings: Settings,
  path: KeyPath,
  place: ReturnType<Settings["placeOf"]>,
  message: string,
): Problem {
  const subject = subjectOf(settings, path);
  return { ...place, message: subject === "" ? message : `${subject}: ${message}` };
}

/** Names what a path leads to: `mount.point`, or `branch "/src": source`. */
function subjectOf({ value }: Settings, path: KeyPath): string {
  const [table, index, ...rest] = path;
  if (table !== "branch" || typeof index !== "number") return spell(path);
  const { path: name } = (value["branch"] as { path?: unknown }[])[index] ?? {};
  const branch = typeof name === "string" ? `branch ${JSON.stringify(name)}` : `[[branch]] number ${index + 1}`;
  return rest.length === 0 ? branch : `${branch}: ${spell(rest)}`;
}

function spell(path: KeyPath): string {
  return path.map((key, index) => typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`).join("");
}

/** The problems that the schema finds. */
export function problemsOf(settings: Settings, error: z.ZodError | undefined): Problem[] {
  return (error?.issues ?? []).flatMap((issue) => {
    const path = issue.path as KeyPath;
    if (issue.code !== "unrecognized_keys") return [problemAt(settings, path, issue.message)];
    return issue.keys.map((key) => unknownKey(settings, path, key));
  });
}

function unknownKey(settings: Settings, table: KeyPath, key: string): Problem {
  const known = Object.keys(shapeOf(schemaAt(ConfigSchema, settings.value, table)!));
  const others = table[0] === "branch" && table.length === 2 ? typesWith(key) : [];
  const message = others.length > 0
    ? `the key ${JSON.stringify(key)} is for a branch of type ${others.join(" or ")}`
    : `unknown key ${JSON.stringify(key)}; ${describeKnown(key, known)}`;
  return makeProblem(settings, table, settings.placeOf([...table, key], "key"), message);
}

/** The types of branches that have a key. */
function typesWith(key: string): string[] {
  const variants = ConfigSchema.shape.branch.element.options.filter(({ shape }) => Object.hasOwn(shape, key));
  return variants.map(({ shape }) => JSON.stringify(shape.type.value));
}
