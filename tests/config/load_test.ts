/** What a configuration means: defaults, units, paths, numbers of branches, and who decided each value. */
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problems.ts";
import type { KeyPath } from "../../src/config/toml.ts";
import { assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { configOf, type Outside, readExample } from "./configurations.ts";

const WRAPPERS = { readOnly: false, hidden: [], ownership: {} };
const ROOT = '[[branch]]\npath = "/"\ntype = "memory"\nsize = 0\n';
const ROOT_BRANCH = {
  id: 0,
  path: "/",
  index: 0,
  wrappers: WRAPPERS,
  type: "memory",
  options: { size: 0, inodes: 0, mode: 0o755, keepContent: false },
};

Deno.test("the example of the documentation is what it says", async () => {
  const { mount, branches, run } = configOf(await readExample());
  assertEquals(mount, {
    point: "/home/me/work",
    growing: false,
    branchPointErrno: "EBUSY",
    options: {
      options: [],
      defaultPermissions: true,
      filesystemName: "trellis",
      readOnly: false,
      allowOther: false,
      negativeTimeout: 0,
    },
  });
  assertEquals<unknown>(branches, [
    { ...ROOT_BRANCH, options: { size: 64 * 2 ** 20, inodes: 0, mode: 0o755, keepContent: false } },
    {
      id: 1,
      path: "/src",
      index: 1,
      wrappers: { ...WRAPPERS, readOnly: true },
      type: "passthrough",
      options: {
        source: "/here/src",
        cache: "auto",
        writeback: false,
        kernelPassthrough: true,
        remotePosixLock: true,
        remoteFlock: true,
        crossMounts: true,
      },
    },
    {
      id: 2,
      path: "/build",
      index: 2,
      wrappers: WRAPPERS,
      type: "union",
      sources: [{ path: "/here/build", writable: true }, { path: "/usr/share", writable: false }],
      createPolicy: "ff",
    },
  ]);
  assertEquals(run, {
    command: ["bash"],
    env: { EDITOR: "vi" },
    workdir: "/",
    network: false,
    binds: ["/usr", "/bin", "/lib", "/lib64"].map((path, index) => (
      { key: ["ro_bind", index], source: path, target: path, readOnly: true }
    )),
    sharedMemory: [{ name: "frames", size: 64 * 2 ** 20 }],
  });
});

Deno.test("every key reaches its option", () => {
  const { mount, branches, run } = configOf(`
[mount]
point = "m"
name = "work"
read_only = true
allow_other = true
entry_timeout = "500ms"
attr_timeout = "1.5m"
negative_timeout = "2h"
max_read = "128K"
loops = 1
branch_point_errno = "EPERM"
options = ["noexec", "auto_unmount", "subtype=mine"]

[[branch]]
path = "/a/b"
type = "memory"
placement = "loop"
read_only = true
max_size = "1G"
hidden = ["*.o", ".git"]
map = { uid = 1, gid = 2, file_mode = "640", directory_mode = "750" }
size = "1T"
inodes = "10k"
keep_content = true
mode = "1777"
uid = 3
gid = 4

[[branch]]
path = "/p"
type = "passthrough"
source = "/"
cache = "always"
writeback = false
kernel_passthrough = false
remote_posix_lock = false
remote_flock = false
cross_mounts = false
max_descriptors = 4096

[[branch]]
path = "/u"
type = "union"
sources = ["a", "b:ro", "c:d:rw", "e:f"]
create = "epmfs"

[run]
command = ["make", "-j"]
workdir = "/a"
network = true
bind = ["cache:/var/cache/", "/opt"]
ro_bind = ["~/etc:/etc/mine"]
env = { HERE = "\${PROJECT}/x", PRICE = "$$1", NONE = "\${EMPTY}" }
`);
  assertEquals(mount, {
    point: "/here/m",
    loops: 1,
    growing: false,
    branchPointErrno: "EPERM",
    options: {
      options: ["noexec", "auto_unmount"],
      defaultPermissions: true,
      subtype: "mine",
      filesystemName: "work",
      readOnly: true,
      allowOther: true,
      entryTimeout: 0.5,
      attributesTimeout: 90,
      negativeTimeout: 7200,
      maxRead: 131072,
    },
  });
  assertEquals<unknown>(branches, [
    {
      id: 1,
      path: "/a/b",
      index: 0,
      placement: "loop",
      wrappers: {
        readOnly: true,
        maxSize: 2 ** 30,
        hidden: ["*.o", ".git"],
        ownership: { uid: 1, gid: 2, fileMode: 0o640, directoryMode: 0o750 },
      },
      type: "memory",
      options: { size: 2 ** 40, inodes: 10240, mode: 0o1777, uid: 3, gid: 4, keepContent: true },
    },
    {
      id: 2,
      path: "/p",
      index: 1,
      wrappers: WRAPPERS,
      type: "passthrough",
      options: {
        source: "/",
        cache: "always",
        writeback: false,
        kernelPassthrough: false,
        remotePosixLock: false,
        remoteFlock: false,
        crossMounts: false,
        maxDescriptors: 4096,
      },
    },
    {
      id: 3,
      path: "/u",
      index: 2,
      wrappers: WRAPPERS,
      type: "union",
      sources: [
        { path: "/here/a", writable: true },
        { path: "/here/b", writable: false },
        { path: "/here/c:d", writable: true },
        { path: "/here/e:f", writable: true },
      ],
      createPolicy: "epmfs",
    },
  ]);
  assertEquals(run, {
    command: ["make", "-j"],
    env: { HERE: "/projects/one/x", PRICE: "$1", NONE: "" },
    workdir: "/a",
    network: true,
    binds: [
      { source: "/here/cache", target: "/var/cache", readOnly: false, key: ["bind", 0] },
      { source: "/opt", target: "/opt", readOnly: false, key: ["bind", 1] },
      { source: "/home/me/etc", target: "/etc/mine", readOnly: true, key: ["ro_bind", 0] },
    ],
    sharedMemory: [],
  });
});

Deno.test("half of the memory is what a filesystem in memory may hold", () => {
  const { branches: [branch] } = configOf('[[branch]]\npath = "/"\ntype = "memory"');
  const half = Math.floor(Deno.systemMemoryInfo().total / 2);
  assertEquals<unknown>(branch, {
    ...ROOT_BRANCH,
    options: { size: half, inodes: 0, mode: 0o755, keepContent: false },
  });
});

const POINTS: [written: string, meant: string][] = [
  ["/m", "/m"],
  ["m", "/here/m"],
  ["./m/../n/", "/here/n"],
  ["..", "/"],
  ["~", "/home/me"],
  ["~/m", "/home/me/m"],
  ["a~", "/here/a~"],
  ["${PROJECT}/m", "/projects/one/m"],
  ["${HOME}${PROJECT}", "/home/me/projects/one"],
  ["x${EMPTY}", "/here/x"],
  ["/$${HOME}", "/${HOME}"],
  ["$$$$", "/here/$$"],
];

Deno.test("paths expand, and start at the file's folder", async (t) => {
  for (const [written, meant] of POINTS) {
    await t.step(written, () => {
      assertEquals(configOf(`mount.point = ${JSON.stringify(written)}\n${ROOT}`).mount?.point, meant);
    });
  }
});

Deno.test("branches are numbered in their order, or as they say", async (t) => {
  const cases: [branches: [path: string, id?: number][], ids: Record<string, number>][] = [
    [[["/"]], { "/": 0 }],
    [[["/a"]], { "/a": 1 }],
    [[["/b"], ["/"], ["/a"]], { "/": 0, "/b": 1, "/a": 2 }],
    [[["/a", 2], ["/b", 1]], { "/b": 1, "/a": 2 }],
    [[["/a"], ["/b", 1], ["/", 0], ["/c"]], { "/": 0, "/b": 1, "/a": 2, "/c": 3 }],
  ];
  for (const [branches, ids] of cases) {
    await t.step(JSON.stringify(branches), () => {
      const text = branches.map(([path, id]) =>
        `[[branch]]\npath = "${path}"\ntype = "memory"\n${id === undefined ? "" : `id = ${id}\n`}`
      );
      const config = configOf(text.join(""));
      // The order of the list is that of the numbers.
      assertEquals(Object.entries(ids), config.branches.map(({ path, id }) => [path, id]));
    });
  }
});

const SOURCE = '[[branch]]\npath = "/"\ntype = "passthrough"\nsource = "."\n';
const FILE = `[mount]\npoint = "file"\nloops = 2\n${SOURCE}`;
const ENVIRONMENT = { TRELLIS_MOUNT_POINT: "environment", TRELLIS_MOUNT_ALLOW_OTHER: "true", TRELLIS_LIBFUSE: "/x" };

const DECIDED: Record<string, [outside: Outside, key: KeyPath, decider: string, value: unknown]> = {
  "a default": [{}, ["mount", "name"], "default", "trellis"],
  "the file over it": [{}, ["mount", "point"], "file 2:9", "/here/file"],
  "the environment over it": [
    { environment: ENVIRONMENT },
    ["mount", "point"],
    "TRELLIS_MOUNT_POINT",
    "/elsewhere/environment",
  ],
  "the environment where the file says nothing": [
    { environment: ENVIRONMENT },
    ["mount", "allow_other"],
    "TRELLIS_MOUNT_ALLOW_OTHER",
    true,
  ],
  "the file where the environment says nothing": [{ environment: ENVIRONMENT }, ["mount", "loops"], "file 3:9", 2],
  "a flag over all": [
    { environment: ENVIRONMENT, flags: ["mount.point=flag"] },
    ["mount", "point"],
    "--set mount.point",
    "/elsewhere/flag",
  ],
  "the last of flags": [{ flags: ["mount.loops=3", "mount.loops=4"] }, ["mount", "loops"], "--set mount.loops", 4],
};

Deno.test("defaults, file, environment and flags decide in this order, and it is known who did", async (t) => {
  for (const [name, [outside, key, decider, value]] of Object.entries(DECIDED)) {
    await t.step(name, () => {
      const { settings, mount } = configOf(FILE, outside);
      const origin = settings.originOf(key);
      const place = origin.by === "file" ? `file ${origin.position.line}:${origin.position.column}` : undefined;
      const decided = place ?? (origin.by === "override" ? origin.source : "default");
      const { point, loops, options: { filesystemName, allowOther } } = mount!;
      const values: Record<string, unknown> = { point, loops, name: filesystemName, allow_other: allowOther };
      assertEquals([decided, values[key[1]!]], [decider, value]);
    });
  }
});

Deno.test("texts from outside are read as what the key takes", () => {
  const { mount, run } = configOf(ROOT, {
    environment: {
      TRELLIS_MOUNT_ENTRY_TIMEOUT: "2s",
      TRELLIS_MOUNT_OPTIONS: "noexec,nodev",
      TRELLIS_RUN_COMMAND: '["sh", "-c", "a,b"]',
      TRELLIS_RUN_ENV: '{ A = "1" }',
    },
    flags: [
      "run.network=true",
      "run.shared_memory=[{ name = 'a', size = '1K' }]",
      "mount.name=a=b",
      "mount.max_read=4096",
    ],
  });
  assertEquals(mount?.options, {
    options: ["noexec", "nodev"],
    defaultPermissions: true,
    filesystemName: "a=b",
    readOnly: false,
    allowOther: false,
    entryTimeout: 2,
    negativeTimeout: 0,
    maxRead: 4096,
  });
  assertEquals(run, {
    command: ["sh", "-c", "a,b"],
    env: { A: "1" },
    workdir: "/",
    network: true,
    binds: [],
    sharedMemory: [{ name: "a", size: 1024 }],
  });
});

/** Loads `text` from a file, and gives the problems without the folder's name. */
async function loadProblems(folder: string, text: string | Uint8Array): Promise<string[]> {
  const file = `${folder}/t.toml`;
  await Deno.writeFile(file, typeof text === "string" ? new TextEncoder().encode(text) : text);
  const error = await assertRejects(() => loadConfig(file, { environment: {} }), ConfigError);
  return error.message.replaceAll(folder, "").split("\n").slice(1);
}

const passthrough = (source: string) => `[[branch]]\npath = "/"\ntype = "passthrough"\nsource = "${source}"\n`;

Deno.test("what is shown of the host has to be there, and apart from the mountpoint", async (t) => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/a/b`, { recursive: true });
  await Deno.writeTextFile(`${folder.path}/file`, "");
  await Deno.symlink("a", `${folder.path}/link`);
  const inside = "the mountpoint is inside the source, so the mount would show itself; choose one outside";
  const nested = "the same directory as /a, or one of them is in the other; name others, or both :ro";
  const cases: Record<string, [text: string, problems: string[]]> = {
    "a source that is not there": [
      passthrough("nowhere"),
      ['/t.toml:4:10: branch "/": source: /nowhere: it does not exist; make it first, or name another directory'],
    ],
    "a source that is a file": [passthrough("file"), [
      '/t.toml:4:10: branch "/": source: /file: it is not a directory',
    ]],
    "a source that is to be neither rw nor ro": [
      '[[branch]]\npath = "/"\ntype = "union"\nsources = ["a:rx"]\n',
      [
        '/t.toml:4:12: branch "/": sources[0]: /a:rx: it does not exist; make it first, or name another directory ' +
        "(only :rw and :ro are known, not :rx)",
      ],
    ],
    "several": [
      '[[branch]]\npath = "/"\ntype = "union"\nsources = ["a", "x:ro",\n"file/y"]\n[run]\nro_bind = ["file", "z:/z"]',
      [
        '/t.toml:4:17: branch "/": sources[1]: /x: it does not exist; make it first, or name another directory',
        '/t.toml:5:1: branch "/": sources[2]: /file/y: a part of the path is not a directory',
        "/t.toml:7:20: run.ro_bind[1]: /z: it does not exist",
      ],
    ],
    "directories of a union that are not apart": [
      '[[branch]]\npath = "/"\ntype = "union"\nsources = ["a", "link:ro",\n"a/b"]\n' +
      '[[branch]]\npath = "/c"\ntype = "union"\nsources = ["a:ro", "a/b:ro", "c"]\n',
      [
        `/t.toml:4:17: branch "/": sources[1]: /link: ${nested}`,
        `/t.toml:5:1: branch "/": sources[2]: /a/b: ${nested}`,
        '/t.toml:9:30: branch "/c": sources[2]: /c: it does not exist; make it first, or name another directory',
      ],
    ],
    "a mountpoint inside": ['mount.point = "a/m"\n' + passthrough("a"), [
      `/t.toml:5:10: branch "/": source: /a: ${inside}`,
    ]],
    "a mountpoint inside, by a link": [
      'mount.point = "link/b"\n' + passthrough("a"),
      [`/t.toml:5:10: branch "/": source: /a: ${inside}`],
    ],
    "a source inside": [
      'mount.point = "a"\n' + passthrough("a/b"),
      ['/t.toml:5:10: branch "/": source: /a/b: the source is inside the mountpoint, which would hide it; choose another mountpoint'],
    ],
    "both the same": [
      'mount.point = "a"\n' + passthrough("link"),
      ['/t.toml:5:10: branch "/": source: /link: they are the same directory; choose another mountpoint'],
    ],
    "beside another problem": [
      "mount.loops = 0\n" + passthrough("nowhere") + "red_only = true\n",
      [
        "/t.toml:1:15: mount.loops: expected a whole number from 1 to 16, not 0",
        '/t.toml:5:10: branch "/": source: /nowhere: it does not exist; make it first, or name another directory',
        '/t.toml:6:1: branch "/": unknown key "red_only"; the nearest known one is "read_only"',
      ],
    ],
    "a path that did not expand is one problem": [
      passthrough("${NOPE}"),
      ['/t.toml:4:10: branch "/": source: ${NOPE} is not set in the environment'],
    ],
  };
  for (const [name, [text, problems]] of Object.entries(cases)) {
    await t.step(name, async () => assertEquals(await loadProblems(folder.path, text), problems));
  }
});

Deno.test("a file that cannot be read is said to be", async (t) => {
  await using folder = await temporaryFolder();
  await t.step("not UTF-8", async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode("[mount]\nname = 'é"), 0xff, 0x27]);
    assertEquals(await loadProblems(folder.path, bytes), ["/t.toml:2:10: not TOML: not UTF-8"]);
  });
  for (const [name, reason] of [["nothing", "it does not exist; `init` writes one"], ["", "it is a directory"]]) {
    await t.step(reason!, async () => {
      const file = `${folder.path}/${name}`;
      const error = await assertRejects(() => loadConfig(file), ConfigError);
      assertEquals(error.message, `${file} has a problem:\n${file}: cannot be read: ${reason}`);
    });
  }
});

Deno.test("a configuration never changes", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/t.toml`, ROOT + '[run]\ncommand = ["a"]\n');
  const config = await loadConfig(`${folder.path}/t.toml`, { environment: {} });
  // deno-lint-ignore no-explicit-any -- what the types forbid is tried
  const changes: ((config: any) => void)[] = [
    (config) => config.mount = {},
    (config) => config.mount.options.readOnly = true,
    (config) => config.branches.push({}),
    (config) => config.branches[0].options.size = 1,
    (config) => config.run.command[0] = "b",
    (config) => config.settings.value.branch[0].path = "/x",
  ];
  for (const change of changes) assertThrows(() => change(config), TypeError);
});
