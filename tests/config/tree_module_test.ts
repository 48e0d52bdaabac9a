/** The tree of a configuration as its loops and handlers make it. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { LoopHost } from "../../src/fs/module.ts";
import { BranchFileSystem } from "../../src/layers/branch/mod.ts";
import makeTree, { prepare } from "../../src/config/tree_module.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { Paths } from "../layers/union/union_mount.ts";
import { configOf } from "./configurations.ts";

const SIZE = 1 << 20;
const branch = (path: string, ...lines: string[]) =>
  ["[[branch]]", `path = "${path}"`, 'type = "memory"', ...lines, ""].join("\n");

const { branches } = configOf(
  branch("/") + branch("/a", 'placement = "handler"', 'max_size = "1M"') + branch("/b", 'placement = "handler"'),
);
const options = { branches, branchPointErrno: "EBUSY", growing: false } as const;
const HOSTS: readonly Omit<LoopHost, "shared">[] = [
  { loop: 0, loops: 3 },
  { loop: 1, loops: 3, handler: 0, restarts: 0 },
  { loop: 2, loops: 3, handler: 1, restarts: 0 },
];

Deno.test("each branch is served by one: in the loop, or in the handler of its own", async () => {
  const shared = await prepare(options, 3);
  for (const [index, host] of HOSTS.entries()) {
    const paths = new Paths(makeTree(options, { ...host, shared }));
    assert(paths.filesystem instanceof BranchFileSystem);
    for (const [at, path] of ["/", "/a", "/b"].entries()) {
      const node = at * 2 ** 40 + 1;
      const make = () => paths.filesystem.makeDirectory(node, "d", 0o755, paths.context);
      if (at === index) make();
      else assertThrows(make, Error, undefined, path);
    }
  }
});

Deno.test("a filesystem in memory that takes a dead one's place has all its room, and none of its node ids", async () => {
  const shared = await prepare(options, 3);
  const root = 2 ** 40 + 1;
  const make = (restarts: number) => new Paths(makeTree(options, { ...HOSTS[1]!, restarts, shared }));
  const free = async ({ filesystem, context }: { filesystem: FileSystem } & Paths) => {
    const { blocksFree, blockSize } = await filesystem.getStatistics!(root, context);
    return blocksFree * blockSize;
  };
  const [dead, next] = [make(0), make(1)];
  assertEquals(await free(dead), SIZE);
  const { entry } = await dead.filesystem.create(root, "f", 0o644, 2, dead.context);
  await dead.filesystem.setAttributes(entry.node, { size: SIZE / 2 }, undefined, dead.context);
  assertEquals(await free(dead), SIZE / 2);
  assertEquals(await free(make(2)), SIZE);
  assertThrows(() => next.filesystem.getAttributes(entry.node, undefined, next.context), Error, "node");
  const other = await next.filesystem.create(root, "g", 0o644, 2, next.context);
  assert(other.entry.node !== entry.node);
});
