/** What is said of a configuration that cannot be: every problem, at its line and column, in words that help. */
import { assertEquals } from "../deps.ts";
import { type Outside, problemsOf } from "./configurations.ts";

const ROOT = '[[branch]]\npath = "/"\ntype = "memory"\n';

/** A configuration with one more branch, whose first line is line 4. */
const branch = (...lines: string[]) => ROOT + ["[[branch]]", ...lines].join("\n");

const memory = (...lines: string[]) => branch('path = "/m"', 'type = "memory"', ...lines);
const passthrough = (...lines: string[]) => branch('path = "/p"', 'type = "passthrough"', 'source = "."', ...lines);
const union = (...lines: string[]) => branch('path = "/u"', 'type = "union"', ...lines);
const mount = (...lines: string[]) => ROOT + ["[mount]", ...lines].join("\n");
const run = (...lines: string[]) => ROOT + ["[run]", ...lines].join("\n");

type Cases = Record<string, [text: string, problems: string[], outside?: Outside]>;

const NOT_TOML: Cases = {
  "an unterminated string": ['[mount]\npoint = "/m\n', ["t.toml:2:12: not TOML: Unterminated string constant"]],
  "two values in a line": ["a = 1 b = 2", ["t.toml:1:7: not TOML: Must be a newline"]],
  "no value": ["[mount]\nloops =\n", ["t.toml:3:1: not TOML: Unspecified values are invalid"]],
  "a key twice": ["[mount]\nloops = 1\nloops = 2", ["t.toml:3:1: not TOML: Defining a key multiple times is invalid"]],
  "a key of an inline table twice": [
    'm = { a = 1, "a" = 2 }',
    ["t.toml:1:14: not TOML: Defining a key multiple times is invalid"],
  ],
  "a table twice": ["[run]\n\n[run]\n", ["t.toml:3:2: not TOML: Defining a key multiple times is invalid"]],
  "a table that is a list already": [
    ROOT + "[branch]",
    ["t.toml:4:2: not TOML: Defining a key multiple times is invalid"],
  ],
  "no TOML at all": ["hello", ["t.toml:1:6: not TOML: Expected equal (=) token"]],
};

const MOUNT_KEYS = "point, name, read_only, allow_other, entry_timeout, attr_timeout, negative_timeout, max_read, " +
  "loops, growing, branch_point_errno, options";

const NOT_CLOSED = 'a "[" is not closed; write "[[]" for the character itself';

const SHAPE: Cases = {
  "an empty file": ["", ["t.toml:1:1: branch: missing; expected [[branch]] tables"]],
  "no branch": ["branch = []", ["t.toml:1:10: branch: empty; add a [[branch]]"]],
  "one [branch]": ['[branch]\npath = "/"', ["t.toml:1:1: branch: expected [[branch]] tables, not a table"]],
  "a branch that is no table": ["branch = [1]", ["t.toml:1:11: [[branch]] number 1: expected a table, not 1"]],
  "a table that is none": ["mount = 1\n" + ROOT, ["t.toml:1:9: mount: expected a table, not 1"]],
  "an unknown table": [ROOT + "[mont]\n", ['t.toml:4:1: unknown key "mont"; the nearest known one is "mount"']],
  "an unknown key": [
    mount('pont = "/m"'),
    ['t.toml:5:1: mount: unknown key "pont"; the nearest known one is "point"'],
  ],
  "two unknown keys": [memory("sise = 1", "red_only = true"), [
    't.toml:7:1: branch "/m": unknown key "sise"; the nearest known one is "size"',
    't.toml:8:1: branch "/m": unknown key "red_only"; the nearest known one is "read_only"',
  ]],
  "an unknown dotted key": [
    ROOT + "mount.loop = 1",
    [
      't.toml:4:1: branch "/": unknown key "mount"; known are type, path, id, placement, read_only, max_size, hidden, ' +
      "map, size, inodes, mode, uid, gid, keep_content",
    ],
  ],
  "an unknown key of a nested table": [
    memory("map = { uid = 1, gd = 2 }"),
    ['t.toml:7:18: branch "/m": map: unknown key "gd"; the nearest known one is "gid"'],
  ],
  "an unknown key of a table in a list": [
    run('shared_memory = [{ name = "a", size = 1 }, { nam = "b", name = "c", size = 1 }]'),
    ['t.toml:5:46: run.shared_memory[1]: unknown key "nam"; the nearest known one is "name"'],
  ],
  "a key of another type of branch": [
    memory('source = "."'),
    ['t.toml:7:1: branch "/m": the key "source" is for a branch of type "passthrough"'],
  ],
  "keys of two other types": [
    branch('path = "/x"', 'type = "union"', 'sources = ["."]', "size = 1", "cache = 1"),
    [
      't.toml:8:1: branch "/x": the key "size" is for a branch of type "memory"',
      't.toml:9:1: branch "/x": the key "cache" is for a branch of type "passthrough"',
    ],
  ],
  "a key that objects have": [
    mount("constructor = 1", "__proto__ = 1"),
    [
      `t.toml:5:1: mount: unknown key "constructor"; known are ${MOUNT_KEYS}`,
      `t.toml:6:1: mount: unknown key "__proto__"; known are ${MOUNT_KEYS}`,
    ],
  ],
  "no type": [branch('path = "/x"'), [
    't.toml:4:1: branch "/x": type: missing; expected one of memory, passthrough, union',
  ]],
  "an unknown type": [branch('path = "/x"', 'type = "memry"'), [
    't.toml:6:8: branch "/x": type: expected one of memory, passthrough, union, not "memry"',
  ]],
  "no path": [branch('type = "memory"'), [
    "t.toml:4:1: [[branch]] number 2: path: missing; expected an absolute path in the tree",
  ]],
  "no source": [branch('path = "/x"', 'type = "passthrough"'), [
    't.toml:4:1: branch "/x": source: missing; expected a path',
  ]],
  "no sources": [union(), ['t.toml:4:1: branch "/u": sources: missing; expected a list of directories']],
  "an empty list of sources": [union("sources = []"), [
    't.toml:7:11: branch "/u": sources: empty; name at least one directory',
  ]],
  "an empty command": [run("command = []"), ["t.toml:5:11: run.command: empty; name a program"]],
};

const VALUES: Cases = {
  "a size without sense": [
    memory('size = "big"'),
    ['t.toml:7:8: branch "/m": size: expected a number, such as 512, 64K, 100M, 2G or 50%, not "big"'],
  ],
  "a size with a point": [
    memory('max_size = "1.5G"'),
    ['t.toml:7:12: branch "/m": max_size: expected a number, such as 512, 64K, 100M, 2G, not "1.5G"'],
  ],
  "a negative size": [
    memory("size = -1"),
    ['t.toml:7:8: branch "/m": size: expected a number, such as 512, 64K, 100M, 2G or 50%, not -1'],
  ],
  "a part where there is no whole": [
    run('shared_memory = [{ name = "a", size = "5%" }]'),
    ['t.toml:5:39: run.shared_memory[0].size: expected a number, such as 512, 64K, 100M, 2G, not "5%"'],
  ],
  "a size that no number holds": [
    memory('inodes = "99999999T"'),
    ['t.toml:7:10: branch "/m": inodes: expected a number, such as 512, 64K, 100M, 2G, not "99999999T"'],
  ],
  "a duration without its unit": [
    mount("entry_timeout = 1"),
    ["t.toml:5:17: mount.entry_timeout: expected a duration with its unit, such as 500ms, 1s, 5m, 2h or 1d, or 0, not 1"],
  ],
  "a duration in weeks": [
    mount('attr_timeout = "1w"'),
    [
      "t.toml:5:16: mount.attr_timeout: expected a duration with its unit, such as 500ms, 1s, 5m, 2h or 1d, or 0, " +
      'not "1w"',
    ],
  ],
  "permissions in decimal": [
    memory("mode = 755"),
    ['t.toml:7:8: branch "/m": mode: expected permissions in octal, such as 755 or 1777, as text, not 755'],
  ],
  "permissions that are none": [
    memory('map.file_mode = "888"'),
    ['t.toml:7:17: branch "/m": map.file_mode: expected permissions in octal, such as 755 or 1777, as text, not "888"'],
  ],
  "a user's name": [
    memory('uid = "root"'),
    ['t.toml:7:7: branch "/m": uid: expected the number of a user or group, not "root"'],
  ],
  "an id that means none": [
    memory("gid = 4294967295"),
    ['t.toml:7:7: branch "/m": gid: expected the number of a user or group, not 4294967295'],
  ],
  "too many loops": [mount("loops = 17"), ["t.toml:5:9: mount.loops: expected a whole number from 1 to 16, not 17"]],
  "half a loop": [mount("loops = 1.5"), ["t.toml:5:9: mount.loops: expected a whole number from 1 to 16, not 1.5"]],
  "not a number": [mount("loops = nan"), ["t.toml:5:9: mount.loops: expected a whole number from 1 to 16, not NaN"]],
  "a date": [mount("loops = 1979-05-27"), [
    "t.toml:5:9: mount.loops: expected a whole number from 1 to 16, not a date",
  ]],
  "text for a flag": [
    passthrough('read_only = "yes"'),
    ['t.toml:8:13: branch "/p": read_only: expected true or false, not "yes"'],
  ],
  "another word": [
    passthrough('cache = "sometimes"'),
    ['t.toml:8:9: branch "/p": cache: expected one of never, auto, always, not "sometimes"'],
  ],
  "another errno": [
    mount('branch_point_errno = "EIO"'),
    ['t.toml:5:22: mount.branch_point_errno: expected one of EBUSY, EPERM, not "EIO"'],
  ],
  "an unknown policy": [
    union('sources = ["."]', 'create = "first"'),
    [
      't.toml:8:10: branch "/u": create: expected one of ff, mfs, lfs, lus, rand, pfrd, epff, epmfs, eplfs, eplus, ' +
      'eprand, eppfrd, newest, not "first"',
    ],
  ],
  "text for a list": [union('sources = "."'), [
    't.toml:7:11: branch "/u": sources: expected a list of directories, not "."',
  ]],
  "a number in a list": [union('sources = [".",', "  3]"), [
    't.toml:8:3: branch "/u": sources[1]: expected a path, not 3',
  ]],
  "an empty path": [passthrough().replace('"."', '""'), ['t.toml:7:10: branch "/p": source: expected a path, not ""']],
  "a pattern with a slash": [
    passthrough('hidden = ["a", "b/c"]'),
    ['t.toml:8:16: branch "/p": hidden[1]: expected a pattern for names, without /, not "b/c"'],
  ],
  "patterns that are none": [memory('hidden = ["[[]", "[", "[]", "[!]", "[z-a]", "[a-z]"]'), [
    `t.toml:7:18: branch "/m": hidden[1]: "[": ${NOT_CLOSED}`,
    `t.toml:7:23: branch "/m": hidden[2]: "[]": ${NOT_CLOSED}`,
    `t.toml:7:29: branch "/m": hidden[3]: "[!]": ${NOT_CLOSED}`,
    't.toml:7:36: branch "/m": hidden[4]: "[z-a]": a range such as "a-z" ends before it begins',
  ]],
  "NUL": [
    passthrough().replace('"."', '"a\\u0000"'),
    ['t.toml:7:10: branch "/p": source: expected a path, not "a\\u0000"'],
  ],
  "a variable that is no text": [run("env = { A = 1 }"), ["t.toml:5:13: run.env.A: expected text, not 1"]],
  "a relative folder to start in": [run('workdir = "a"'), [
    't.toml:5:11: run.workdir: expected an absolute path, not "a"',
  ]],
  "a shared memory's name with a slash": [
    run('shared_memory = [{ name = "a/b", size = "1M" }]'),
    ['t.toml:5:27: run.shared_memory[0].name: expected a file name, not "a/b"'],
  ],
  "shared memory twice": [
    run('shared_memory = [{ name = "a", size = 1 }, { name = "a", size = 2 }]'),
    ['t.toml:5:53: run.shared_memory[1].name: "a" is there twice'],
  ],
  "an option with a key of its own": [
    mount('options = ["noexec", "ro"]'),
    ['t.toml:5:22: mount.options[1]: "ro" has a key of its own; write read_only = true'],
  ],
  "an unknown option": [
    mount('options = ["noexc"]'),
    [
      't.toml:5:12: mount.options[0]: Unknown mount option "noexc"; the nearest known one is "noexec". All: mount --help',
    ],
  ],
  "an option that is not supported": [
    mount('options = ["allow_root"]'),
    [
      't.toml:5:12: mount.options[0]: The mount option "allow_root" is not supported: use allow_other, which the ' +
      "default_permissions keep safe",
    ],
  ],
  "options with values that they do not take, beside a key that is not there": [
    mount('options = ["noatime=1", "transport=x", "subtype", "noexec"]', "bogus = 1"),
    [
      't.toml:5:12: mount.options[0]: The mount option "noatime" takes no value, but was given as "noatime=1"',
      't.toml:5:25: mount.options[1]: Cannot read the mount option "transport=x": expected one of auto, device, uring',
      't.toml:5:40: mount.options[2]: The mount option "subtype" needs a value: subtype=NAME',
      `t.toml:6:1: mount: unknown key "bogus"; known are ${MOUNT_KEYS}`,
    ],
  ],
  "writeback without a cache": [
    passthrough("writeback = true", 'cache = "never"'),
    ['t.toml:8:13: branch "/p": writeback: not with cache "never": it is a cache; choose "auto" or "always"'],
  ],
  "writeback in a tree that grows": [
    `mount.growing = true\n[[branch]]\npath = "/p"\ntype = "passthrough"\nsource = "."\nwriteback = true\n`,
    [
      't.toml:6:13: branch "/p": writeback: not with mount.growing: branches without it may come; leave out one of the two',
    ],
  ],
  "memory in several loops": [
    "mount.loops = 4\n" + memory(),
    ['t.toml:1:15: mount.loops: only one can serve branches of type "memory", as "/" is; leave it out'],
  ],
  "more threads than can be": [
    Array.from({ length: 17 }, (_, index) => `[[branch]]\npath = "/${index}"\ntype = "memory"\nplacement = "handler"\n`)
      .join(""),
    ['t.toml:68:13: branch "/16": placement: one too many: there can be 16 threads beside the loops; leave it out'],
  ],
  "writeback for some": [
    passthrough("writeback = true"),
    ['t.toml:8:13: branch "/p": writeback: it is the whole mount\'s: leave it out, or set it for all, also "/"'],
  ],
};

const at = (path: string, ...lines: string[]) => branch(`path = ${JSON.stringify(path)}`, 'type = "memory"', ...lines);

const BRANCHES: Cases = {
  "a relative path": [at("src"), ['t.toml:5:8: branch "src": path: "src" is relative; write "/src"']],
  "an empty path": [at(""), ['t.toml:5:8: branch "": path: "" is relative; write "/"']],
  "..": [at("/a/../b"), ['t.toml:5:8: branch "/a/../b": path: "/a/../b" has ".." in it; write "/b"']],
  "a slash at the end": [
    at("/src/"),
    ['t.toml:5:8: branch "/src/": path: "/src/" is not in its normal form; write "/src"'],
  ],
  "two slashes": [at("//src"), ['t.toml:5:8: branch "//src": path: "//src" is not in its normal form; write "/src"']],
  ".": [at("/./a"), ['t.toml:5:8: branch "/./a": path: "/./a" is not in its normal form; write "/a"']],
  "a long name": [
    at("/" + "é".repeat(128)),
    [`t.toml:5:8: branch "/${"é".repeat(128)}": path: the name "${"é".repeat(20)}…" is longer than 255 bytes`],
  ],
  "a path twice": [at("/"), ['t.toml:5:8: branch "/": path: the same as that of the branch at t.toml:2:8']],
  "a gap": [at("/a", "id = 3"), ['t.toml:7:6: branch "/a": id: 3 leaves a gap: the only branch below the root is 1']],
  "a gap among several": [
    at("/a", "id = 4") + "\n" + '[[branch]]\npath = "/b"\ntype = "memory"\n',
    ['t.toml:7:6: branch "/a": id: 4 leaves a gap: the 2 branches below the root are 1 to 2'],
  ],
  "an id twice": [
    at("/a", "id = 1") + "\n" + '[[branch]]\npath = "/b"\ntype = "memory"\nid = 1',
    ['t.toml:11:6: branch "/b": id: 1 is the number of branch "/a" already'],
  ],
  "the root's id for another": [
    at("/a", "id = 0"),
    ['t.toml:7:6: branch "/a": id: 0 is the number of the branch at "/"; the others are numbered from 1'],
  ],
  "another id for the root": [
    ROOT + "id = 1",
    ['t.toml:4:6: branch "/": id: the branch at "/" is 0, not 1'],
  ],
  "an id that is not a number": [
    at("/a", "id = nan"),
    ['t.toml:7:6: branch "/a": id: expected a whole number from 0 to 4095, not NaN'],
  ],
  "an id that nodes cannot have": [
    at("/a", "id = 4096"),
    [
      't.toml:7:6: branch "/a": id: expected a whole number from 0 to 4095, not 4096',
      't.toml:7:6: branch "/a": id: 4096 leaves a gap: the only branch below the root is 1',
    ],
  ],
  "more branches than ids": [
    ROOT + Array.from({ length: 4096 }, (_, index) => `[[branch]]\npath = "/${index}"\ntype = "memory"\n`).join(""),
    ['t.toml:12289:1: branch "/4095": one too many: there can be 4095 below the root'],
  ],
};

const PATHS: Cases = {
  "a variable that is not set": [
    passthrough().replace('"."', '"${NOPE}/src"'),
    ['t.toml:7:10: branch "/p": source: ${NOPE} is not set in the environment'],
  ],
  "two of them": [
    mount('point = "${NOPE}/${NADA}"'),
    [
      "t.toml:5:9: mount.point: ${NOPE} is not set in the environment",
      "t.toml:5:9: mount.point: ${NADA} is not set in the environment",
    ],
  ],
  "one in a list": [
    union('sources = [".", "${NOPE}:ro"]'),
    ['t.toml:7:17: branch "/u": sources[1]: ${NOPE} is not set in the environment'],
  ],
  "one in a variable's value": [
    run("[run.env]", 'A = "${NOPE}"'),
    ["t.toml:6:5: run.env.A: ${NOPE} is not set in the environment"],
  ],
  "a dollar sign alone": [
    mount('point = "/a$b"'),
    [
      "t.toml:5:9: mount.point: a dollar sign without {NAME}; write ${NAME} for a variable, and $$ for a dollar sign",
    ],
  ],
  "a name that no variable has": [
    mount('point = "/${a-b}"'),
    [
      "t.toml:5:9: mount.point: a dollar sign without {NAME}; write ${NAME} for a variable, and $$ for a dollar sign",
    ],
  ],
  "somebody else's home": [
    mount('point = "~you/m"'),
    ['t.toml:5:9: mount.point: only ~ alone or ~/ is known, not "~you/m"; write the path'],
  ],
  "~ without HOME": [
    mount('point = "~/m"'),
    ["t.toml:5:9: mount.point: ~ needs HOME in the environment"],
    { environment: { HOME: "" } },
  ],
};

const OUTSIDE: Cases = {
  "an unknown variable": [
    ROOT,
    ['TRELLIS_MOUNT_PINT: unknown; the nearest known one is "TRELLIS_MOUNT_POINT"'],
    { environment: { TRELLIS_MOUNT_PINT: "/m" } },
  ],
  "a variable's value": [
    ROOT,
    ['TRELLIS_RUN_NETWORK: run.network: expected true or false, not "maybe"'],
    { environment: { TRELLIS_RUN_NETWORK: "maybe" } },
  ],
  "an unknown flag": [
    ROOT,
    ['--set mount.pont: unknown; the nearest known one is "mount.point"'],
    { flags: ["mount.pont=/m"] },
  ],
  "a flag for a branch": [
    ROOT,
    ["--set branch.size: unknown; branches are the file's alone, only keys of [mount] and [run] are set so"],
    { flags: ["branch.size=1M"] },
  ],
  "a flag's value": [
    ROOT,
    ['--set mount.loops: mount.loops: expected a whole number from 1 to 16, not "many"'],
    { flags: ["mount.loops=many"] },
  ],
  "a path from the environment": [
    ROOT,
    ["TRELLIS_MOUNT_POINT: mount.point: ${NOPE} is not set in the environment"],
    { environment: { TRELLIS_MOUNT_POINT: "${NOPE}" } },
  ],
  "an option in a flag's list": [
    ROOT,
    ['--set mount.options: mount.options[1]: "rw" has a key of its own; write read_only = false'],
    { flags: ["mount.options=noexec,rw"] },
  ],
};

for (const [what, cases] of Object.entries({ NOT_TOML, SHAPE, VALUES, BRANCHES, PATHS, OUTSIDE })) {
  Deno.test(`problems are told where they are and in full: ${what.toLowerCase().replace("_", " ")}`, async (t) => {
    for (const [name, [text, problems, outside]] of Object.entries(cases)) {
      await t.step(name, () => assertEquals(problemsOf(text, outside), problems));
    }
  });
}

Deno.test("all problems come at once, in the order of the file", () => {
  const text = `[mount]
pont = "/m"
loops = 0

[[branch]]
path = "src"
type = "memory"
size = "big"

[[branch]]
path = "/b"
type = "passthrough"
source = "\${NOPE}"
size = 1
writeback = "yes"
id = 7

[[branch]]
path = "/b"
type = "unon"

[run]
netwrk = true
`;
  assertEquals(problemsOf(text, { flags: ["run.nothing=1"] }).map((line) => line.replace(/: .*/, "")), [
    "t.toml:2:1",
    "t.toml:3:9",
    "t.toml:6:8",
    "t.toml:8:8",
    "t.toml:13:10",
    "t.toml:14:1",
    "t.toml:15:13",
    "t.toml:16:6",
    "t.toml:19:8",
    "t.toml:20:8",
    "t.toml:23:1",
    "--set run.nothing",
  ]);
});
