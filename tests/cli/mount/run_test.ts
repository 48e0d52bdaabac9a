/** Programs whose root is the tree of a configuration: what they can do, how they end, and that nothing is left. */
import { assert, assertEquals } from "../../deps.ts";
import { exists, type Invocation, MountProcess, runCli, startCli, temporaryFolder } from "../../support/cli_process.ts";
import { readExample } from "../../config/configurations.ts";
import { requireTools, run, shell } from "../../support/command.ts";
import { waitFor } from "../../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";

const DOCUMENT = new URL("../../../docs/workspaces.md", import.meta.url);

const MAKEFILE = `$(BUILD)/hello: main.c
	mkdir -p $(BUILD)
	gcc -o $@ $<
`;

const TREE = `
[[branch]]
path = "/"
type = "memory"
read_only = true
[[branch]]
path = "/usr"
type = "passthrough"
source = "/usr"
read_only = true
[run]
ro_bind = ["/bin", "/lib", "/lib64"]
`;

/** Who runs the tool, from where. */
interface Place {
  readonly folder: string;
  readonly invocation: Invocation;
}

/** The place with a project, and the configuration of docs/workspaces.md. */
async function prepareProject({ folder }: Place): Promise<string> {
  const text = /```toml\n(.*?)```/s.exec(await Deno.readTextFile(DOCUMENT))?.[1] ?? "";
  assert(text !== "", "docs/workspaces.md has no configuration");
  await Deno.mkdir(`${folder}/project`);
  await Deno.writeTextFile(
    `${folder}/project/main.c`,
    '#include <stdio.h>\nint main(void) { return puts("built") < 0; }\n',
  );
  await Deno.writeTextFile(`${folder}/project/Makefile`, MAKEFILE);
  await Deno.writeTextFile(`${folder}/trellis.toml`, text);
  if (Deno.uid() === 0) await run(["chown", "-R", `--reference=${folder}`, `${folder}/project`]);
  return `${folder}/trellis.toml`;
}

async function runInTree({ invocation }: Place, file: string, script: string, ...options: string[]) {
  return await runCli(["run", "--config", file, ...options, "--", "sh", "-euc", script], invocation);
}

/** What a `run` that is over must not have left: its private mountpoint, mounted or not. */
async function assertNothingLeft({ folder }: Place): Promise<void> {
  const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n").filter((line) => line.includes(folder));
  assertEquals(mounts, []);
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  assertEquals(names.filter((name) => name.startsWith("trellis-run-")), []);
}

async function testWorkspace(t: Deno.TestContext, place: Place): Promise<void> {
  const file = await prepareProject(place);
  const inside = (script: string, ...options: string[]) => runInTree(place, file, script, ...options);
  const succeed = async (script: string, ...options: string[]) => {
    const { code, stdout, stderr } = await inside(script, ...options);
    assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
    return stdout;
  };

  await t.step("make: the compiler of the host, the sources passed through, the output in memory", async () => {
    const stdout = await succeed("make; make -q; $BUILD/hello; ls /; ls");
    assert(stdout.endsWith("built\nbin\nbuild\ndev\nlib\nlib64\nproc\nsrc\ntmp\nusr\nMakefile\nmain.c\n"), stdout);
    const { stdout: there } = await run(["ls", `${place.folder}/project`]);
    assertEquals(there, "Makefile\nmain.c\n");
  });
  await t.step("git, whose repository is there afterwards", async () => {
    await succeed("git init -q; git add .; git -c user.name=a -c user.email=a commit -qm first; git fsck --strict");
    // Nobody else's repository: git looks at who owns it.
    const log = await run(["git", "-c", "safe.directory=*", "-C", `${place.folder}/project`, "log", "--format=%s"]);
    assertEquals(log.stdout, "first\n");
  });
  await t.step("node", async () => {
    const program = "require('fs').writeFileSync('/n', require('fs').readFileSync('Makefile').length + ''); " +
      "console.log(require('fs').readFileSync('/n', 'utf8'))";
    assertEquals(await succeed(`node -e "${program}"`), `${MAKEFILE.length}\n`);
  });
  await t.step("the host is read only as the configuration says", async () => {
    await succeed("! touch /usr/x 2>/dev/null; ! test -e /home; ! test -e /etc; touch /here", "--set", "run.env={}");
  });
  await t.step("exit status, and 128 + n for a signal", async () => {
    assertEquals((await inside("exit 7")).code, 7);
    assertEquals((await inside("kill -TERM $$")).code, 128 + 15);
  });
  await t.step("a signal to the tool is the program's to handle", async () => {
    await using child = startInTree(place, file, "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done");
    assertEquals(await child.nextLine(), "ready");
    Deno.kill(child.process.pid, "SIGTERM");
    assertEquals((await child.process.status).code, 42);
  });
  await t.step("nothing is left", () => assertNothingLeft(place));
}

interface Running extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  nextLine(): Promise<string>;
  /** Standard error, once the program has ended. */
  readonly stderr: Promise<string>;
}

function startInTree(
  { invocation }: Place,
  file: string,
  script: string,
): Running {
  const process = startCli(["run", "--config", file, "--", "sh", "-euc", script], invocation);
  const stderr = new Response(process.stderr).text();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    process,
    stderr,
    async nextLine() {
      while (!text.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`run ended: ${await stderr}`);
        text += value;
      }
      const [line, ...rest] = text.split("\n");
      text = rest.join("\n");
      return line!;
    },
    async [Symbol.asyncDispose]() {
      try {
        process.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended
      }
      await process.status;
      await reader.cancel();
      await stderr;
    },
  };
}

/** Kills the tool in the middle, alone or with its whole group, and looks at what is left. */
async function testKill(place: Place, group: boolean): Promise<void> {
  const file = `${place.folder}/kill.toml`;
  await Deno.writeTextFile(file, `${TREE}shared_memory = [{ name = "area", size = "1M" }]\n`);
  const { prefix = [] } = place.invocation;
  const invocation = { ...place.invocation, prefix: ["setsid", ...prefix] };
  await using child = startInTree({ ...place, invocation }, file, "echo ready; sleep 600 & wait");
  assertEquals(await child.nextLine(), "ready");
  const { pid } = child.process;
  const children = (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).trim().split(" ");
  assertEquals(children.length, 3, "the guards and bubblewrap");
  Deno.kill(group ? -pid : pid, "SIGKILL");
  // Its end is the end of the last process that has it open, which all in the sandbox do.
  let isOver = false;
  child.stderr.finally(() => isOver = true);
  await waitFor("the end of all processes", () => isOver);
  const area = /^Shared memory area: (.*)$/m.exec(await child.stderr)![1]!;
  for (const one of children) await waitFor(`the end of process ${one}`, async () => !await exists(`/proc/${one}`));
  await assertNothingLeft(place);
  assert(!await exists(area), `${area} is still there`);
}

async function asRoot(): Promise<Place & AsyncDisposable> {
  const { path: folder, [Symbol.asyncDispose]: remove } = await temporaryFolder();
  return { folder, invocation: { env: { TMPDIR: folder } }, [Symbol.asyncDispose]: remove };
}

Deno.test("a workspace of a real project", async (t) => {
  await requireTools(["bwrap", "make", "gcc", "git", "node"]);
  await using place = await asRoot();
  await testWorkspace(t, place);
});

Deno.test("what the documentation has to type works as written", async (t) => {
  await using place = await asRoot();
  const { folder } = place;
  await prepareProject(place);
  await t.step("docs/workspaces.md: mount", async () => {
    const line = /^deno run -A cli\.ts mount (.*?) *#/m.exec(await Deno.readTextFile(DOCUMENT))?.[1] ?? "";
    const point = `${folder}/tree`;
    const args = line.replace("/tmp/tree", point).split(" ");
    await using _mount = await MountProcess.startWith(args, point, { cwd: folder });
    await run(["test", "-f", `${point}/src/main.c`]);
  });
  await t.step("docs/configuration.md: run", async () => {
    await shell("mkdir src build; echo text >src/file", { cwd: folder });
    await Deno.writeTextFile(`${folder}/example.toml`, await readExample());
    // Not in the home of who runs the tests.
    const options = ["--set", `mount.point=${folder}/work`];
    const bash = await runCli(["run", "--config", `${folder}/example.toml`, ...options], place.invocation);
    assertEquals({ code: bash.code, stdout: bash.stdout }, { code: 0, stdout: "" }, bash.stderr);
    const script = "cat src/file; test -d build/doc; test -e /dev/shm/frames";
    const { code, stdout, stderr } = await runInTree(place, `${folder}/example.toml`, script, ...options);
    assertEquals({ code, stdout }, { code: 0, stdout: "text\n" }, stderr);
  });
});

if (NO_ORDINARY_USER) console.log(`not run as an ordinary user: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "a workspace of an ordinary user",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn(t) {
    await using user = await prepareOrdinaryUser();
    await testWorkspace(t, user);
    for (const group of [false, true]) {
      await t.step(`killed${group ? " with its group" : ""}, it leaves nothing`, () => testKill(user, group));
    }
  },
});

Deno.test("a run that is killed leaves no mount, no process and no shared memory", async () => {
  await using place = await asRoot();
  for (const group of [false, true]) await testKill(place, group);
});

Deno.test("what the sandbox mounts on needs nothing of the branches, also where they are read-only", async () => {
  await using place = await asRoot();
  const { folder } = place;
  await shell("mkdir src empty; echo file >a; echo shared >src/own", { cwd: folder });
  const file = `${folder}/t.toml`;
  const binds = `bind = ["${folder}/src:/mounted/here"]\nworkdir = "/new/dir"\n`;
  const files = `["/bin", "/lib", "/lib64", "${folder}/a:/etc/file", "${folder}/a:/mounted/here/own"]`;
  await Deno.writeTextFile(
    file,
    TREE.replace('type = "memory"', 'type = "passthrough"\nsource = "empty"').replace(
      /ro_bind = .*/,
      `ro_bind = ${files}\n${binds}`,
    ),
  );
  const { code, stdout, stderr } = await runInTree(
    place,
    file,
    "pwd; ls -F / /etc; cat /etc/file /mounted/here/own; echo x >/mounted/here/made; ! touch /x 2>/dev/null",
  );
  const listed = "/:\nbin/\ndev/\netc/\nlib/\nlib64/\nmounted/\nnew/\nproc/\ntmp/\nusr/\n\n/etc:\nfile\n";
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: `/new/dir\n${listed}file\nfile\n`, stderr: "" });
  assertEquals((await shell("ls empty; ls src; cat src/own", { cwd: folder })).stdout, "made\nown\nshared\n");
});

Deno.test("a tree with a mountpoint can be looked at from outside while the program runs", async () => {
  await using place = await asRoot();
  const file = `${place.folder}/t.toml`;
  await Deno.writeTextFile(file, `[mount]\npoint = "m"\n${TREE.replace("read_only = true", "")}`);
  await using child = startInTree(
    place,
    file,
    "echo text >/file; echo ready; while test -e /file; do sleep 0.05; done",
  );
  assertEquals(await child.nextLine(), "ready");
  await shell('test "$(cat m/file)" = text; rm m/file', { cwd: place.folder });
  assertEquals((await child.process.status).code, 0);
  assert(!await exists(`${place.folder}/m`));
});

Deno.test("shared memory has one set of pages inside and outside", async () => {
  await using place = await asRoot();
  const file = `${place.folder}/t.toml`;
  await Deno.writeTextFile(file, `${TREE}shared_memory = [{ name = "frames", size = "8K" }]\n`);
  const { code, stderr } = await runInTree(place, file, "stat -c %s /dev/shm/frames >&2; test -w /dev/shm/frames");
  const [where, size] = stderr.split("\n");
  assert(/^Shared memory frames: \/dev\/shm\/trellis-[^/]+\/frames$/.test(where!), stderr);
  assertEquals([code, size], [0, "8192"]);
  assert(!await exists(where!.slice(where!.indexOf("/"))));
});

Deno.test("what cannot be run is refused in words", async (t) => {
  await using place = await asRoot();
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${place.folder}/${name}`, text);
    return `${place.folder}/${name}`;
  };
  const tree = await write("t.toml", TREE);
  const whole = await write("whole.toml", '[[branch]]\npath = "/"\ntype = "passthrough"\nsource = "/"\n');
  const hidden = await write("hidden.toml", `${TREE}[[branch]]\npath = "/tmp/x"\ntype = "memory"\n`);
  const covered = await write("covered.toml", TREE.replace('"/bin"', '"/bin", "/etc:/usr"'));
  const cases: Record<string, [args: string[], code: number, says: string]> = {
    "a branch where the sandbox has its own": [
      ["-c", hidden, "--", "true"],
      9,
      'own /tmp would hide the branch "/tmp/x"',
    ],
    "a branch below a bind": [
      ["-c", covered, "--", "true"],
      9,
      `${covered}:12:20: run.ro_bind[1]: at /usr it would hide the branch "/usr"`,
    ],
    "no command": [["-c", tree], 2, "it has no run.command"],
    "no configuration": [["-c", `${place.folder}/no.toml`, "--", "true"], 9, "does not exist"],
    "a source around the mountpoint": [["-c", whole, "--", "true"], 8, "Cannot show / in a tree that is mounted below"],
    "a descriptor": [["-c", tree, "-s", "mount.point=/dev/fd/7", "--", "true"], 2, "/dev/fd/7"],
  };
  for (const [name, [args, code, says]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const outcome = await runCli(["run", ...args], place.invocation);
      assertEquals([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
      assert(outcome.stderr.includes(says), outcome.stderr);
    });
  }
  await t.step("a machine that forbids user namespaces", async () => {
    // Not the whole machine: the setting holds in a user namespace and those below it.
    const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"';
    const prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", forbid, "sh"];
    const outcome = await runCli(["run", "-c", tree, "--", "true"], { ...place.invocation, prefix });
    assertEquals([outcome.code, outcome.stdout], [3, ""], outcome.stderr);
    const says = "this machine forbids user namespaces\n/proc/sys/user/max_user_namespaces is 0; as root: sysctl ";
    assert(outcome.stderr.includes(says), outcome.stderr);
  });
  const programs: Record<string, [command: string[], code: number, says: string]> = {
    "a program that is not there": [["no-such-program"], 127, 'Cannot run "no-such-program": the tree has no such'],
    "a path that is not there": [["/usr/no/such"], 127, 'Cannot run "/usr/no/such": the tree has no such program\n'],
    "a file without the permission": [["/usr/lib/os-release"], 126, "Permission denied"],
    "a file without an interpreter": [["/noted/script"], 126, "it is there, but cannot be executed"],
  };
  await write("script", "#!/no/such/interpreter\n");
  await Deno.chmod(`${place.folder}/script`, 0o755);
  for (const [name, [command, code, says]] of Object.entries(programs)) {
    await t.step(name, async () => {
      const bind = `run.ro_bind=/bin,/lib,/lib64,${place.folder}:/noted`;
      const outcome = await runCli(["run", "-c", tree, "-s", bind, "--", ...command], place.invocation);
      assertEquals([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
      assert(outcome.stderr.includes(says), outcome.stderr);
    });
  }
  await t.step("nothing is left", () => assertNothingLeft(place));
});
