/** The passthrough layer under random operations, while others change its source in the same way. */
import { assertEquals } from "../deps.ts";
import { type Invocation, MountProcess, run, temporaryFolder } from "../support/cli_process.ts";
import type { User } from "../support/command.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { tortureChangingSource } from "../torture/changing_source.ts";
import { tortureSizes } from "../torture/mod.ts";

/** How long after the last change the mount may differ, in milliseconds: a second, and what a busy machine takes. */
const COHERENT_WITHIN = 1000 + 2000;

interface Combination {
  /** Where the source is made; undefined for the temporary folder. */
  parent?: string;
  options: string;
  /** When the mount must equal its source. */
  settle?: number;
}

const COMBINATIONS: Record<string, Combination> = {
  "four loops": { options: "loops=4", settle: COHERENT_WITHIN },
  "one loop, nothing cached": { options: "loops=1,cache=never", settle: 0 },
  "over tmpfs, four loops, nothing cached": { parent: "/dev/shm", options: "loops=4,cache=never", settle: 0 },
  "over tmpfs, one loop": { parent: "/dev/shm", options: "loops=1", settle: COHERENT_WITHIN },
  "over tmpfs, four loops, few descriptors": {
    parent: "/dev/shm",
    options: "loops=4,max_descriptors=16",
    settle: COHERENT_WITHIN,
  },
  // Nothing is promised of a source that others change, but no operation may fail for it, nor read what nobody wrote.
  "over tmpfs, four loops, everything cached": { parent: "/dev/shm", options: "loops=4,cache=always" },
};

interface Place {
  mountpoint: string;
  source: string;
  options: string;
  invocation?: Invocation;
  user?: User;
}

/** Tortures a fresh mount, which must live to its end without a word. */
async function tortureMount({ mountpoint, source, options, invocation, user }: Place, settle?: number): Promise<void> {
  await using mount = await MountProcess.start([source, mountpoint], ["-o", options], invocation);
  const operations = Math.ceil(tortureSizes().operations / 8);
  await tortureChangingSource(mountpoint, source, {
    operations,
    ...(settle !== undefined && { settle }),
    ...(user && { user }),
  });
  assertEquals(await run("umount", mount.mountpoint), 0);
  assertEquals(await mount.ended(), { code: 0, stdout: mount.readyLine + "\n", stderr: "" });
}

for (const [name, { parent, options, settle }] of Object.entries(COMBINATIONS)) {
  Deno.test(`passthrough survives the torture of a changing source: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await using source = await temporaryFolder(parent);
    await tortureMount({ mountpoint: `${folder.path}/mnt`, source: source.path, options }, settle);
  });
}

Deno.test({
  name: `passthrough by an ordinary user survives the torture of a changing source` +
    (NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""),
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using ordinary = await prepareOrdinaryUser();
    const user = { uid: ordinary.uid, gid: ordinary.uid };
    for (const loops of [1, 4]) {
      await t.step(`${loops} loop(s)`, async () => {
        const source = `${ordinary.folder}/source-${loops}`;
        await Deno.mkdir(source);
        await Deno.chown(source, user.uid, user.gid);
        const mountpoint = `${ordinary.folder}/mnt-${loops}`;
        const { invocation } = ordinary;
        await tortureMount({ mountpoint, source, options: `loops=${loops}`, invocation, user }, COHERENT_WITHIN);
      });
    }
  },
});
