/** How configurations are mounted: loops, timeouts, and what goes to the loops. */
import { planTree } from "../../src/config/tree_plan.ts";
import { assertEquals } from "../deps.ts";
import { configOf } from "./configurations.ts";

const branch = (path: string, type: string, ...lines: string[]) =>
  ["[[branch]]", `path = "${path}"`, `type = "${type}"`, ...lines, ""].join("\n");
const memory = (path: string, ...lines: string[]) => branch(path, "memory", ...lines);
const HANDLER = 'placement = "handler"';
const union = (path: string) => branch(path, "union", 'sources = ["."]');
const passthrough = (path: string, ...lines: string[]) => branch(path, "passthrough", 'source = "."', ...lines);

function planOf(text: string, cores = 2) {
  const config = configOf(text);
  return planTree({ branches: config.branches, mount: config.mount! }, cores);
}

Deno.test("there are as many loops as all branches can be in", async (t) => {
  const cases: Record<string, [text: string, cores: number, loops: number]> = {
    "directories, a few cores": [passthrough("/") + passthrough("/a"), 3, 3],
    "directories, many cores": [passthrough("/"), 64, 4],
    "directories, as it is said": [`mount.loops = 7\n${passthrough("/")}`, 2, 7],
    "memory among directories": [passthrough("/") + memory("/m"), 4, 1],
    "a union": [union("/u"), 4, 1],
    "memory in a thread of its own": [passthrough("/") + memory("/m", HANDLER), 4, 4],
    "memory in a thread of its own, and in the loops": [memory("/") + memory("/m", HANDLER), 4, 1],
    "memory in a thread of its own, as it is said": [`mount.loops = 3\n${memory("/m", HANDLER)}`, 4, 3],
    "one, as it is said": [`mount.loops = 1\n${memory("/")}`, 4, 1],
  };
  for (const [name, [text, cores, loops]] of Object.entries(cases)) {
    await t.step(name, () => assertEquals(planOf(text, cores).placement.loops, loops));
  }
});

Deno.test("every branch that asks for a thread of its own has one", () => {
  const handlers = (text: string) => planOf(text).placement.handlers.length;
  assertEquals(handlers(memory("/") + passthrough("/p", 'placement = "loop"')), 0);
  assertEquals(handlers(memory("/", HANDLER) + memory("/m") + passthrough("/p", HANDLER)), 2);
});

Deno.test("attributes are believed as long as all branches ask for, unless the mount says how long", () => {
  const timeout = (text: string) => planOf(text).settings.attributesTimeout;
  assertEquals(timeout(passthrough("/", 'cache = "always"')), 86_400);
  assertEquals(timeout(passthrough("/", 'cache = "always"') + memory("/m")), 1);
  assertEquals(timeout(passthrough("/", 'cache = "never"') + memory("/m")), 0);
  assertEquals(timeout(`mount.attr_timeout = "5s"\n${passthrough("/", 'cache = "never"')}`), 5);
});

Deno.test("what the loops are given survives a structured clone, in the order of the ids", () => {
  const { placement: { options } } = planOf(`mount.branch_point_errno = "EPERM"\n${passthrough("/a")}${memory("/")}`);
  assertEquals(structuredClone(options), options);
  assertEquals(options.branches.map(({ id, path }) => [id, path]), [[0, "/"], [1, "/a"]]);
  assertEquals(options.branchPointErrno, "EPERM");
});
