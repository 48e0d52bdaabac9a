/** Why a path of the tree is what it is: which branch, which source, which options, and who decided them. */
import { posix } from "node:path";
import { isWithin } from "../fs/branches.ts";
import { type BranchConfig, type Config, sourcesOf } from "./config.ts";
import { globToRegExp, z } from "./deps.ts";
import { describeBranch } from "./describe_tree.ts";
import { formatValue } from "./format_value.ts";
import { ConfigSchema } from "./schema.ts";
import { isTable, type Origin, type Settings } from "./settings.ts";
import type { KeyPath } from "./toml.ts";
import { schemaAt, shapeOf } from "./walk.ts";

/** The path in the tree that `path` means: one below the mountpoint is cut, and other absolute ones are in the tree. */
export function treePath(config: Config, path: string, currentFolder: string): string | undefined {
  const absolute = posix.resolve(currentFolder, path);
  const { point } = config.mount;
  if (point !== undefined && isWithin(absolute, point)) return posix.join("/", absolute.slice(point.length));
  return posix.isAbsolute(path) ? absolute : undefined;
}

/** The branch that `path`, a normal one in the tree, belongs to. */
export function branchOf({ branches }: Config, path: string): BranchConfig | undefined {
  const around = branches.filter((branch) => isWithin(path, branch.path));
  return around.sort((one, other) => other.path.length - one.path.length)[0];
}

/** Lines that explain `path`, a normal one in the tree. */
export async function explain(config: Config, path: string): Promise<string> {
  const branch = branchOf(config, path);
  const lines = branch === undefined ? explainNoBranch(config, path) : await explainBranch(config, branch, path);
  const mount = ["", "[mount]", ...describeOptions(config.settings, ["mount"])];
  return [path, ...lines, ...mount].join("\n");
}

function explainNoBranch({ branches }: Config, path: string): string[] {
  const below = branches.filter((branch) => isWithin(branch.path, path)).map((branch) => branch.path);
  if (below.length > 0) return [`  no branch: a directory made up for the branches below it: ${below.join(" ")}`];
  return path === "/" ? ["  no branch: the empty root"] : ["  no branch: there is no such path"];
}

async function explainBranch(config: Config, branch: BranchConfig, path: string): Promise<string[]> {
  const inside = branch.path === "/" ? path : path.slice(branch.path.length) || "/";
  const { where } = config.settings.placeOf(["branch", branch.index], "key");
  return [
    `  branch ${branch.id} at ${branch.path} (${where}): ${describeBranch(branch)}`,
    ...await describePlaces(branch, inside),
    ...describeHiding(branch, inside),
    ...describeBranchPoints(config, branch, path),
    "",
    "[[branch]]",
    ...describeOptions(config.settings, ["branch", branch.index]),
  ];
}

/** Where the file is on the host; of a union's sources the first one that has it shows it. */
async function describePlaces(branch: BranchConfig, inside: string): Promise<string[]> {
  const kinds: [place: string, kind: string][] = [];
  for (const { path } of sourcesOf(branch)) {
    const place = posix.join(path, inside).replace(/(.)\/$/, "$1");
    kinds.push([place, await kindOf(place)]);
  }
  const seen = kinds.findIndex(([, kind]) => kind !== NOTHING);
  return kinds.map(([place, kind], index) => {
    if (kind === NOTHING) return `  not in ${place}`;
    return index === seen ? `  from ${place}: ${kind}` : `  behind it ${place}: ${kind}`;
  });
}

const NOTHING = "not there";

async function kindOf(path: string): Promise<string> {
  try {
    const { isDirectory, isFile, isSymlink, isCharDevice, rdev } = await Deno.lstat(path);
    // layers/union hides a deleted name so, as overlayfs does.
    if (isCharDevice && rdev === 0) return "a whiteout: it was deleted";
    return isDirectory ? "a directory" : isFile ? "a file" : isSymlink ? "a symbolic link" : "a special file";
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    return isAbsent ? NOTHING : `cannot be looked at: ${error instanceof Error ? error.message : error}`;
  }
}

function describeHiding({ wrappers }: BranchConfig, inside: string): string[] {
  const names = inside.split("/").filter((name) => name !== "");
  const hiding = wrappers.hidden.find((pattern) => {
    const expression = globToRegExp(pattern, { extended: false, globstar: false });
    return names.some((name) => expression.test(name));
  });
  return hiding === undefined ? [] : [`  hidden by the pattern ${JSON.stringify(hiding)}`];
}

function describeBranchPoints({ branches, mount }: Config, { path: own }: BranchConfig, path: string): string[] {
  const below = branches.filter((branch) => branch.path !== own && isWithin(branch.path, path)).map(({ path }) => path);
  return [
    ...own === path && path !== "/" ? [`  a branch point: removing or renaming it is ${mount.branchPointErrno}`] : [],
    ...below.length > 0 ? [`  with the branches below it: ${below.join(" ")}`] : [],
  ];
}

/** A line for each key of a table that has a value: what it is and who decided. */
function describeOptions(settings: Settings, table: KeyPath): string[] {
  const given = valueAt(settings.value, table);
  const options = Object.entries(shapeOf(schemaAt(ConfigSchema, settings.value, table)!)).flatMap(([key, schema]) => {
    const value = given[key] ?? defaultOf(schema);
    return value === undefined ? [] : [[`  ${key} = ${formatValue(value)}`, describeOrigin(settings, [...table, key])]];
  });
  const width = Math.max(...options.map(([option]) => option!.length));
  return options.map(([option, origin]) => `${option!.padEnd(width)}  # ${origin}`);
}

function valueAt(value: unknown, path: KeyPath): Record<string, unknown> {
  const found = path.reduce<unknown>((table, key) => (table as Record<string | number, unknown>)?.[key], value);
  return isTable(found) ? found : {};
}

/** What a key is when nobody says anything, as a file would say it. */
function defaultOf(schema: z.core.$ZodType): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined;
}

function describeOrigin(settings: Settings, path: KeyPath): string {
  const origin: Origin = settings.originOf(path);
  switch (origin.by) {
    case "default":
      return "default";
    case "file":
      return `${origin.file}:${origin.position.line}:${origin.position.column}`;
    case "override":
      return origin.source;
  }
}
