/** `setup.sh --install`, and with it mount(8) and fstab: as root with an empty environment, and as an ordinary user. */
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "../../deps.ts";
import { parseMountTable } from "../../../src/connection/mount_table.ts";
import { exists, temporaryFolder } from "../../support/cli_process.ts";
import { type CommandResult, requireTools, run } from "../../support/command.ts";
import { waitFor } from "../../support/mounted.ts";
import { NO_ORDINARY_USER } from "../../support/ordinary_user.ts";
import { PrivateSystem } from "../../support/private_system.ts";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

const UNIT = "trellis@.service";

/**
 * A machine on which a copy of Trellis is installed for all users, and a folder for sources and mountpoints. Undefined
 * where there can be no such machine.
 */
async function install() {
  await using resources = new AsyncDisposableStack();
  const { path } = resources.use(await temporaryFolder());
  const system = await PrivateSystem.make([await Deno.realPath("/sbin"), "/usr/local", "/etc"]);
  if (system === undefined) return undefined;
  resources.use(system);
  await Deno.mkdir(`${path}/trellis`);
  const copied = ["cli.ts", "mod.ts", "deno.json", "deno.lock", "setup.sh", "ffi", "src"].map((name) =>
    `${REPOSITORY}/${name}`
  );
  await run(["cp", "-r", ...copied, `${path}/trellis`]);
  // What the tests have fetched is not fetched again.
  const { denoDir } = JSON.parse((await run([Deno.execPath(), "info", "--json"])).stdout);
  await system.run(["mkdir", "-p", "/usr/local/lib/trellis"]);
  await system.run(["cp", "-r", `${denoDir}/npm`, "/usr/local/lib/trellis"]);
  await system.run(["sh", `${path}/trellis/setup.sh`, "--install"]);
  const kept = resources.move();
  return { system, path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

if (NO_ORDINARY_USER) console.log(`mount(8) is not tried: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "mount(8), umount(8) and fstab know the type fuse.trellis",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn(t) {
    await requireTools(["unshare", "nsenter", "setpriv", "env", "mount", "umount"]);
    await using installed = await install();
    if (installed === undefined) return console.log("mount(8) is not tried: there can be no overlays here");
    const { system, path } = installed;
    const at = (name: string) => `${path}/${name}`;
    const bare = (command: string[], accept = [0]) => system.run(["env", "-i", ...command], { accept });
    const mount = (...args: string[]) => bare(["/usr/bin/mount", ...args]);
    const refused = (code: number, ...args: string[]): Promise<CommandResult> =>
      bare(["/usr/bin/mount", ...args], [code]);
    const umount = (mountpoint: string) => bare(["/usr/bin/umount", mountpoint]);
    const mounted = async (mountpoint: string) =>
      parseMountTable(await system.mounts()).filter((entry) => entry.mountpoint === mountpoint)
        .map(({ source, type }) => `${source} ${type}`);

    /** Of the flags of a mount those that forbid something. */
    const flags = async (mountpoint: string) => {
      const { stdout } = await system.run(["findmnt", "--noheadings", "--output", "VFS-OPTIONS", mountpoint]);
      return stdout.trim().split(",").filter((flag) => flag === "ro" || flag.startsWith("no"));
    };

    const commandOf = (pid: string) => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    const processes = async () =>
      (await Array.fromAsync(Deno.readDir("/proc"), ({ name }) => name)).filter((name) => /^\d+$/.test(name));

    const m = at("the mountpoint");
    await Deno.mkdir(m);
    await Deno.mkdir(at("source"));
    await Deno.writeTextFile(at("source/file"), "text\n");
    await Deno.writeTextFile(at("tree.toml"), '[mount]\nread_only = true\n[[branch]]\npath = "/"\ntype = "memory"\n');

    await t.step("nothing: a filesystem in memory, with all options that are for others", async () => {
      const forOthers =
        "_netdev,_rnetdev,nofail,noauto,auto,defaults,user,x-systemd.automount,x-foo=1,comment=abc,relatime";
      const { stdout, stderr } = await mount(
        "-t",
        "fuse.trellis",
        "none",
        m,
        "-o",
        `rw,${forOthers},exec,suid,dev,size=1M`,
      );
      assertEquals({ stdout, stderr }, { stdout: "", stderr: "" });
      assertEquals(await mounted(m), ["none fuse.trellis"]);
      await bare(["sh", "-euc", 'echo text >"$0/file"; test "$(cat "$0/file")" = text', m]);
      assertEquals((await bare(["stat", "-f", "-c", "%b %S", m])).stdout, "256 4096\n");
      assertEquals(await flags(m), []);
      await umount(m);
      assertEquals(await mounted(m), []);
    });
    await t.step("a directory, read-only", async () => {
      await mount("-t", "fuse.trellis", at("source"), m, "-o", "ro,allow_other,cache=never");
      assertEquals(await mounted(m), [`${at("source")} fuse.trellis`]);
      assertEquals(await flags(m), ["ro"]);
      assertEquals((await bare([...NOBODY, "cat", `${m}/file`])).stdout, "text\n");
      await bare(["touch", `${m}/file`], [1]);
      await umount(m);
    });
    await t.step("a configuration, with options over it", async () => {
      await mount("-v", "-t", "fuse.trellis", at("tree.toml"), m, "-o", "noexec,nofail");
      assertEquals(await mounted(m), [`${at("tree.toml")} fuse.trellis`]);
      assertEquals(await flags(m), ["ro", "nosuid", "nodev", "noexec"]);
      await umount(m);
    });
    await t.step("served by a process of its own", async () => {
      for (const source of [at("source"), at("tree.toml")]) {
        await mount("-t", "fuse.trellis", source, m, "-o", "process=separate");
        const commands = await Promise.all((await processes()).map(commandOf));
        assertEquals(
          commands.filter((command) => command.includes(at("trellis/src/workers/begin_server.ts"))).length,
          1,
        );
        await umount(m);
      }
    });
    await t.step("what is wrong ends with an exit code of mount(8)", async () => {
      assert((await refused(32, "-t", "fuse.trellis", at("none"), m)).stderr.includes("does not exist"));
      assert((await refused(1, "-t", "fuse.trellis", "none", m, "-o", "siez=1M")).stderr.includes('"size"'));
      assert((await refused(1, "-t", "fuse.trellis", at("none.toml"), m)).stderr.includes("none.toml"));
      assert(
        (await refused(1, "-t", "fuse.trellis", at("tree.toml"), m, "-o", "size=1M")).stderr.includes(
          "docs/configuration.md",
        ),
      );
      assertEquals(await mounted(m), []);
    });
    await t.step("-s leaves out what is not known, -f mounts nothing", async () => {
      await mount("-f", "-t", "fuse.trellis", "none", m);
      assertEquals(await mounted(m), []);
      await mount("-s", "-t", "fuse.trellis", "none", m, "-o", "siez=1M");
      assert((await refused(1, m, "-o", "remount,ro")).stderr.includes("mount -i"));
      await umount(m);
    });
    await t.step("lines of fstab; what is mounted is not mounted again", async () => {
      const spaced = m.replaceAll(" ", "\\040");
      await Deno.writeTextFile(
        at("fstab"),
        `none ${spaced} fuse.trellis size=1M,nofail,_netdev,x-systemd.automount 0 0\n` +
          `${at("source")} ${at("m")} fuse.trellis defaults,ro 0 0\n`,
      );
      await Deno.mkdir(at("m"));
      await mount("-T", at("fstab"), m);
      assertEquals(await mounted(m), ["none fuse.trellis"]);
      for (let repetition = 0; repetition < 2; repetition++) {
        await mount("-a", "-T", at("fstab"));
        assertEquals(await mounted(m), ["none fuse.trellis"]);
        assertEquals(await mounted(at("m")), [`${at("source")} fuse.trellis`]);
      }
      await umount(m);
      await umount(at("m"));
    });
    await t.step("an ordinary user's, by the option user", async () => {
      const { code } = await bare([...NOBODY, "test", "-x", Deno.execPath()], [0, 1]);
      if (code !== 0) return console.log(`not tried as an ordinary user, who may not run ${Deno.execPath()}`);
      await system.run(["sh", "-euc", 'echo "none $0 fuse.trellis noauto,user,size=1M 0 0" >/etc/fstab', at("m")]);
      await system.run(["chown", "65534:65534", at("m")]);
      await bare([...NOBODY, "/usr/bin/mount", at("m")]);
      assertEquals(await flags(at("m")), ["nosuid", "nodev", "noexec"]);
      assert((await system.mounts()).includes("user_id=65534"));
      await bare([...NOBODY, "touch", at("m/file")]);
      await bare([...NOBODY, "/usr/bin/umount", at("m")]);
      assertEquals(await mounted(at("m")), []);
    });
    await t.step("no server is left", async () => {
      const holds = async (pid: string) => (await commandOf(pid)).includes(path);
      const pids = await processes();
      await waitFor("the end of the servers", async () => !(await Promise.all(pids.map(holds))).includes(true));
    });
    await t.step("the units are as systemd wants them", async () => {
      if (!await exists("/usr/bin/systemd-analyze")) return console.log("not verified: there is no systemd-analyze");
      const copy = at(UNIT.replace("@", "@work"));
      await Deno.copyFile(`${REPOSITORY}/docs/${UNIT}`, copy);
      const { stdout, stderr } = await system.run(["systemd-analyze", "verify", copy], { accept: [0, 1] });
      assertEquals(stdout + stderr, "");
    });
  },
});
