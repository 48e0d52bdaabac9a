/** How configurations differ, and what of it can change while mounted. */
import type { ComparedConfig, LiveMount } from "../../src/config/differences.ts";
import { compareConfigs } from "../../src/config/differences.ts";
import { assert, assertEquals } from "../deps.ts";
import { configOf } from "./configurations.ts";

const branch = (path: string, type: string, ...lines: string[]) =>
  ["[[branch]]", `path = "${path}"`, `type = "${type}"`, ...lines, ""].join("\n");
const memory = (path: string, ...lines: string[]) => branch(path, "memory", ...lines);
const passthrough = (path: string, ...lines: string[]) => branch(path, "passthrough", 'source = "."', ...lines);

function compare(before: string, after: string, loops = 1, live: Partial<LiveMount> = {}) {
  const [one, other] = [before, after].map((text) => configOf(text) as ComparedConfig);
  return compareConfigs(one!, other!, { loops, separate: false, handlersLater: false, ...live });
}

Deno.test("branches are added, removed and replaced by their paths", () => {
  const before = memory("/") + memory("/a", "size = 1024") + passthrough("/b") + memory("/c");
  const after = passthrough("/d") + memory("/") + passthrough("/b", "read_only = true") + memory("/a", 'size = "1K"');
  assertEquals(compare(before, after), {
    branches: [
      { change: "removed", path: "/c", type: "memory", loss: "what it holds is lost", keys: [] },
      { change: "added", path: "/d", type: "passthrough", keys: [] },
      { change: "replaced", path: "/b", type: "passthrough", keys: [{ key: "read_only", after: "true" }] },
    ],
    fixed: [],
  });
});

Deno.test("what a handler is to serve cannot come to a mount that outlives its server", () => {
  const handler = memory("/h", 'placement = "handler"');
  const advice =
    'the mount has process=separate, and a branch with placement = "handler" cannot come to it, nor change; ' +
    "unmount and mount again";
  const live = { separate: true, handlersLater: true };
  const { fixed } = compare(passthrough("/a"), passthrough("/a") + handler, 1, live);
  assertEquals(fixed, [{ key: 'branch "/h"', advice }]);
  // Nor would mount.growing help.
  const without = compare(passthrough("/a"), passthrough("/a") + handler, 1, { ...live, handlersLater: false });
  assertEquals(without.fixed, fixed);
  assertEquals(compare(passthrough("/a") + handler, passthrough("/a"), 1, live).fixed, []);
  assertEquals(compare(passthrough("/a"), passthrough("/a") + handler, 1, { handlersLater: true }).fixed, []);
});

Deno.test("files that are to outlive a server cannot come to a mount that does not", () => {
  const kept = passthrough("/a") + memory("/m", "keep_content = true");
  const advice = "keep_content is for files that outlive a server, and the mount has no process=separate; " +
    "unmount and mount again";
  assertEquals(compare(passthrough("/a"), kept, 1).fixed, [{ key: 'branch "/m"', advice }]);
  assertEquals(compare(passthrough("/a"), kept, 1, { separate: true }).fixed, []);
  assertEquals(compare(passthrough("/a"), kept, 1, { sandbox: [] }).fixed, []);
});

Deno.test("what says the same is no difference: another order, other words, a number, and what is run", () => {
  const before = `[run]\ncommand = ["a"]\n${memory("/")}${memory("/a", "id = 1")}${memory("/b", "read_only = false")}`;
  const after = `[run]\ncommand = ["b"]\n${memory("/b", "hidden = []")}${memory("/a")}${memory("/", 'size = "50%"')}`;
  assertEquals(compare(before, after), { branches: [], fixed: [] });
});

Deno.test("what cannot change while mounted is named, with what to do", async (t) => {
  const root = memory("/");
  const mount = (line: string) => `[mount]\n${line}\n${root}`;
  const cases: Record<string, [before: string, after: string, loops: number, keys: string[], advice: string]> = {
    "a key of the mount": [
      mount('name = "a"'),
      mount('name = "b"'),
      1,
      ["mount.name"],
      "unmount and mount again",
    ],
    "where it is mounted": [mount('point = "a"'), mount('point = "b"'), 1, ["mount.point"], "mount again"],
    "the root": [memory("/"), memory("/", "size = 1024"), 1, ['branch "/"'], "the root stays"],
    "a root that comes": [memory("/a"), memory("/a") + root, 1, ['branch "/"'], "the root stays"],
    "a root that goes": [memory("/a") + root, memory("/a"), 1, ['branch "/"'], "the root stays"],
    "memory in several loops": [
      passthrough("/"),
      passthrough("/") + memory("/a"),
      2,
      ['branch "/a"'],
      'one loop has to serve type "memory", and the mount has 2',
    ],
    "a handler that comes": [
      passthrough("/"),
      passthrough("/") + memory("/a", 'placement = "handler"'),
      1,
      ['branch "/a"'],
      'placement "handler"',
    ],
    "a branch whose attributes are not to be kept": [
      root,
      root + passthrough("/a", 'cache = "never"'),
      1,
      ["cache"],
      "set mount.attr_timeout",
    ],
    "the writeback cache": [
      passthrough("/a"),
      passthrough("/a", "writeback = true"),
      1,
      ["writeback"],
      "mount again",
    ],
  };
  for (const [name, [before, after, loops, keys, advice]] of Object.entries(cases)) {
    await t.step(name, () => {
      const { fixed } = compare(before, after, loops);
      assertEquals(fixed.map(({ key }) => key), keys);
      assert(fixed[0]!.advice.includes(advice), fixed[0]!.advice);
    });
  }
  await t.step("but where handlers may come they do, and go anywhere", () => {
    const handler = (path: string) => memory(path, 'placement = "handler"');
    const before = passthrough("/") + handler("/a") + handler("/b");
    const after = passthrough("/") + passthrough("/b") + handler("/c");
    const { branches, fixed } = compare(before, after, 2, { handlersLater: true });
    assertEquals([branches.length, fixed], [3, []]);
    assertEquals(compare(before, passthrough("/") + handler("/b"), 2).fixed, []);
  });
  await t.step("of a program's root what is run, and what the sandbox would hide", () => {
    const before = `[run]\ncommand = ["a"]\n${root}${memory("/tmp/a")}`;
    const after = `[run]\ncommand = ["b"]\n${root}${memory("/tmp/b")}${memory("/b")}`;
    const { fixed } = compare(before, after, 1, { sandbox: ["/proc", "/tmp"] });
    assertEquals(fixed.map(({ key }) => key), ["run.command", 'branch "/tmp/b"']);
    assertEquals(compare(before, after).fixed, []);
  });
  await t.step("but a shorter timeout is no matter where the mount says how long", () => {
    const timeout = '[mount]\nattr_timeout = "2s"\n';
    assertEquals(compare(timeout + root, timeout + root + passthrough("/a", 'cache = "never"')).fixed, []);
  });
});
