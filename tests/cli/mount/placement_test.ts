/** Branches of a configuration in threads of their own, beside those that the loops serve. */
import { S_IFDIR, S_IFREG } from "../../../src/fs/flags.ts";
import type { FileSystem } from "../../../mod.ts";
import { assert, assertEquals } from "../../deps.ts";
import { MountProcess, run as runQuietly, temporaryFolder } from "../../support/cli_process.ts";
import { run, shell } from "../../support/command.ts";
import { mountTemporarily, waitFor } from "../../support/mounted.ts";

const CONFIGURATION = `
[mount]
loops = 2

[[branch]]
path = "/"
type = "passthrough"
source = "root"

[[branch]]
path = "/memory"
type = "memory"
placement = "handler"
max_size = "1M"

[[branch]]
path = "/union"
type = "union"
sources = ["upper", "lower:ro"]
placement = "handler"

[[branch]]
path = "/slow"
type = "passthrough"
source = "slow"
placement = "handler"

[[branch]]
path = "/memory/on/the/way"
type = "passthrough"
source = "lower"
read_only = true
`;

interface SlowFileSystem extends FileSystem {
  /** How many reads there were that wait. */
  readonly begun: number;
  openGate(): void;
}

/** A directory with a file whose reads wait for the gate, and one whose do not. */
function makeSlowFileSystem(): SlowFileSystem {
  const attributes = (node: number) => ({ mode: node === 1 ? S_IFDIR | 0o755 : S_IFREG | 0o644, size: 5 });
  const nodes: Readonly<Record<string, number>> = { never: 2, file: 3 };
  const gate = Promise.withResolvers<Uint8Array>();
  let begun = 0;
  return {
    get begun() {
      return begun;
    },
    openGate: () => gate.resolve(new Uint8Array()),
    lookup: (_parent, name) => {
      const node = nodes[name];
      return node === undefined ? undefined : { node, attributes: attributes(node) };
    },
    getAttributes: attributes,
    open: () => ({ directIo: true }),
    read: (node) => {
      if (node === 3) return new TextEncoder().encode("slow\n");
      begun++;
      return gate.promise;
    },
  };
}

Deno.test("a tree of branches in threads of their own and in loops", async (t) => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await run(["mkdir", ...["root", "upper", "lower", "m"].map((name) => `${path}/${name}`)]);
  await shell("echo root >root/file; echo lower >lower/file", { cwd: path });
  const filesystem = makeSlowFileSystem();
  await using slow = await mountTemporarily(filesystem);
  await Deno.symlink(slow.path, `${path}/slow`);
  await Deno.writeTextFile(`${path}/t.toml`, CONFIGURATION);
  const tree = `${path}/m`;
  await using mount = await MountProcess.startWith(["-c", `${path}/t.toml`, tree], tree);
  // A thread in a read of what another process serves does not end before that answers, and its process neither.
  using _ = { [Symbol.dispose]: () => filesystem.openGate() };
  const sh = async (script: string) => (await shell(script, { cwd: tree })).stdout;

  await t.step("is one tree for who uses it", async () => {
    assertEquals(
      await sh("ls; ls memory memory/on/the; cat file union/file slow/file memory/on/the/way/file"),
      [
        "file\nmemory\nslow\nunion\nmemory:\non\n\nmemory/on/the:\nway\n",
        "root\nlower\nslow\nlower\n",
      ].join(""),
    );
    await sh("echo 1 >memory/a; mv memory/a union/a; mv union/a b; cp b memory/b; cp --reflink=auto b union/file");
    assertEquals(
      await sh("cat memory/b union/file; ls memory union; find . -xdev | wc -l"),
      [
        "1\n1\nmemory:\nb\non\n\nunion:\nfile\n",
        "12\n",
      ].join(""),
    );
    assertEquals((await shell("cat upper/file lower/file root/b", { cwd: path })).stdout, "1\nlower\n1\n");
  });

  await t.step("with the wrappers of each", async () => {
    const { stderr } = await run(["dd", "if=/dev/zero", `of=${tree}/memory/big`, "bs=64K", "count=32"], {
      accept: [1],
    });
    assert(stderr.includes("No space left on device"), stderr);
    await Deno.remove(`${tree}/memory/big`);
    const refused = await run(["touch", `${tree}/memory/on/the/way/file`], { accept: [1] });
    assert(refused.stderr.includes("Read-only file system"), refused.stderr);
  });

  const reader = new Deno.Command("cat", { args: [`${tree}/slow/never`], stdout: "null", stderr: "null" }).spawn();
  await waitFor("the read of what never answers", () => filesystem.begun > 0);

  await t.step("that goes on while one of them waits for its source", async () => {
    // The thread is in the read: of its branch no more is to be had, and all else at once.
    const asker = new Deno.Command("stat", { args: [`${tree}/slow/other`], stdout: "null", stderr: "null" }).spawn();
    assertEquals(
      await sh("ls; cat file memory/b union/file memory/on/the/way/file"),
      [
        "b\nfile\nmemory\nslow\nunion\n",
        "root\n1\n1\nlower\n",
      ].join(""),
    );
    await sh("for i in $(seq 200); do echo $i >memory/$i; cat memory/$i union/file; done");
    assertEquals(await Promise.race([asker.status, "waits"]), "waits");
    filesystem.openGate();
    assertEquals([(await reader.status).code, (await asker.status).code], [0, 1]);
  });

  await runQuietly("kill", "-TERM", `${mount.pid}`);
  assertEquals((await mount.ended()).code, 0);
});
