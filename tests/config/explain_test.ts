/** The tree as text, and why a path of it is what it is. */
import type { Config } from "../../src/config/config.ts";
import { describeTree } from "../../src/config/describe_tree.ts";
import { branchOf, explain, treePath } from "../../src/config/explain.ts";
import { assert, assertEquals } from "../deps.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { configOf, type Outside } from "./configurations.ts";

const config = (text: string, outside: Outside = {}) => configOf(text, outside) as Config;

const memory = (path: string, ...lines: string[]) =>
  ["[[branch]]", `path = "${path}"`, 'type = "memory"', 'size = "64M"', ...lines, ""].join("\n");

const TREES: Record<string, [text: string, tree: string]> = {
  "one branch": [memory("/"), "/  0: memory, at most 64M"],
  "no root": [
    memory("/a"),
    `/      (only what is below)
└── a  1: memory, at most 64M`,
  ],
  "nested, with made-up directories between": [
    memory("/data/torrents") + memory("/") + memory("/src/vendor", "read_only = true") +
    memory("/src").replace("64M", "0"),
    `/                 0: memory, at most 64M
├── data          (only what is below)
│   └── torrents  1: memory, at most 64M
└── src           3: memory, without a limit
    └── vendor    2: memory, at most 64M, read-only`,
  ],
  "directories that the branch around them may have": [
    '[[branch]]\npath = "/"\ntype = "passthrough"\nsource = "x"\n' + memory("/a/b/c") + memory("/a/b/c/d/e"),
    `/                      0: passthrough of /here/x
└── a                  (what 0 has there, and what is below)
    └── b              (what 0 has there, and what is below)
        └── c          1: memory, at most 64M
            └── d      (only what is below)
                └── e  2: memory, at most 64M`,
  ],
  "all types and wrappers": [
    '[[branch]]\npath = "/p"\ntype = "passthrough"\nsource = "x"\nmax_size = 1536\nhidden = [".git", "*.o"]\nmap.uid = 0\n' +
    '[[branch]]\npath = "/u"\ntype = "union"\nsources = ["a", "b:ro"]',
    `/      (only what is below)
├── p  1: passthrough of /here/x, its files at most 1.5K, without .git *.o, with owners or permissions mapped
└── u  2: union of /here/a (rw) and /here/b (ro)`,
  ],
};

Deno.test("the tree is drawn as it will be", async (t) => {
  for (const [name, [text, tree]] of Object.entries(TREES)) {
    await t.step(name, () => assertEquals(describeTree(config(text)), tree));
  }
});

Deno.test("a path belongs to the branch that is nearest above it", () => {
  const tree = config(memory("/") + memory("/src") + memory("/src/vendor") + memory("/srcs"));
  const cases = {
    "/": "/",
    "/a": "/",
    "/src": "/src",
    "/src/a/b": "/src",
    "/src/vendor/a": "/src/vendor",
    "/srcs/a": "/srcs",
  };
  for (const [path, branch] of Object.entries(cases)) assertEquals(branchOf(tree, path)?.path, branch, path);
  assertEquals(branchOf(config(memory("/a")), "/ab"), undefined);
});

Deno.test("a path below the mountpoint is one in the tree", () => {
  const tree = config('mount.point = "/mnt/x"\n' + memory("/"));
  const cases: [path: string, from: string, inTree: string | undefined][] = [
    ["/a/b", "/", "/a/b"],
    ["/a/../b/", "/", "/b"],
    ["/mnt/x", "/", "/"],
    ["/mnt/x/a", "/", "/a"],
    ["/mnt/xy", "/", "/mnt/xy"],
    ["a", "/mnt/x/src", "/src/a"],
    [".", "/mnt/x", "/"],
    ["a", "/mnt", undefined],
  ];
  for (const [path, from, inTree] of cases) assertEquals(treePath(tree, path, from), inTree, path);
});

Deno.test("a path is explained by its branch, its sources, and who decided its options", async () => {
  await using folder = await temporaryFolder();
  for (const name of ["upper", "lower", "lower/d"]) await Deno.mkdir(`${folder.path}/${name}`);
  await Deno.writeTextFile(`${folder.path}/lower/d/file.o`, "");
  const text = `[[branch]]
path = "/build"
type = "union"
sources = ["${folder.path}/upper", "${folder.path}/lower:ro"]
hidden = ["*.o"]
`;
  const tree = config(text, { environment: { TRELLIS_MOUNT_READ_ONLY: "true" }, flags: ["mount.point=/m"] });
  assertEquals(
    (await explain(tree, "/build/d/file.o")).replaceAll(folder.path, "").replace(/ +(?=#)/g, "  "),
    `/build/d/file.o
  branch 1 at /build (t.toml:1:1): union of /upper (rw) and /lower (ro)
  not in /upper/d/file.o
  from /lower/d/file.o: a file
  hidden by the pattern "*.o"

[[branch]]
  type = "union"                 # t.toml:3:8
  path = "/build"                # t.toml:2:8
  read_only = false              # default
  hidden = ["*.o"]               # t.toml:5:10
  sources = ["/upper", "/lower:ro"]  # t.toml:4:11
  create = "ff"                  # default

[mount]
  point = "/m"                  # --set mount.point
  name = "trellis"              # default
  read_only = true              # TRELLIS_MOUNT_READ_ONLY
  allow_other = false           # default
  negative_timeout = 0          # default
  growing = false               # default
  branch_point_errno = "EBUSY"  # default
  options = []                  # default`.replace(/ +(?=#)/g, "  "),
  );
});

Deno.test("a path without a branch, and a branch point, are said to be such", async () => {
  const tree = config(memory("/a/b") + memory("/a/b/c") + memory("/a/d"));
  const cases: Record<string, string[]> = {
    "/": ["no branch: a directory made up for the branches below it: /a/b /a/b/c /a/d"],
    "/a": ["no branch: a directory made up for the branches below it: /a/b /a/b/c /a/d"],
    "/x": ["no branch: there is no such path"],
    "/a/b": [
      "branch 1 at /a/b",
      "a branch point: removing or renaming it is EBUSY",
      "with the branches below it: /a/b/c",
    ],
  };
  for (const [path, says] of Object.entries(cases)) {
    const text = await explain(tree, path);
    for (const words of says) assert(text.includes(words), text);
  }
});
