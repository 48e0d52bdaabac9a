/** Rules that no single value breaks. They look at what was set, so that they hold beside all other problems. */
import { findIdProblem } from "./branch_ids.ts";
import { findPathProblem } from "./branch_paths.ts";
import { GENERAL_OPTIONS, type MountTarget, optionName, tryOption } from "./mount_options.ts";
import { type Problem, problemAt } from "./problems.ts";
import { LAST_BRANCH } from "./schema.ts";
import { isTable, type Settings } from "./settings.ts";
import { LOOPS, MOST_HANDLERS } from "./values.ts";

type Table = Readonly<Record<string, unknown>>;

/** The problems of a configuration as a whole. */
export function findRuleProblems(settings: Settings): Problem[] {
  const branches = listOf(settings.value["branch"]).map((branch) => isTable(branch) ? branch : {});
  const { mount, run } = settings.value;
  const options = listOf(isTable(mount) ? mount["options"] : undefined);
  return [
    ...branchProblems(settings, branches),
    ...branches.flatMap((branch, index) => cacheProblems(settings, branch, index)),
    ...branches.flatMap((branch, index) => writebackProblems(settings, branches, branch, index)),
    ...handlerProblems(settings, branches),
    ...loopProblems(settings, branches),
    ...tooManyBranches(settings, branches),
    ...optionProblems(settings, options),
    ...sharedMemoryProblems(settings, listOf(isTable(run) ? run["shared_memory"] : undefined)),
  ];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function branchProblems(settings: Settings, branches: readonly Table[]): Problem[] {
  const numbered = branches.map(({ path, id }) => ({ path, id }));
  const firstAt = new Map(branches.map(({ path }, index) => [path, index] as const).reverse());
  return branches.flatMap(({ path }, index) => {
    const problems = {
      path: typeof path === "string"
        ? findPathProblem(path) ?? findTwin(settings, firstAt.get(path)!, index)
        : undefined,
      id: findIdProblem(numbered, index, (other) => `branch ${JSON.stringify(branches[other]!["path"] ?? other + 1)}`),
    };
    return Object.entries(problems).flatMap(([key, message]) =>
      message === undefined ? [] : [problemAt(settings, ["branch", index, key], message)]
    );
  });
}

function findTwin(settings: Settings, first: number, index: number): string | undefined {
  if (first === index) return undefined;
  return `the same as that of the branch at ${settings.placeOf(["branch", first, "path"], "value").where}`;
}

function cacheProblems(settings: Settings, { type, cache, writeback }: Table, index: number): Problem[] {
  if (type !== "passthrough" || writeback !== true || cache !== "never") return [];
  return [
    problemAt(
      settings,
      ["branch", index, "writeback"],
      'not with cache "never": it is a cache; choose "auto" or "always"',
    ),
  ];
}

/** The kernel has one writeback cache for the whole mount, and leaves to the filesystem what only passthrough knows of. */
function writebackProblems(
  settings: Settings,
  branches: readonly Table[],
  { cache, writeback }: Table,
  index: number,
): Problem[] {
  if (writeback !== true || cache === "never") return [];
  if (isTable(settings.value["mount"]) && settings.value["mount"]["growing"] === true) {
    const message = "not with mount.growing: branches without it may come; leave out one of the two";
    return [problemAt(settings, ["branch", index, "writeback"], message)];
  }
  const other = branches.find((branch) => branch["type"] !== "passthrough" || branch["writeback"] !== true);
  if (other === undefined) return [];
  const message = `it is the whole mount's: leave it out, or set it for all, also ${JSON.stringify(other["path"])}`;
  return [problemAt(settings, ["branch", index, "writeback"], message)];
}

function handlerProblems(settings: Settings, branches: readonly Table[]): Problem[] {
  const inHandlers = branches.keys().filter((index) => isInHandler(branches[index]!)).toArray();
  const first = inHandlers[MOST_HANDLERS];
  if (first === undefined) return [];
  const message = `one too many: there can be ${MOST_HANDLERS} threads beside the loops; leave it out`;
  return [problemAt(settings, ["branch", first, "placement"], message)];
}

function isInHandler({ placement }: Table): boolean {
  return placement === "handler";
}

function loopProblems(settings: Settings, branches: readonly Table[]): Problem[] {
  const mount = settings.value["mount"];
  const loops = isTable(mount) ? mount["loops"] : undefined;
  const confined = branches.find((branch) =>
    (branch["type"] === "memory" || branch["type"] === "union") && !isInHandler(branch)
  );
  // Any other number is the schema's to refuse.
  if (!Number.isInteger(loops) || !(Number(loops) > 1) || !(Number(loops) <= LOOPS[1]) || !confined) return [];
  const { type, path } = confined;
  const message = `only one can serve branches of type "${type}", as ${JSON.stringify(path)} is; leave it out`;
  return [problemAt(settings, ["mount", "loops"], message)];
}

function tooManyBranches(settings: Settings, branches: readonly Table[]): Problem[] {
  const below = branches.keys().filter((index) => branches[index]!["path"] !== "/").toArray();
  const first = below[LAST_BRANCH];
  if (first === undefined) return [];
  return [problemAt(settings, ["branch", first], `one too many: there can be ${LAST_BRANCH} below the root`)];
}

/** Options of `mount -o` that the file says with a key. */
const OWN_KEYS: Readonly<Record<string, string>> = {
  ro: "read_only = true",
  rw: "read_only = false",
  allow_other: "allow_other = true",
  fsname: "name",
  attr_timeout: "attr_timeout",
  entry_timeout: "entry_timeout",
  negative_timeout: "negative_timeout",
  max_read: "max_read",
};

function optionProblems(settings: Settings, options: readonly unknown[]): Problem[] {
  const messages = options.map((option) => typeof option === "string" ? findOptionProblem(option) : undefined);
  return messages.flatMap((message, index) =>
    message === undefined ? [] : [problemAt(settings, ["mount", "options", index], message)]
  );
}

function findOptionProblem(option: string): string | undefined {
  const name = optionName(option);
  if (Object.hasOwn(OWN_KEYS, name)) return `"${name}" has a key of its own; write ${OWN_KEYS[name]}`;
  return tryOption<MountTarget>(GENERAL_OPTIONS, { mount: { options: [] } }, option);
}

function sharedMemoryProblems(settings: Settings, areas: readonly unknown[]): Problem[] {
  const names = areas.map((area) => isTable(area) ? area["name"] : undefined);
  return names.flatMap((name, index) =>
    name === undefined || names.indexOf(name) === index
      ? []
      : [problemAt(settings, ["run", "shared_memory", index, "name"], `${JSON.stringify(name)} is there twice`)]
  );
}
