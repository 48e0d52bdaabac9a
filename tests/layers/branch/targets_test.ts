/** What a tree has for others to mount on. */
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../src/fs/flags.ts";
import { MemoryFileSystem } from "../../../src/layers/memory/mod.ts";
import { readOnly } from "../../../src/layers/wrappers/mod.ts";
import { assertEquals, assertThrows } from "../../deps.ts";
import { assertRefused, BranchTree } from "./branch_tree.ts";

const memory = () => new MemoryFileSystem({ uid: 0, gid: 0 });
const TARGETS = { directories: ["/proc", "/deep/er"], files: ["/etc/file"] };

Deno.test("targets are there without a change to any branch, and keep their names", async () => {
  const root = memory();
  const plain = new BranchTree([{ path: "/", filesystem: root }]);
  const tree = new BranchTree([{ path: "/", filesystem: readOnly(root) }, {
    path: "/deep/branch",
    filesystem: memory(),
  }], {
    targets: TARGETS,
  });
  const kind = async (path: string) => (await tree.stat(path)).mode & S_IFMT;
  assertEquals([await kind("/proc"), await kind("/deep/er"), await kind("/etc/file")], [S_IFDIR, S_IFDIR, S_IFREG]);
  assertEquals((await tree.stat("/etc/file")).size, 0);
  assertEquals([await tree.names("/"), await tree.names("/deep")], ["deep etc proc", "branch er"]);
  const listed = (await tree.list("/etc")).find(({ name }) => name === "file")!;
  assertEquals([listed.mode, listed.inode], [S_IFREG, (await tree.stat("/etc/file")).inode]);
  assertEquals(await plain.names("/"), "");
  await assertRefused("EBUSY", () => tree.unlink("/etc/file"));
  await assertRefused("EBUSY", () => tree.removeDirectory("/proc"));
});

Deno.test("a target that a branch has is the branch's own", async () => {
  const root = memory();
  const plain = new BranchTree([{ path: "/", filesystem: root }]);
  await plain.makeDirectory("/proc");
  await plain.write("/proc/inside", "text");
  await plain.makeDirectory("/etc");
  await plain.write("/etc/file", "own");
  await plain.write("/deep", "a file in the way");
  const tree = new BranchTree([{ path: "/", filesystem: root }], { targets: TARGETS });
  assertEquals([await tree.read("/proc/inside"), await tree.read("/etc/file")], ["text", "own"]);
  assertEquals((await tree.stat("/deep")).mode & S_IFMT, S_IFDIR);
});

Deno.test("targets outlive changes of the tree", async () => {
  const tree = new BranchTree([{ path: "/", filesystem: memory() }], { targets: TARGETS, growing: true });
  tree.filesystem.graft("/proc/branch", memory());
  assertEquals([await tree.names("/proc"), await tree.names("/")], ["branch", "deep etc proc"]);
  await tree.filesystem.prune("/proc/branch");
  assertEquals([await tree.names("/proc"), await tree.names("/")], ["", "deep etc proc"]);
});

Deno.test("targets that cannot be are refused", () => {
  const make = (targets: typeof TARGETS) => new BranchTree([{ path: "/a/b", filesystem: memory() }], { targets });
  assertThrows(() => make({ directories: ["relative"], files: [] }), Error, "a mount target");
  assertThrows(() => make({ directories: [], files: ["/f", "/f/below"] }), Error, '"/f" is a file to mount on');
  assertThrows(() => make({ directories: ["/f/below"], files: ["/f"] }), Error, '"/f" is a file to mount on');
});
