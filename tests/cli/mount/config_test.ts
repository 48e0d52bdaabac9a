/** Mounts of configurations: the tree that the file describes, used with real programs. */
import { type FileSystem, mount } from "../../../mod.ts";
import { assert, assertEquals } from "../../deps.ts";
import {
  exists,
  isMounted,
  MountProcess,
  run as runQuietly,
  runCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { requireTools, run, shell } from "../../support/command.ts";
import { assertRefused } from "./refusal.ts";

const EXAMPLE = `
[mount]
point = "./work"
options = ["default_permissions"]

[[branch]]
path = "/"
type = "memory"
size = "64M"

[[branch]]
path = "/src"
type = "passthrough"
source = "./src"
read_only = true

[[branch]]
path = "/build"
type = "union"
sources = ["./build:rw", "./base:ro"]
`;

/** A folder with a configuration, and the directories that those of the tests name. */
async function configured(text: string): Promise<{ path: string; file: string } & AsyncDisposable> {
  const folder = await temporaryFolder();
  await run(["mkdir", "-p", ...["src", "build", "base"].map((name) => `${folder.path}/${name}`)]);
  await shell('echo "int main(void) { return 0; }" >src/main.c; echo old >base/old', { cwd: folder.path });
  const file = `${folder.path}/trellis.toml`;
  await Deno.writeTextFile(file, text);
  return { path: folder.path, file, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

Deno.test("a configuration is mounted as it says: each branch with the real tools", async (t) => {
  await requireTools(["git", "make", "gcc"]);
  await using folder = await configured(EXAMPLE);
  const work = `${folder.path}/work`;
  // Without arguments: that of the current folder.
  await using mount = await MountProcess.startWith([], work, { cwd: folder.path });
  assertEquals(mount.readyLine, `Mounted trellis at ${work} (pid ${mount.pid})`);

  await t.step("memory at the root", async () => {
    await shell('echo text >file; ln file twin; mkdir d; mv twin d/; test "$(cat d/twin)" = text', { cwd: work });
    assertEquals((await run(["stat", "-f", "-c", "%b %S", work])).stdout.trim(), "16384 4096");
  });
  await t.step("a directory of the host, read-only", async () => {
    assertEquals((await run(["cat", `${work}/src/main.c`])).stdout, "int main(void) { return 0; }\n");
    const refused = await run(["sh", "-c", `echo x >>${work}/src/main.c`], { accept: [1, 2] });
    assert(refused.stderr.includes("Read-only file system"), refused.stderr);
  });
  await t.step("a union: changes go to the writable directory", async () => {
    await shell('test "$(cat old)" = old; echo new >new; echo more >>old', { cwd: `${work}/build` });
    assertEquals(
      (await shell("cat build/new build/old; cat base/old", { cwd: folder.path })).stdout,
      "new\nold\nmore\nold\n",
    );
  });
  await t.step("make, from one branch to another", async () => {
    await shell('printf "main: ../src/main.c\\n\\tgcc -o \\$@ \\$<\\n" >Makefile; make; ./main; make -q', {
      cwd: `${work}/build`,
    });
  });
  await t.step("git, in each writable branch", async () => {
    const commit = "git init -q .; git add .; git -c user.name=a -c user.email=a commit -q -m 1; git fsck --strict";
    for (const place of ["d", "build"]) await shell(commit, { cwd: `${work}/${place}` });
  });
  await t.step("branch points stay", async () => {
    const refused = await run(["rmdir", `${work}/src`], { accept: [1] });
    assert(refused.stderr.includes("busy"), refused.stderr);
  });
  await runQuietly("kill", "-TERM", `${mount.pid}`);
  assertEquals(await mount.ended(), { code: 0, stdout: mount.readyLine + "\n", stderr: "" });
  assert(!await exists(work), "the mountpoint that was made is still there");
});

Deno.test("options, names and wrappers are the configuration's, and a mountpoint that is named wins", async () => {
  await using folder = await configured(`
[mount]
point = "elsewhere"
name = "my tree"
options = ["noexec", "subtype=mine"]
branch_point_errno = "EPERM"
[[branch]]
path = "/limited"
type = "passthrough"
source = "build"
max_size = "64K"
hidden = ["*.o"]
map = { uid = 12, gid = 34, file_mode = "640", directory_mode = "751" }
[[branch]]
path = "/deep/inside"
type = "passthrough"
source = "src"
`);
  // 32 KiB are there before.
  await shell("truncate -s 32K before; touch x.o", { cwd: `${folder.path}/build` });
  const mountpoint = `${folder.path}/m`;
  await using mount = await MountProcess.start(mountpoint, ["--config", folder.file, "--set", "mount.loops=2"]);
  const table = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n").find((line) =>
    line.includes(mountpoint)
  )!;
  assert(/noexec.* - fuse\.mine my\\040tree /.test(table), table);
  assert(!await isMounted(`${folder.path}/elsewhere`));
  const { stdout } = await shell("ls limited; stat -c '%a %u %g' limited limited/before; ls deep/inside", {
    cwd: mountpoint,
  });
  assertEquals(stdout, "before\n751 12 34\n640 12 34\nmain.c\n");
  const full = await run(["dd", "if=/dev/zero", `of=${mountpoint}/limited/big`, "bs=4K", "count=16"], { accept: [1] });
  assert(full.stderr.includes("No space left on device"), full.stderr);
  assertEquals((await Deno.stat(`${folder.path}/build/big`)).size, 32 * 1024);
  const refused = await run(["rmdir", `${mountpoint}/limited`], { accept: [1] });
  assert(refused.stderr.includes("not permitted"), refused.stderr);
  await runQuietly("umount", mountpoint);
  assertEquals((await mount.ended()).code, 0);
});

Deno.test("a configuration that cannot be mounted is refused in words", async (t) => {
  await using folder = await configured(EXAMPLE);
  const broken = `${folder.path}/broken.toml`;
  await Deno.writeTextFile(broken, '[[branch]]\npath = "/"\ntype = "memory"\nplacement = "thread"\n');
  const pointless = `${folder.path}/pointless.toml`;
  await Deno.writeTextFile(pointless, '[[branch]]\npath = "/"\ntype = "memory"\n');
  const mountpoint = `${folder.path}/m`;
  const cases: Record<string, [args: string[], code: number, says: string[]]> = {
    "problems": [[mountpoint, "-c", broken], 9, [`${broken}:4:13: branch "/": placement: `]],
    "no file": [[mountpoint, "-c", `${folder.path}/no.toml`], 9, ["does not exist"]],
    "no mountpoint": [["-c", pointless], 2, [pointless, "mount.point"]],
    "a mountpoint in a source": [[`${folder.path}/src/m`, "-c", folder.file], 9, [
      "the mountpoint is inside the source",
    ]],
    "options for other mounts": [[mountpoint, "-c", folder.file, "-o", "cache=never"], 2, ["cache"]],
  };
  for (const [name, [args, code, says]] of Object.entries(cases)) {
    await t.step(name, () => assertRefused(["mount", ...args], { code, says, mountpoint }));
  }
});

Deno.test("a source that does not answer is a problem, not a wait", async () => {
  await using folder = await configured(EXAMPLE.replace('"./src"', '"./hanging/src"'));
  await Deno.mkdir(`${folder.path}/hanging`);
  const hanging: FileSystem = {
    getAttributes: () => ({ mode: 0o40755 }),
    lookup: (_parent, _name, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  };
  await using _session = await mount(hanging, `${folder.path}/hanging`);
  const { code, stderr } = await runCli(["check", folder.file]);
  assertEquals(code, 9, stderr);
  assert(/trellis.toml:14:10: branch "\/src": source: .*it has not answered for 5 s/.test(stderr), stderr);
});

Deno.test("a mountpoint with characters that mean something in a configuration is meant as it is", async () => {
  await using folder = await configured('[[branch]]\npath = "/"\ntype = "memory"\n');
  const mountpoint = `${folder.path}/~ $\{HOME} [x], 'y'`;
  await using mount = await MountProcess.start(mountpoint, ["--config", folder.file]);
  assertEquals(mount.readyLine, `Mounted trellis at ${mountpoint} (pid ${mount.pid})`);
  await runQuietly("umount", mountpoint);
  assertEquals((await mount.ended()).code, 0);
  assertEquals((await runCli(["check", folder.file])).code, 0);
});
