/** A mount with a source: which sources are refused, and what the mount table says of those that are not. */
import { findMount } from "../../../src/connection/mount_table.ts";
import { assert, assertEquals } from "../../deps.ts";
import { MountProcess, run, temporaryFolder } from "../../support/cli_process.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";
import { assertRefused } from "./refusal.ts";

Deno.test("a source that cannot be used is refused with exit code 8, and nothing is made", async (t) => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.mkdir(at("source/inner"), { recursive: true });
  await Deno.writeTextFile(at("file"), "");
  await Deno.symlink("source", at("link"));
  await Deno.symlink("circle", at("circle"));
  await Deno.symlink("nowhere", at("dangling"));
  const cases: Record<string, [source: string, mountpoint: string, says: string[]]> = {
    "missing": ["missing", "m", [at("missing"), "does not exist"]],
    "a link to nowhere": ["dangling", "m", [at("dangling"), "does not exist"]],
    "a file": ["file", "m", [at("file"), "not a directory"]],
    "below a file": ["file/x", "m", [at("file/x"), "not a directory"]],
    "a circle of links": ["circle", "m", [at("circle"), "symbolic links"]],
    "a name that is too long": ["s".repeat(256), "m", ["too long"]],
    "the mountpoint in it": ["source", "source/inner", ["mountpoint is inside the source"]],
    "a mountpoint in it that is not there": ["source", "source/m", ["mountpoint is inside the source"]],
    "the mountpoint in it, by a link": ["source", "link/inner", ["mountpoint is inside the source"]],
    "a link to a folder with the mountpoint in it": ["link", "source/inner/m", ["mountpoint is inside the source"]],
    "in the mountpoint": ["source/inner", "source", ["source is inside the mountpoint"]],
    "in the mountpoint, by a link": ["source/inner", "link", ["source is inside the mountpoint"]],
    "the mountpoint itself": ["source", "source", ["same directory"]],
    "the mountpoint itself, by a link": ["link", "source/", ["same directory"]],
  };
  for (const [name, [source, mountpoint, says]] of Object.entries(cases)) {
    await t.step(name, () => {
      const refusal = { code: 8, says, mountpoint: at(mountpoint.replace(/\/$/, "")) };
      return assertRefused(["mount", at(source), at(mountpoint)], refusal);
    });
  }
});

Deno.test({
  name: "a mountpoint that a bind mount puts inside the source is refused",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const [source, bound] = [`${folder.path}/source`, `${folder.path}/bound`];
    for (const path of [`${source}/inner`, bound]) await Deno.mkdir(path, { recursive: true });
    assertEquals(await run("mount", "--bind", source, bound), 0);
    try {
      const refusal = { code: 8, says: ["mountpoint is inside the source"], mountpoint: `${bound}/inner` };
      await assertRefused(["mount", source, `${bound}/inner`], refusal);
    } finally {
      await run("umount", bound);
    }
  },
});

Deno.test({
  name: "an ordinary user is told of a source that it may not read",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    await using folder = await temporaryFolder();
    await Deno.chmod(folder.path, 0o711);
    const mountpoint = `${user.folder}/m`;
    const refusal = { code: 8, says: [folder.path, `user ${user.uid} may not read it`], mountpoint };
    await assertRefused(["mount", folder.path, mountpoint], refusal, user.invocation);
  },
});

Deno.test("a source whose server is gone is refused with exit code 8", async () => {
  await using folder = await temporaryFolder();
  const [source, mountpoint] = [`${folder.path}/source`, `${folder.path}/m`];
  await using memory = await MountProcess.start(source);
  await run("kill", "-KILL", `${memory.pid}`);
  await memory.ended();
  await assertRefused(["mount", source, mountpoint], { code: 8, says: [source, "server is gone"], mountpoint });
});

Deno.test("a mount with a source is shown by its real path, and ro keeps it as it is", async () => {
  await using folder = await temporaryFolder();
  const [source, mountpoint] = [`${folder.path}/the source`, `${folder.path}/m`];
  await Deno.mkdir(source);
  await Deno.writeTextFile(`${source}/file`, "text");
  await Deno.symlink("the source", `${folder.path}/link`);
  await using mount = await MountProcess.start([`${folder.path}/link`, mountpoint], ["-o", "ro,cache=never,loops=2"]);
  assertEquals(mount.readyLine, `Mounted ${source} at ${mountpoint} (pid ${mount.pid})`);
  const entry = await findMount(mountpoint);
  assertEquals([entry?.type, entry?.source], ["fuse.trellis", source]);
  assertEquals(await run("cmp", `${source}/file`, `${mountpoint}/file`), 0);
  assert(await run("touch", `${mountpoint}/file`) !== 0);
  assertEquals(await run("umount", mountpoint), 0);
  assertEquals(await mount.ended(), { code: 0, stdout: mount.readyLine + "\n", stderr: "" });
});
