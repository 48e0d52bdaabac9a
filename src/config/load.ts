/** Loads a configuration: reads the file, puts the environment and flags over it, checks it all, and freezes it. */
import { dirname, resolve } from "node:path";
import { assignIds } from "./branch_ids.ts";
import type { BranchConfig, Config, PartialConfig } from "./config.ts";
import { parseConfigFile, readConfigFile } from "./config_file.ts";
import type { z } from "./deps.ts";
import { HostPaths, type Surroundings } from "./host_paths.ts";
import { makeBranch, makeMount, makeRun } from "./make_config.ts";
import { readEnvironment, readFlags } from "./overrides.ts";
import { ConfigError, type Problem, problemsOf } from "./problems.ts";
import { findRuleProblems } from "./rules.ts";
import { ConfigSchema } from "./schema.ts";
import { isTable, Settings } from "./settings.ts";
import { findSourceProblems } from "./source_problems.ts";

/** What has a say beside the file. */
export interface LoadOptions {
  /** `KEY=VALUE` of flags, such as `mount.point=/mnt`; they win over the environment. */
  readonly flags?: readonly string[];
  /** Default: that of the process. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * What a live mount has of the configuration: it is open, and so not looked at on the host, where it may hang by now. No
   * more are the binds of `run`.
   */
  readonly mounted?: readonly BranchConfig[];
}

/**
 * Loads `file`.
 *
 * @throws {ConfigError} with every problem there is; with the first one only when the file is missing or no TOML.
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<Config> {
  const { config, problems } = await readWithSurroundings(file, options);
  return finish(config, addNew(problems, await findSourceProblems(config, options.mounted)));
}

/**
 * Where the configuration says that it is mounted. Nothing that it shows of the host is looked at, and what is wrong with
 * its branches is not heeded: who loads all of it says all.
 *
 * @throws {ConfigError} when something is wrong with its `[mount]`.
 */
export async function loadMountpoint(file: string): Promise<string | undefined> {
  const { config, problems } = await readWithSurroundings(file, {});
  return (config.mount ?? finish(config, problems).mount).point;
}

async function readWithSurroundings(file: string, { flags, environment }: LoadOptions) {
  const text = await readConfigFile(file);
  return readConfig(file, text, {
    environment: environment ?? Deno.env.toObject(),
    folder: dirname(resolve(file)),
    currentFolder: Deno.cwd(),
    ...flags && { flags },
  });
}

function finish(config: PartialConfig, problems: readonly Problem[]): Config {
  if (problems.length > 0) throw new ConfigError(config.file, problems);
  return freeze(config as Config);
}

/**
 * Checks all of a configuration that can be checked without looking at the host.
 *
 * @throws {ConfigError} when `text` is no TOML.
 */
export function readConfig(
  file: string,
  text: string,
  { flags = [], ...surroundings }: Surroundings & Pick<LoadOptions, "flags">,
): { config: PartialConfig; problems: Problem[] } {
  const outside = [readEnvironment(surroundings.environment), readFlags(flags)];
  const settings = new Settings(file, parseConfigFile(file, text), outside.flatMap(({ overrides }) => overrides));
  const paths = new HostPaths(settings, surroundings);
  const { mount, branch, run } = ConfigSchema.shape;
  const tables = settings.value;
  const config = {
    file,
    settings,
    mount: make(mount, tables["mount"], (table) => makeMount(table, paths)),
    branches: makeBranches(branch.element, tables["branch"], paths),
    run: make(run, tables["run"], (table) => makeRun(table, paths)),
  };
  const problems = [
    ...outside.flatMap((overrides) => overrides.problems),
    ...problemsOf(settings, ConfigSchema.safeParse(tables).error),
    ...findRuleProblems(settings),
    ...paths.problems,
  ];
  return { config, problems };
}

/**
 * What `makeIt` makes of a table. One with problems is made without the keys that have them, if it can be, so that what
 * is wrong with the other keys is found as well.
 */
function make<Schema extends z.ZodType, Made>(
  schema: Schema,
  value: unknown,
  makeIt: (table: z.output<Schema>) => Made,
): Made | undefined {
  const whole = schema.safeParse(value);
  const { success, data } = whole.success ? whole : schema.safeParse(withoutProblems(value, whole.error));
  return success ? makeIt(data) : undefined;
}

function withoutProblems(table: unknown, { issues }: z.ZodError): unknown {
  if (!isTable(table)) return table;
  const bad = new Set(
    issues.flatMap((issue) => issue.path[0] ?? (issue.code === "unrecognized_keys" ? issue.keys : [])),
  );
  return Object.fromEntries(Object.entries(table).filter(([key]) => !bad.has(key)));
}

function makeBranches(
  schema: typeof ConfigSchema.shape.branch.element,
  value: unknown,
  paths: HostPaths,
): BranchConfig[] {
  const tables = Array.isArray(value) ? value : [];
  const ids = assignIds(
    tables.map((table) => isTable(table) ? { path: table["path"], id: table["id"] } : { path: "" }),
  );
  const made = tables.map((value, index) =>
    make(schema, value, (table) => makeBranch(table, index, ids[index]!, paths))
  );
  return made.filter((branch) => branch !== undefined).sort((one, other) => one.id - other.id);
}

/** Leaves out what follows from a problem at the same place, as a path that is missing since it did not expand. */
function addNew(problems: readonly Problem[], more: readonly Problem[]): Problem[] {
  const places = new Set(problems.map(({ where }) => where));
  return [...problems, ...more.filter(({ where }) => !places.has(where))];
}

/** Freezes all that the configuration consists of. */
function freeze<Type>(value: Type): Type {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
