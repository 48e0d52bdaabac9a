/** What `-o` takes, what it means, and what it refuses. */
import { Failure } from "../../src/cli/failure.ts";
import { describeMountOptions, parseMountOptions } from "../../src/cli/mount_options.ts";
import { planMemory } from "../../src/cli/mount_plan.ts";
import { withOptions } from "../../src/cli/serving_process.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../deps.ts";

const memory = Deno.systemMemoryInfo().total;

const MOUNT: [lists: string[], mount: Record<string, unknown>][] = [
  [[], {}],
  [[""], {}],
  [[",,"], {}],
  [["ro"], { readOnly: true }],
  [["ro,rw"], { readOnly: false }],
  [["ro", "rw"], { readOnly: false }],
  [["allow_other,default_permissions"], { allowOther: true, defaultPermissions: true }],
  [["nosuid,nodev,noexec,noatime"], { options: ["nosuid", "nodev", "noexec", "noatime"] }],
  [["auto_unmount", "sync"], { options: ["auto_unmount", "sync"] }],
  [["fsname=data,subtype=mine"], { filesystemName: "data", subtype: "mine" }],
  [["fsname=a=b"], { filesystemName: "a=b" }],
  [["fsname=a\\,b,ro"], { filesystemName: "a,b", readOnly: true }],
  [["fsname=a\\\\,ro"], { filesystemName: "a\\", readOnly: true }],
  [["fsname=two words"], { filesystemName: "two words" }],
  [
    ["attr_timeout=0,entry_timeout=1.5,negative_timeout=.25"],
    { attributesTimeout: 0, entryTimeout: 1.5, negativeTimeout: 0.25 },
  ],
  [["max_read=131072"], { maxRead: 131072 }],
  [["max_read=128k"], { maxRead: 131072 }],
];

const SERVER: [list: string, parsed: Record<string, unknown>][] = [
  ["process=auto", { process: "auto" }],
  ["process=same,process=separate", { process: "separate" }],
  ["process=separate,no_resend", { process: "separate", resend: false }],
  ["spare,process=separate", { process: "separate", spare: true }],
  ["process=separate,restarts=0,hang_timeout=0.5", { process: "separate", restarts: 0, hangTimeout: 0.5 }],
];

const SENSELESS: [list: string, says: string[]][] = [
  ["spare", ['"spare"', "process=separate"]],
  ["restarts=5", ['"restarts"', "process=separate"]],
  ["process=same,hang_timeout=5", ['"hang_timeout"', "process=separate"]],
  ["process=same,spare", ['"spare"', "process=separate"]],
  ["no_resend", ['"no_resend"', "process=separate"]],
  ["keep_content,process=same", ['"keep_content"', "(process=same)", "process=separate"]],
  ["process=separate,spare,no_resend", ['"spare" and "no_resend"', "leave out one"]],
];

const MEMORY: [list: string, memory: Record<string, unknown>][] = [
  ["size=0", { size: 0 }],
  ["size=4096", { size: 4096 }],
  ["size=64K", { size: 65536 }],
  ["size=64k", { size: 65536 }],
  ["size=100M", { size: 100 * 2 ** 20 }],
  ["size=2g", { size: 2 ** 31 }],
  ["size=1T", { size: 2 ** 40 }],
  ["size=50%", { size: Math.floor(memory / 2) }],
  ["size=1M,size=2M", { size: 2 ** 21 }],
  ["inodes=1000", { inodes: 1000 }],
  ["nr_inodes=1k", { inodes: 1024 }],
  ["mode=1777,uid=0,gid=4294967294", { mode: 0o1777, uid: 0, gid: 4294967294 }],
  ["mode=0700", { mode: 0o700 }],
];

const PASSTHROUGH: [list: string, parsed: Record<string, unknown>][] = [
  ["cache=never", { passthrough: { cache: "never" } }],
  ["cache=auto,cache=always,writeback", { passthrough: { cache: "always", writeback: true } }],
  ["no_cross_mounts", { passthrough: { crossMounts: false } }],
  ["no_cross_mounts,cross_mounts", { passthrough: { crossMounts: true } }],
  ["no_remote_lock", { passthrough: { remotePosixLock: false, remoteFlock: false } }],
  ["no_remote_posix_lock", { passthrough: { remotePosixLock: false } }],
  ["no_remote_flock", { passthrough: { remoteFlock: false } }],
  ["max_descriptors=4k", { passthrough: { maxDescriptors: 4096 } }],
  ["loops=16", { loops: 16 }],
  ["ro,loops=1", { mount: { options: [], readOnly: true }, loops: 1 }],
];

const REFUSED_WITH_SOURCE: [list: string, says: string[]][] = [
  ["size=1M", ['"size"', "in memory", "source"]],
  ["inodes=10", ['"inodes"', "in memory"]],
  ["mode=755", ['"mode"', "in memory"]],
  ["uid=0", ['"uid"', "in memory"]],
  ["cach=never", ['"cach"', '"cache"']],
  ["cache=sometimes", ['"cache=sometimes"', "never, auto, always"]],
  ["cache", ["needs a value"]],
  ["writeback=1", ["takes no value"]],
  ["loops=0", ['"loops=0"', "from 1 to 16"]],
  ["loops=17", ['"loops=17"']],
  ["max_descriptors=15", ['"max_descriptors=15"', "from 16"]],
];

const REFUSED: [list: string, says: string[]][] = [
  ["siez=1M", ['"siez"', '"size"']],
  ["cache=never", ['"cache"', "mount SOURCE MOUNTPOINT"]],
  ["writeback", ['"writeback"', "with a source"]],
  ["loops=2", ['"loops"', "with a source"]],
  ["allow_othr", ['"allow_othr"', '"allow_other"']],
  ["ro,frobnicate=3", ['"frobnicate"']],
  ["RO", ['"RO"', '"ro"']],
  [" ro", ['" ro"', '"ro"']],
  ["=1", ['""']],
  ["constructor", ['"constructor"']],
  ["allow_root", ['"allow_root"', "allow_other"]],
  ["nonempty", ['"nonempty"', "not needed"]],
  ["ro=1", ["takes no value", '"ro=1"']],
  ["size", ["needs a value", "size=SIZE"]],
  ["spare=1", ["takes no value"]],
  ["process=other", ['"process=other"', "auto, separate, same"]],
  ["restarts", ["needs a value", "restarts=NUMBER"]],
  ["restarts=-1", ['"restarts=-1"', "a number"]],
  ["restarts=1.5", ['"restarts=1.5"']],
  ["restarts=1001", ['"restarts=1001"', "from 0 to 1000"]],
  ["hang_timeout=0", ['"hang_timeout=0"', "above 0", "604800"]],
  ["hang_timeout=2m", ['"hang_timeout=2m"', "seconds"]],
  ["hang_timeout=604801", ['"hang_timeout=604801"', "at most 604800"]],
  ["size=", ["needs a value"]],
  ["fsname=", ["needs a value"]],
  ["size=1.5G", ['"size=1.5G"', "100M"]],
  ["size=-1", ['"size=-1"']],
  ["size=1X", ['"size=1X"']],
  ["size=none", ['"size=none"']],
  ["size=99999999999T", ['"size=99999999999T"']],
  ["inodes=50%", ['"inodes=50%"']],
  ["max_read=all", ['"max_read=all"']],
  ["max_read=4G", ['"max_read=4G"', "4294967295"]],
  ["attr_timeout=-1", ['"attr_timeout=-1"', "seconds"]],
  ["attr_timeout=1s", ['"attr_timeout=1s"']],
  ["entry_timeout=Infinity", ['"entry_timeout=Infinity"']],
  ["mode=888", ['"mode=888"', "octal"]],
  ["mode=17777", ['"mode=17777"']],
  ["uid=root", ['"uid=root"', "number"]],
  ["uid=4294967295", ['"uid=4294967295"']],
];

Deno.test("mount options set what mount is given", async (t) => {
  for (const [lists, expected] of MOUNT) {
    await t.step(lists.map((list) => `-o '${list}'`).join(" ") || "none", () => {
      const parsed = { mount: { options: [], ...expected }, memory: {}, passthrough: {} };
      for (const kind of ["memory", "passthrough"] as const) assertEquals(parseMountOptions(lists, kind), parsed);
    });
  }
});

Deno.test("mount options say which process serves", async (t) => {
  for (const [list, expected] of SERVER) {
    await t.step(list, () => {
      const parsed = { mount: { options: [] }, memory: {}, passthrough: {}, ...expected };
      for (const kind of ["memory", "passthrough", "configuration"] as const) {
        assertEquals(parseMountOptions([list], kind), parsed);
      }
    });
  }
});

Deno.test("what is for a process that serves is refused without one, and what excludes each other", async (t) => {
  const plan = planMemory(parseMountOptions([], "memory"));
  const parse = (list: string, mountpoint = "/mnt") =>
    withOptions({ plan, mountpoint }, parseMountOptions([list], "memory"));
  for (const [list, says] of SENSELESS) {
    await t.step(list, async () => {
      const failure = await assertRejects(() => parse(list), Failure);
      assertEquals(failure.kind, "USAGE");
      for (const words of says) assert(failure.message.includes(words), failure.message);
    });
  }
  await t.step("process=separate for a descriptor", async () => {
    const failure = await assertRejects(() => parse("process=separate", "/dev/fd/9"), Failure);
    assertEquals(failure.kind, "USAGE");
  });
  await t.step("process=separate,spare", async () => {
    const { keeper, resend, spare } = (await parse("process=separate,spare")).plan;
    assertEquals({ separate: keeper.separate, resend, spare }, { separate: true, resend: true, spare: true });
  });
  await t.step("restarts of -o wins, and hang_timeout of the configuration stays", async () => {
    const configured = { ...plan, process: "separate" as const, restarts: 1, hangTimeout: 9 };
    const given = await withOptions(
      { plan: configured, mountpoint: "/mnt" },
      parseMountOptions(["restarts=7"], "configuration"),
    );
    const { restarts, hangTimeout } = given.plan;
    assertEquals({ restarts, hangTimeout }, { restarts: 7, hangTimeout: 9 });
  });
});

Deno.test("mount options set the limits and the root of the memory filesystem", async (t) => {
  for (const [list, expected] of MEMORY) {
    await t.step(list, () => {
      const parsed = { mount: { options: [] }, memory: expected, passthrough: {} };
      assertEquals(parseMountOptions([list], "memory"), parsed);
    });
  }
});

Deno.test("mount options set how a source is shown", async (t) => {
  for (const [list, expected] of PASSTHROUGH) {
    await t.step(list, () => {
      const parsed = { mount: { options: [] }, memory: {}, passthrough: {}, ...expected };
      assertEquals(parseMountOptions([list], "passthrough"), parsed);
    });
  }
});

Deno.test("a wrong mount option is refused by its name", async (t) => {
  for (const [kind, cases] of [["memory", REFUSED], ["passthrough", REFUSED_WITH_SOURCE]] as const) {
    for (const [list, says] of cases) {
      await t.step(`${kind}: -o '${list}'`, () => {
        const failure = assertThrows(() => parseMountOptions([list], kind), Failure);
        assertEquals(failure.kind, "USAGE");
        for (const words of says) assert(failure.message.includes(words), failure.message);
      });
    }
  }
});

Deno.test("the help lists every option on a line that fits", () => {
  const lines = describeMountOptions().split("\n");
  for (
    const name of [
      "ro",
      "allow_other",
      "fsname=NAME",
      "attr_timeout=SECONDS",
      "size=SIZE",
      "inodes=NUMBER",
      "loops=NUMBER",
    ]
  ) {
    assert(lines.some((line) => line.startsWith(`  ${name} `)), name);
  }
  assertEquals(lines.filter((line) => line.length > 120), []);
});

Deno.test("mount options of a filesystem are for the file, beside a configuration", async (t) => {
  for (const option of ["size=1M", "keep_content", "cache=never", "loops=2"]) {
    await t.step(option, () => {
      const message = assertThrows(() => parseMountOptions([option], "configuration"), Failure).message;
      assert(message.includes(`"${option.split("=")[0]}" is not for a configuration`), message);
    });
  }
});
