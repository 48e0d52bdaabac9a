/** Trees of branches through live mounts: every suite, the real tools across branches, and changes while mounted. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import {
  BranchFileSystem,
  type FileSystem,
  hideNames,
  limitSize,
  mapOwners,
  type MountOptions,
  readOnly,
} from "../../mod.ts";
import { MemoryFileSystem } from "../../src/layers/memory/mod.ts";
import { startLoad } from "../support/branch_load.ts";
import { run, shell } from "../support/command.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import type { BranchSpecification } from "../support/branch_module.ts";
import { runSuites, type Suite } from "./suites.ts";

const SKIPPED = NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : "";
const ALICE = { uid: 65534, gid: 65534 };

const MODULE = new URL("../support/branch_module.ts", import.meta.url);
const FOR_ALL: MountOptions = { allowOther: true, defaultPermissions: true };

async function mountTree(branches: readonly BranchSpecification[], loops = 1): Promise<Mounted> {
  const mounted = await mountTemporarily({ module: MODULE, options: { branches }, loops }, FOR_ALL);
  return mounted;
}

interface Combination {
  readonly loops: number;
  readonly branches: (source: string) => BranchSpecification[];
  /** Where the suites work. */
  readonly within: string;
  readonly only?: readonly Suite[];
}

const COMBINATIONS: Record<string, Combination> = {
  "memory in memory, one loop": {
    loops: 1,
    branches: () => [{ path: "/" }, { path: "/src" }],
    within: "/src",
    only: ["conformance", "model"],
  },
  "a directory in memory, one loop": {
    loops: 1,
    branches: (source) => [{ path: "/" }, { path: "/src", passthrough: { source } }],
    within: "/src",
    only: ["conformance"],
  },
  "directories below a directory of their own, two loops": {
    loops: 2,
    branches: (source) => [
      { path: "/", passthrough: { source: `${source}/root` } },
      { path: "/way/src", passthrough: { source: `${source}/src` } },
      { path: "/way/src/vendor", passthrough: { source: `${source}/vendor` } },
    ],
    within: "/way",
    only: ["conformance"],
  },
};

for (const [name, { loops, branches, within, only }] of Object.entries(COMBINATIONS)) {
  Deno.test({
    name: `every suite on a tree: ${name}${SKIPPED}`,
    ignore: NO_ORDINARY_USER !== undefined,
    fn: async (t) => {
      await using source = await temporaryFolder();
      await run(["mkdir", "-p", ...["root/way", "src", "vendor"].map((path) => `${source.path}/${path}`)]);
      await using mounted = await mountTree(branches(source.path), loops);
      await run(["chmod", "755", `${mounted.path}${within}`]);
      await runSuites(t, `${mounted.path}${within}`, only && { only });
    },
  });
}

Deno.test("what people do in a tree of branches: good, bad, and with the real tools", async (t) => {
  await using source = await temporaryFolder();
  await Deno.chmod(source.path, 0o777);
  await using mounted = await mountTree([
    { path: "/" },
    { path: "/src", passthrough: { source: source.path } },
    { path: "/src/vendor" },
    { path: "/data/torrents" },
  ]);
  const { path } = mounted;
  const sh = async (script: string) => (await shell(script, { cwd: "/", env: { T: path, S: source.path } })).stdout;
  /** The message of a command that must fail. */
  const failure = async (script: string) => {
    const { code, stderr } = await run(["sh", "-c", script], { env: { T: path }, accept: [0, 1, 2] });
    assert(code !== 0, `${script} succeeded`);
    return stderr;
  };

  await t.step("branch points and the directories on the way are there", async () => {
    assertEquals(
      await sh(`cd $T && find . | sort`),
      ".\n./data\n./data/torrents\n./src\n./src/vendor\n",
    );
  });

  await t.step("one st_dev, and an inode number for each", async () => {
    const lines = (await sh(`find $T -printf '%D %i\\n'`)).trim().split("\n").map((line) => line.split(" "));
    assertEquals(new Set(lines.map(([device]) => device)).size, 1);
    assertEquals(new Set(lines.map(([, inode]) => inode)).size, lines.length);
  });

  await t.step("ls -i and stat agree, . and .. too", async () => {
    await sh(`mkdir -p $T/src/below/deep && touch $T/src/below/file $T/src/vendor/file`);
    for (const directory of [".", "src", "src/vendor", "src/below", "data", "data/torrents"]) {
      const entries = (await sh(`ls -Uai1 $T/${directory}`)).trim().split("\n").map((line) => line.trim().split(" "));
      for (const [inode, name] of entries) {
        // What lies above the mount, ls asks of the mount's parent.
        if (directory === "." && name === "..") continue;
        assertEquals(inode, (await sh(`stat -c %i $T/${directory}/${name}`)).trim(), `${name} in ${directory}`);
      }
    }
    await sh(`rm -r $T/src/below $T/src/vendor/file`);
  });

  await t.step("mv and cp across branches carry content, mode and time", async () => {
    await sh(`echo text >$T/file && chmod 640 $T/file && touch -d @1000 $T/file`);
    await sh(
      `mv $T/file $T/src/file && mv $T/src/file $T/src/vendor/ && cp -p --reflink=auto $T/src/vendor/file $T/data/torrents/`,
    );
    assertEquals(await sh(`cat $T/data/torrents/file; stat -c '%a %Y' $T/data/torrents/file`), "text\n640 1000\n");
    await sh(`head -c 300000 /dev/urandom >$T/big && cp --reflink=auto $T/big $T/src/big && cmp $T/big $S/big`);
    await sh(
      `mkdir $T/tree && echo 1 >$T/tree/one && ln -s one $T/tree/link && mv $T/tree $T/src/ && mv $T/src/tree $T/data/torrents/`,
    );
    assertEquals(
      await sh(`cat $T/data/torrents/tree/link; ls $T; ls $S`),
      "1\nbig\ndata\nsrc\nbig\n",
    );
  });

  await t.step("what is refused is refused as at a mountpoint", async () => {
    for (const place of ["src", "src/vendor", "data", "data/torrents"]) {
      assert((await failure(`rmdir $T/${place}`)).includes("Device or resource busy"), place);
      assert((await failure(`mkdir $T/${place}`)).includes("File exists"), place);
      assert((await failure(`mv -T $T/${place} $T/elsewhere`)).includes("Device or resource busy"), place);
    }
    await sh(`mkdir $T/empty`);
    assert((await failure(`mv -T $T/empty $T/src`)).includes("Device or resource busy"));
    assert((await failure(`touch $T/data/file`)).includes("Read-only file system"));
    assert((await failure(`ln $T/big $T/src/hard`)).includes("Invalid cross-device link"));
    assert((await failure(`cat $T/missing/file`)).includes("No such file"));
  });

  await t.step("every operation goes through: attributes, links, locks, ranges, extended attributes", async () => {
    for (const branch of ["", "/src", "/src/vendor", "/data/torrents"]) {
      await sh(`cd $T${branch} && echo 12345 >f && ln f hard && ln -s f soft && truncate -s 3 f && chmod 600 hard
        test "$(cat soft)" = 123 && test $(stat -c %h f) = 2 && test $(stat -c %i f) = $(stat -c %i hard)
        mkdir d && mv f d/ && mkfifo d/fifo && sync d/f && flock d/f true && fallocate -l 10000 d/f
        test $(stat -c %s hard) = 10000 && df . >/dev/null && dd if=d/f of=d/g conv=sparse status=none
        rm -r d hard soft`);
    }
  });

  await t.step("what the host changes in a branch's source is there, also the way to another branch", async () => {
    await sh(
      `mkdir $S/vendor && touch $S/vendor/hidden && test -z "$(ls $T/src/vendor | grep hidden)" && rm -r $S/vendor`,
    );
  });
});

Deno.test({
  name: `several sources in one loop act as each caller${SKIPPED}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async () => {
    await using source = await temporaryFolder();
    await run(["mkdir", "-m", "777", `${source.path}/one`, `${source.path}/two`]);
    await using mounted = await mountTree([
      { path: "/one", passthrough: { source: `${source.path}/one` } },
      { path: "/two", passthrough: { source: `${source.path}/two` } },
    ]);
    await using alice = await PosixClient.start(ALICE);
    await using root = await PosixClient.start();
    const make = async (client: PosixClient, name: string) =>
      await client.close(await client.open(`${mounted.path}/${name}`, "O_WRONLY|O_CREAT|O_EXCL", 0o600));
    // Each source sees one caller only and has no reason to switch; the thread that serves both does.
    for (const turn of [1, 2, 3]) {
      for (const [client, uid, directory] of [[alice, ALICE.uid, "one"], [root, 0, "two"]] as const) {
        await make(client, `${directory}/${turn}`);
        assertEquals((await Deno.stat(`${source.path}/${directory}/${turn}`)).uid, uid);
      }
    }
  },
});

/** How often a branch comes and goes under load. */
const GRAFTS = 1000;

for (const lazy of [false, true]) {
  Deno.test(`branches come and go ${GRAFTS} times${lazy ? " lazily" : ""} under load: no error that is not theirs, nothing left`, async () => {
    const tree = new BranchFileSystem([{ path: "/", filesystem: new MemoryFileSystem() }], { growing: true });
    await using mounted = await mountTemporarily(tree);
    await run(["mkdir", `${mounted.path}/way`]);
    const load = await startLoad(mounted.path);
    let [destroyed, highest] = [0, 0];
    const endings: Promise<void>[] = [];
    try {
      for (let turn = 0; turn < GRAFTS; turn++) {
        const path = turn % 2 ? "/one" : "/way/two";
        const filesystem = Object.assign(new MemoryFileSystem(), { destroy: () => void destroyed++ });
        await tree.graft(path, filesystem);
        await Deno.stat(mounted.path + path);
        highest = Math.max(highest, ...tree.table.branches.keys());
        endings.push(tree.prune(path, { lazy }));
        if (!lazy) await endings.at(-1);
      }
    } finally {
      await load.end();
    }
    await waitFor("every branch to be destroyed", () => destroyed === GRAFTS);
    await Promise.all(endings);
    assertEquals(tree.table.branches.size, 1);
    // Where it forgets none, each branch has an id of its own.
    assert(highest < GRAFTS * 0.9, `the kernel let go of few branches: the highest id was ${highest}`);
    assertEquals(
      (await shell(`ls -A ${mounted.path} ${mounted.path}/way | grep -v copy-`)).stdout.trim().split("\n").at(-1),
      `${mounted.path}/way:`,
    );
  });
}

Deno.test("an open file of a removed branch is ESTALE, or with lazy lives until it is closed", async (t) => {
  for (const lazy of [false, true]) {
    await t.step(lazy ? "lazy" : "at once", async () => {
      let destroyed = false;
      const filesystem = Object.assign(new MemoryFileSystem(), { destroy: () => void (destroyed = true) });
      const tree = new BranchFileSystem([{ path: "/a", filesystem }]);
      await using mounted = await mountTemporarily(tree, { attributesTimeout: 0 });
      await using client = await PosixClient.start();
      const file = await client.open(`${mounted.path}/a/file`, "O_RDWR|O_CREAT", 0o644);
      await client.write(file, "text");
      const pruned = tree.prune("/a", { lazy });
      if (lazy) {
        await client.write(file, "more");
        assertEquals(new TextDecoder().decode(await client.pread(file, 100, 0)), "textmore");
        assert(!destroyed);
      } else {
        await assertRejects(() => client.write(file, "more"), PosixError, "ESTALE");
        await assertRejects(() => client.fstat(file), PosixError, "ESTALE");
      }
      await waitFor("the name to be gone", () => Deno.stat(`${mounted.path}/a`).then(() => false, () => true));
      await client.close(file).catch(() => {});
      await pruned;
      assert(destroyed);
    });
  }
});

Deno.test("a branch that never answers holds up nobody else", async () => {
  const never: FileSystem = {
    getAttributes: (_node, _handle, { signal }) =>
      new Promise((_, reject) => signal.onabort = () => reject(signal.reason)),
  };
  const tree = new BranchFileSystem([
    { path: "/", filesystem: new MemoryFileSystem() },
    { path: "/dead", filesystem: never },
  ]);
  await using mounted = await mountTemporarily(tree);
  const stuck = run(["timeout", "5", "stat", `${mounted.path}/dead`], { accept: [0, 1, 124] });
  const { stdout } = await shell(`cd ${mounted.path}; for i in 1 2 3; do mkdir $i; echo $i >$i/f; cat $i/f; done; ls`);
  assertEquals(stdout, "1\n2\n3\n1\n2\n3\ndead\n");
  assert((await stuck).code !== 0);
});

Deno.test("wrapped branches through a mount", async (t) => {
  const memory = () => new MemoryFileSystem({ mode: 0o777 });
  const plain = memory();
  const tree = new BranchFileSystem([
    { path: "/plain", filesystem: plain },
    { path: "/limited", filesystem: limitSize(memory(), { size: 1 << 20 }) },
    { path: "/hidden", filesystem: hideNames(memory(), [".*", "*.o"]) },
    { path: "/mapped", filesystem: mapOwners(memory(), { uid: { shown: 1234, stored: 0 }, fileMode: 0o600 }) },
    { path: "/fixed", filesystem: readOnly(memory()) },
  ]);
  await using mounted = await mountTemporarily(tree);
  const sh = async (script: string) => (await shell(script, { cwd: "/", env: { T: mounted.path } })).stdout;
  const fails = async (script: string) =>
    (await run(["sh", "-c", script], { env: { T: mounted.path }, accept: [0, 1, 2] })).stderr.trim();

  await t.step("size limit", async () => {
    assert((await fails("head -c 2000000 /dev/zero >$T/limited/big")).endsWith("No space left on device"));
    assertEquals(await sh("stat -c %s $T/limited/big; stat -f -c '%b %f' $T/limited"), "1048576\n256 0\n");
    await sh("rm $T/limited/big");
    await waitFor("room", async () => await sh("stat -f -c %f $T/limited") === "256\n");
    await sh("head -c 1000000 /dev/zero >$T/limited/big");
  });

  await t.step("hidden names", async () => {
    assert((await fails("touch $T/hidden/.git")).endsWith("Permission denied"));
    assert((await fails("touch $T/hidden/a.c && mv $T/hidden/a.c $T/hidden/a.o")).endsWith("Permission denied"));
    assertEquals(await sh("ls -A $T/hidden"), "a.c\n");
  });

  await t.step("owners and modes", async () => {
    assertEquals(await sh("umask 022; touch $T/mapped/file; stat -c '%u %a' $T/mapped/file"), "1234 600\n");
    assert((await fails("chown 4321 $T/mapped/file")).includes("Operation not permitted"));
  });

  await t.step("read-only", async () => {
    for (const change of ["touch $T/fixed/a", "mkdir $T/fixed/a", "chmod 700 $T/fixed", "ln -s a $T/fixed/a"]) {
      assert((await fails(change)).endsWith("Read-only file system"), change);
    }
    assertEquals(await sh("ls -A $T/fixed"), "");
  });
});
