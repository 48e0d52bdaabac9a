/** The memory layer through a live mount, as the tool mounts it: as root for all, and as an ordinary user. */
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { runSuites } from "./suites.ts";

Deno.test({
  name: `memory, mounted by root for everybody${NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using folder = await temporaryFolder();
    await using mount = await MountProcess.start(`${folder.path}/mnt`, ["-o", "allow_other"]);
    await runSuites(t, mount.mountpoint);
  },
});

Deno.test({
  name: `memory, mounted by an ordinary user for itself${NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using user = await prepareOrdinaryUser();
    await using mount = await MountProcess.start(`${user.folder}/mnt`, [], user.invocation);
    await runSuites(t, mount.mountpoint, { user: { uid: user.uid, gid: user.uid }, only: ["conformance", "model"] });
  },
});
