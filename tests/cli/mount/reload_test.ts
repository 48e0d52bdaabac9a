/** `reload`: a mounted tree becomes what its configuration says now, or stays as it is. */
import { type FileSystem, mount } from "../../../mod.ts";
import { assert, assertEquals } from "../../deps.ts";
import {
  askPatiently,
  MountProcess,
  type Outcome,
  runCli,
  startCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { requireTools, run, shell } from "../../support/command.ts";
import { PosixClient } from "../../support/posix_client.ts";
import { waitFor } from "../../support/mounted.ts";
import { killServer, serversOf } from "../../support/server_killer.ts";
import { assertRefused } from "./refusal.ts";

const MOUNT = '[mount]\npoint = "./work"\nloops = 2\n';
const directory = (path: string, source: string, ...lines: string[]) =>
  ["[[branch]]", `path = "${path}"`, 'type = "passthrough"', `source = "${source}"`, ...lines, ""].join("\n");
const ROOT = directory("/", "./root");

/** A folder with directories, each with a file of its name, and a configuration that is mounted. */
interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly work: string;
  readonly file: string;
  /** The server. */
  readonly pid: number;
  write(text: string): Promise<void>;
  reload(...args: string[]): Promise<Outcome>;
  /** All that is there, by path, sorted. */
  find(): Promise<string[]>;
}

async function openPlace(text: string): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  const { path: folder } = undo.use(await temporaryFolder());
  for (const name of ["root", "one", "two"]) {
    await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/${name}/${name}`, name);
  }
  const file = `${folder}/trellis.toml`;
  const write = (text: string) => Deno.writeTextFile(file, text);
  await write(text);
  const work = `${folder}/work`;
  const { pid } = undo.use(await MountProcess.startWith([], work, { cwd: folder }));
  const kept = undo.move();
  return {
    folder,
    work,
    file,
    pid,
    write,
    reload: (...args) => runCli(["reload", ...args], { cwd: folder }),
    find: async () => (await shell("find . | sort", { cwd: work })).stdout.trim().split("\n"),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

Deno.test("a tree becomes what its configuration says now: shown first, then done, in all loops", async (t) => {
  await using place = await openPlace(MOUNT + ROOT + directory("/one", "./one"));
  assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);

  await t.step("nothing differs", async () => {
    const { code, stdout } = await place.reload();
    assertEquals([code, stdout], [0, `Nothing differs at ${place.work}\n`]);
  });

  const changed = MOUNT + ROOT + directory("/one", "./two", "read_only = true") + directory("/way/two", "./two");
  const lines = [
    "~ /one (passthrough): replaced",
    '    source: "./one" -> "./two"',
    "    read_only: unset -> true",
    "+ /way/two (passthrough): added",
  ];

  await t.step("a dry run only says what is different", async () => {
    await place.write(changed);
    const { code, stdout } = await place.reload("--dry-run");
    assertEquals(code, 0);
    assertEquals(stdout.trim().split("\n"), [...lines, "Nothing was changed: a dry run"]);
    assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);
  });

  await t.step("then it is done", async () => {
    const { code, stdout, stderr } = await place.reload(place.work);
    assertEquals(code, 0, stderr);
    assertEquals(stdout.trim().split("\n"), [...lines, `Changed ${place.work}`]);
    assertEquals(await place.find(), [".", "./one", "./one/two", "./root", "./way", "./way/two", "./way/two/two"]);
    const refused = await run(["touch", `${place.work}/one/file`], { accept: [1] });
    assert(refused.stderr.includes("Read-only file system"), refused.stderr);
    const { stdout: descriptors } = await shell(`ls -l /proc/${serversOf(place.pid)[0] ?? place.pid}/fd`);
    assert(descriptors.includes(`${place.folder}/two`) && !descriptors.includes(`${place.folder}/one`), descriptors);
  });

  await t.step("as JSON, and by --config", async () => {
    await place.write(MOUNT + ROOT);
    const { code, stdout } = await place.reload("--json", "--config", place.file);
    assertEquals(code, 0);
    assertEquals(JSON.parse(stdout), {
      mountpoint: place.work,
      file: place.file,
      problems: [],
      branches: [
        { change: "removed", path: "/one", type: "passthrough", keys: [] },
        { change: "removed", path: "/way/two", type: "passthrough", keys: [] },
      ],
      fixed: [],
      applied: true,
      opened: 0,
    });
    assertEquals(await place.find(), [".", "./root"]);
  });

  await t.step("it is still the tree of its file, and is mounted by it again", async () => {
    await place.write(MOUNT + ROOT + directory("/one", "./one"));
    assertEquals((await place.reload()).code, 0);
    assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);
  });
});

Deno.test("beside a branch in a handler others come and go, and it works on with what it has open", async (t) => {
  const HANDLER = '[[branch]]\npath = "/apart"\ntype = "memory"\nplacement = "handler"\n';
  await using place = await openPlace(MOUNT + ROOT + HANDLER + directory("/one", "./one"));
  await using client = await PosixClient.start();
  const open = await client.open(`${place.work}/apart/file`, "O_RDWR|O_CREAT", 0o644);
  const works = async (text: string) => {
    await client.write(open, text);
    const { stdout } = await shell("cat apart/file; echo new > apart/new; rm apart/new", { cwd: place.work });
    assert(stdout.endsWith(text), stdout);
  };
  await works("first");

  await t.step("one comes beside it, one within, and one goes", async () => {
    await place.write(MOUNT + ROOT + HANDLER + directory("/two", "./two") + directory("/apart/way/two", "./two"));
    const { code, stderr } = await place.reload();
    assertEquals(code, 0, stderr);
    assertEquals(
      await place.find(),
      [".", "./apart", "./apart/file", "./apart/way", "./apart/way/two", "./apart/way/two/two"].concat(
        ["./root", "./two", "./two/two"],
      ),
    );
    await works("second");
  });

  await t.step("and all that came goes", async () => {
    await place.write(MOUNT + ROOT + HANDLER);
    const { code, stderr } = await place.reload();
    assertEquals(code, 0, stderr);
    assertEquals(await place.find(), [".", "./apart", "./apart/file", "./root"]);
    await works("third");
  });

  await t.step("and it too, lazily, for another in a handler", async () => {
    await place.write(MOUNT + ROOT + HANDLER.replace("[[branch]]", "[[branch]]\nread_only = true"));
    const { code, stdout, stderr } = await place.reload("--lazy");
    assertEquals(code, 0, stderr);
    assert(stdout.includes("~ /apart (memory): replaced; what it holds is lost"), stdout);
    await client.write(open, "alive");
    assert(
      (await run(["touch", `${place.work}/apart/file`], { accept: [1] })).stderr.includes("Read-only file system"),
    );
    await client.close(open);
    await place.write(MOUNT + ROOT);
    assertEquals((await place.reload()).code, 0);
    await place.write(MOUNT + ROOT + HANDLER + HANDLER.replace("/apart", "/other"));
    assertEquals((await place.reload()).code, 0);
    await shell("echo 1 > apart/file; echo 2 > other/file; cat apart/file other/file", { cwd: place.work });
  });
});

/** A mount with a directory `share` and a file in that, in which nobody can look up anything while it hangs. */
async function mountShare(): Promise<AsyncDisposable & { readonly path: string; hang(): void; goOn(): void }> {
  await using undo = new AsyncDisposableStack();
  const { path } = undo.use(await temporaryFolder());
  let gate = Promise.resolve();
  let goOn = () => {};
  const share: FileSystem = {
    getAttributes: (node) => ({ mode: node === 3 ? 0o100644 : 0o40755 }),
    lookup: async (_parent, name, { signal }) => {
      await Promise.race([gate, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      const node = ["share", "file"].indexOf(name) + 2;
      return node < 2 ? undefined : { node, attributes: { mode: node === 3 ? 0o100644 : 0o40755 } };
    },
  };
  undo.use(await mount(share, path, { entryTimeout: 0 }));
  const kept = undo.move();
  return {
    path: `${path}/share`,
    hang: () => gate = new Promise((resolve) => goOn = resolve),
    goOn: () => goOn(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

Deno.test("a source that hangs by now does not stop the reload of other branches", async () => {
  await using share = await mountShare();
  const far = directory("/far", share.path, 'placement = "handler"');
  await using place = await openPlace(MOUNT + ROOT + far);
  assertEquals(await place.find(), [".", "./far", "./root"]);
  share.hang();
  // Keeps the handler's thread in the kernel.
  const reader = new Deno.Command("cat", { args: ["far/file"], cwd: place.work, stdout: "null", stderr: "null" })
    .spawn();
  await using _reader = {
    async [Symbol.asyncDispose]() {
      share.goOn();
      await reader.status;
    },
  };
  await place.write(MOUNT + ROOT + far + directory("/one", "./one"));
  const { code, stdout, stderr } = await place.reload();
  assertEquals([code, stdout], [0, `+ /one (passthrough): added\nChanged ${place.work}\n`], stderr);
  assertEquals((await shell("cat one/one", { cwd: place.work })).stdout, "one");
  await place.write(MOUNT + ROOT + far + directory("/other", share.path));
  const refused = await place.reload();
  assertEquals(refused.code, 9, refused.stderr);
  assert(/branch "\/other": source: .*it has not answered for 5 s/.test(refused.stdout), refused.stdout);
});

Deno.test("what goes lazily lives until it is closed", async () => {
  await using place = await openPlace(MOUNT + ROOT + directory("/one", "./one", "kernel_passthrough = false"));
  await using client = await PosixClient.start();
  const open = await client.open(`${place.work}/one/one`, "O_RDWR", 0);
  await place.write(MOUNT + ROOT);
  const { code, stdout } = await place.reload("--lazy");
  assertEquals(code, 0);
  assert(stdout.includes("1 files and directories of what went were open"), stdout);
  assertEquals(await place.find(), [".", "./root"]);
  await client.write(open, "ONE");
  assertEquals(await Deno.readTextFile(`${place.folder}/one/one`), "ONE");
  await client.close(open);
  await waitFor("the way back", async () => {
    await place.write(MOUNT + ROOT + directory("/one", "./one"));
    return (await place.reload()).code === 0;
  });
  assertEquals(await Deno.readTextFile(`${place.work}/one/one`), "ONE");
});

Deno.test("what cannot be done leaves the tree as it was, and says why", async (t) => {
  await using place = await openPlace(MOUNT + ROOT + directory("/one", "./one"));
  const unchanged = async () => assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);
  const refused = (args: string[], code: number, says: string) =>
    assertRefused(["reload", ...args], { code, says: [says] }, { cwd: place.folder });

  await t.step("a configuration with problems: all of them", async () => {
    await place.write(MOUNT + ROOT + directory("/one", "./none") + directory("two", "./two"));
    for (const args of [[place.work], []]) {
      const { code, stdout, stderr } = await place.reload(...args);
      assertEquals(code, 9);
      assert(/trellis.toml:11:10: .*does not exist/.test(stdout + stderr), stdout + stderr);
      assert(/trellis.toml:13:8: .*is relative/.test(stdout + stderr), stdout + stderr);
    }
    await unchanged();
  });

  await t.step("keys of the mount, the root, and branches that need one loop", async () => {
    const text = MOUNT.replace("loops = 2", 'loops = 2\nname = "other"') + directory("/", "./two") +
      directory("/two", "./two");
    await place.write(text);
    for (const args of [[], ["--dry-run"]]) {
      const { code, stdout, stderr } = await place.reload(...args);
      assertEquals(code, 11);
      assert(stdout.includes('! mount.name: unset -> "other": it cannot change while mounted'), stdout);
      assert(stdout.includes('! branch "/": the root stays while it is mounted'), stdout);
      assert(stderr.includes("Cannot reload"), stderr);
    }
    await unchanged();
  });

  await t.step("another file than the one that was mounted", async () => {
    const other = `${place.folder}/other.toml`;
    await Deno.writeTextFile(other, MOUNT + ROOT);
    await refused(["--config", other], 11, `it was mounted from ${place.file}`);
    await unchanged();
  });

  await t.step("what is no mount, and no mount of a configuration", async () => {
    await refused([place.folder], 6, "nothing is mounted there");
    await refused(["/proc"], 6, "proc, not FUSE");
    await refused([place.work, "--config", place.file], 2, "name one of them");
    await using folder = await temporaryFolder();
    await using _memory = await MountProcess.start(folder.path);
    await refused([folder.path], 2, "it was not mounted by `mount` or `run` from a configuration");
  });
});

Deno.test("a tree that a keeper holds becomes what its configuration says, and its next servers begin with that", async (t) => {
  const KEPT = '[mount]\npoint = "./work"\nloops = 1\noptions = ["process=separate"]\n';
  await using place = await openPlace(KEPT + ROOT + directory("/one", "./one"));
  const kill = async () => {
    const [before] = serversOf(place.pid);
    killServer(place.pid);
    await waitFor("another server", () => serversOf(place.pid).some((server) => server !== before));
  };

  await t.step("a dry run, a change, and another server", async () => {
    await place.write(KEPT + ROOT + directory("/two", "./two", "read_only = true"));
    const dry = await place.reload("--dry-run");
    assertEquals([dry.code, dry.stdout.split("\n")[2]], [0, "Nothing was changed: a dry run"]);
    const { code, stdout, stderr } = await place.reload();
    assertEquals([code, stderr], [0, ""], stdout);
    const tree = [".", "./root", "./two", "./two/two"];
    assertEquals(await place.find(), tree);
    await kill();
    assertEquals(await place.find(), tree);
    const refused = await run(["touch", `${place.work}/two/file`], { accept: [1] });
    assert(refused.stderr.includes("Read-only file system"), refused.stderr);
  });

  await t.step("and back again, after a restart", async () => {
    const restart = await runCli(["restart", place.work]);
    assertEquals(restart.code, 0, restart.stderr);
    await place.write(KEPT + ROOT + directory("/one", "./one"));
    assertEquals((await place.reload()).code, 0);
    await kill();
    assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);
  });

  await t.step("what cannot be kept is refused", async () => {
    await place.write(KEPT + ROOT + '[[branch]]\npath = "/h"\ntype = "memory"\nplacement = "handler"\n');
    const { code, stdout, stderr } = await place.reload(place.work);
    assertEquals(code, 11, stderr);
    assert(stdout.includes('branch with placement = "handler" cannot come to it'), stdout);
    assertEquals(await place.find(), [".", "./one", "./one/one", "./root"]);
  });

  await t.step("status, list and umount know it", async () => {
    const { stdout } = await askPatiently(["status", place.work]);
    assert(stdout.includes(`keeper ${place.pid}, server ${serversOf(place.pid)[0]}, 3 restarts`), stdout);
    assert((await askPatiently(["list"])).stdout.includes(place.work));
    assertEquals((await runCli(["umount", place.work])).code, 0);
  });
});

Deno.test("a tree of memory takes a directory when it grows, and says so when it does not", async () => {
  const memory = '[[branch]]\npath = "/"\ntype = "memory"\n';
  for (const growing of [false, true]) {
    const mount = `[mount]\npoint = "./work"\ngrowing = ${growing}\n`;
    await using place = await openPlace(mount + memory);
    await shell("echo text >file", { cwd: place.work });
    await place.write(mount + memory + directory("/one", "./one"));
    const { code, stderr } = await place.reload();
    assertEquals(code, growing ? 0 : 11, stderr);
    assert(growing || stderr.includes("mount.growing = true"), stderr);
    assertEquals(await place.find(), [".", "./file", ...growing ? ["./one", "./one/one"] : []]);
  }
});

Deno.test("the tree of a program that runs becomes what its configuration says, but for what is run", async () => {
  await requireTools(["bwrap"]);
  await using folder = await temporaryFolder();
  for (const name of ["one", "two"]) {
    await Deno.mkdir(`${folder.path}/${name}`);
    await Deno.writeTextFile(`${folder.path}/${name}/${name}`, name);
  }
  const file = `${folder.path}/trellis.toml`;
  const write = (branches: string, command = "sh") =>
    Deno.writeTextFile(
      file,
      `[mount]\ngrowing = true\n[[branch]]\npath = "/"\ntype = "memory"\n${branches}\n` +
        `[run]\ncommand = ["${command}"]\nro_bind = ["/usr", "/bin", "/lib", "/lib64"]\n`,
    );
  await write(directory("/one", "./one"));
  const env = { TMPDIR: folder.path };
  const script = "until test -e /two/two; do sleep 0.05; done; cat /two/two; ls /one; cat /apart/none";
  const program = startCli(["run", "--config", file, "--", "sh", "-c", script], { env });
  const output = program.output();
  let mountpoint: string | undefined;
  await waitFor("the mount", async () => {
    const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n").map((line) => line.split(" ")[4]);
    mountpoint = mounts.find((path) => path?.startsWith(`${folder.path}/`));
    return mountpoint !== undefined;
  });
  const reload = () => runCli(["reload", mountpoint!], { cwd: folder.path });
  // The control socket comes with the mount, and is not there as soon as that.
  await waitFor("an answer", async () => (await reload()).code === 0);
  const branches = directory("/two", "./two") + '[[branch]]\npath = "/apart"\ntype = "memory"\nplacement = "handler"\n';
  await write(branches, "bash");
  const { code, stdout } = await reload();
  assertEquals(code, 11, stdout);
  assert(stdout.includes('! run.command: ["sh"] -> ["bash"]: it cannot change while the program runs'), stdout);
  await write(branches + directory("/tmp/two", "./two"));
  assert((await reload()).stdout.includes(`the sandbox's own /tmp would hide it`));
  await write(branches + directory("/all", "."));
  const problem = await reload();
  assertEquals(problem.code, 9, problem.stdout);
  await write(branches);
  const done = await reload();
  assertEquals(done.code, 0, done.stderr);
  const { stdout: said, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(text(said), "two");
  assert(/one.*No such file.*\n.*none.*No such file/.test(text(stderr)), text(stderr));
});
