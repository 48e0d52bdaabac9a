/** When a mount of the tool has a keeper. */
import { chooseKeeper, type KeeperFacts } from "../../src/cli/keeper_choice.ts";
import { examineForKeeper } from "../../src/cli/keeper_facts.ts";
import { parseMountOptions } from "../../src/cli/mount_options.ts";
import { type MountPlan, planMemory, planPassthrough } from "../../src/cli/mount_plan.ts";
import { assert, assertEquals, assertMatch } from "../deps.ts";

/** A mount of a directory on a new kernel. */
const DIRECTORY: KeeperFacts = {
  ...{ asked: "auto", refusal: undefined, emptied: undefined, growing: false, inHandler: undefined },
  ...{ resend: true, kernelResends: true, opensFiles: true, keepsOpenFiles: true, uring: false },
};

const CHOICES: [what: string, facts: Partial<KeeperFacts>, separate: boolean, reason: RegExp][] = [
  ["a directory", {}, true, /outlives its server/],
  ["nothing that is open", { opensFiles: false, keepsOpenFiles: false }, true, /outlives/],
  ["what a keeper refuses", { refusal: "it is so" }, false, /^it is so$/],
  ["memory", { emptied: "memory", opensFiles: false }, false, /^what is in memory would end with.*keep_content/],
  ["a branch in memory", { emptied: 'memory at "/tmp"' }, false, /in memory at "\/tmp" would end/],
  ["a growing tree", { growing: true }, false, /mount\.growing/],
  ["a branch in a handler", { inHandler: "/h" }, false, /^branch "\/h" is in a handler/],
  ["no_resend", { resend: false }, false, /no_resend/],
  ["an old kernel", { kernelResends: false }, false, /Linux 6\.9/],
  ["no io_uring to keep files", { keepsOpenFiles: false }, false, /keeps no open files/],
  ["io_uring", { uring: true }, false, /io_uring/],
  ["same", { asked: "same" }, false, /^process=same$/],
  ["separate", { asked: "separate" }, true, /^process=separate$/],
  [
    "separate, whatever it costs",
    { asked: "separate", emptied: "memory", resend: false, kernelResends: false, keepsOpenFiles: false },
    true,
    /^process=separate$/,
  ],
  ["separate, though io_uring would be taken", { asked: "separate", uring: true }, true, /=sep/],
];

Deno.test("a mount has a keeper wherever what is mounted goes on with it, or as it is asked for", async (t) => {
  for (const [what, facts, separate, reason] of CHOICES) {
    await t.step(what, () => {
      const choice = chooseKeeper({ ...DIRECTORY, ...facts });
      assertEquals(choice.separate, separate);
      assertMatch(choice.reason, reason);
    });
  }
});

const SAID = { process: "auto", resend: true } as const;
const passthrough = (option: string, mount: Partial<MountPlan> = {}): MountPlan => ({
  ...planPassthrough("/dev/shm", parseMountOptions([option], "passthrough")),
  ...mount,
});
const tree = (...parts: MountPlan["parts"]): MountPlan => ({
  ...passthrough("rw", { parts }),
  configuration: { file: "/nowhere/t.toml", growing: false },
});
const SHM = { type: "passthrough", path: "/", options: { source: "/dev/shm" } } as const;
const FILES = { path: "/f", type: "memory", options: {} } as const;

Deno.test("what is planned is looked at", async (t) => {
  const facts = (plan: MountPlan, mountpoint = "/mnt") => examineForKeeper(plan, mountpoint, SAID);
  await t.step("memory is emptied, unless it keeps its content", async () => {
    const plan = (option: string) => planMemory(parseMountOptions([option], "memory"));
    const { emptied, opensFiles } = await facts(plan("rw"));
    assertEquals({ emptied, opensFiles }, { emptied: "memory", opensFiles: false });
    assertEquals((await facts(plan("keep_content"))).emptied, undefined);
  });
  await t.step("the first branch in memory is named", async () => {
    assertEquals((await facts(tree(SHM, FILES))).emptied, 'memory at "/f"');
    const { emptied, opensFiles } = await facts(tree(SHM, { ...FILES, options: { keepContent: true } }));
    assertEquals({ emptied, opensFiles }, { emptied: undefined, opensFiles: true });
  });
  await t.step("what no keeper holds is refused by name", async () => {
    const refusals: [plan: MountPlan, mountpoint: string, reason: RegExp][] = [
      [passthrough("rw"), "/dev/fd/9", /who mounted it/],
      [passthrough("rw", { settings: { transport: "uring" } }), "/mnt", /io_uring/],
      [passthrough("rw"), "/", /lies below \/, which would hide it/],
    ];
    for (const [plan, mountpoint, reason] of refusals) assertMatch((await facts(plan, mountpoint)).refusal!, reason);
    assertEquals((await facts(passthrough("rw"))).refusal, undefined);
    const asked = { process: "same", resend: true } as const;
    assertEquals((await examineForKeeper(passthrough("rw"), "/", asked)).refusal, undefined);
  });
  await t.step("branches in handlers could not change, and are kept when that is asked for", async () => {
    const { refusal, inHandler } = await facts(tree(SHM, { ...SHM, path: "/h", placement: "handler" }));
    assertEquals({ refusal, inHandler }, { refusal: undefined, inHandler: "/h" });
    assertEquals((await facts(tree(SHM))).inHandler, undefined);
  });
  await t.step("io_uring that is not asked for is none", async () => {
    assert(!(await facts(passthrough("transport=device"))).uring);
  });
});
