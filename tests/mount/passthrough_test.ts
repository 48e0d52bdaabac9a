/** The passthrough layer through a mount that the tool serves by itself: every suite, on sources of two filesystems. */
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { runSuites, type Suite } from "./suites.ts";

const SKIPPED = NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : "";

interface Combination {
  /** Where the source is made; undefined for the temporary folder, which is on a disk as a rule. */
  parent?: string;
  options: string;
  /** Not each suite on each: what loops, filesystem and caches have to do with is. */
  only?: readonly Suite[];
}

const AS_ROOT: Record<string, Combination> = {
  "over a temporary folder, four loops": { options: "loops=4" },
  "over a temporary folder, one loop, nothing cached": {
    options: "loops=1,cache=never",
    only: ["conformance", "model", "real project"],
  },
  "over tmpfs, one loop, without the kernel's passthrough": {
    parent: "/dev/shm",
    options: "loops=1,no_kernel_passthrough",
    only: ["conformance"],
  },
  "over a temporary folder, two loops in a process of their own": {
    options: "loops=2,process=separate",
    only: ["conformance"],
  },
  "over tmpfs, two loops, everything cached": {
    parent: "/dev/shm",
    options: "loops=2,cache=always",
    only: ["conformance", "model"],
  },
  "over tmpfs, two loops, everything cached, without the kernel's passthrough": {
    parent: "/dev/shm",
    options: "loops=2,cache=always,no_kernel_passthrough",
    only: ["conformance", "model", "torture"],
  },
  "over tmpfs, four loops, writeback": {
    parent: "/dev/shm",
    options: "loops=4,writeback",
    only: ["model", "torture"],
  },
};

for (const [name, { parent, options, only }] of Object.entries(AS_ROOT)) {
  Deno.test({
    name: `passthrough by root for everybody, ${name}${SKIPPED}`,
    ignore: NO_ORDINARY_USER !== undefined,
    fn: async (t) => {
      await using folder = await temporaryFolder();
      await using source = await temporaryFolder(parent);
      await using mount = await MountProcess.start([source.path, `${folder.path}/mnt`], [
        "-o",
        `allow_other,process=same,${options}`,
      ]);
      await runSuites(t, mount.mountpoint, only && { only });
    },
  });
}

for (const [loops, only] of [[1, ["conformance"]], [4, ["conformance", "model", "real project"]]] as const) {
  Deno.test({
    name: `passthrough by an ordinary user for itself, ${loops} loop(s)${SKIPPED}`,
    ignore: NO_ORDINARY_USER !== undefined,
    fn: async (t) => {
      await using user = await prepareOrdinaryUser();
      const source = `${user.folder}/source`;
      await Deno.mkdir(source);
      await Deno.chown(source, user.uid, user.uid);
      const options = ["-o", `loops=${loops},process=same`];
      await using mount = await MountProcess.start([source, `${user.folder}/mnt`], options, user.invocation);
      await runSuites(t, mount.mountpoint, { user: { uid: user.uid, gid: user.uid }, only });
    },
  });
}
