/** Who owns what, through a mount by root: each caller acts as itself, so that the same calls do what they do on the host. */
import { assertEquals } from "../deps.ts";
import { run } from "../support/command.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { type Identity, PosixClient, PosixError } from "../support/posix_client.ts";
import { type MountedSource, mountSource } from "./mounted_source.ts";

const MEMBER: Identity = { uid: 65534, gid: 65532, groups: [65532, 65531] };
const STRANGER: Identity = { uid: 65533, gid: 65533 };
const GROUP = 65531;
const FOREIGN_GROUP = 4242;

/** What each script starts with: directories of root's, made in `directory`. */
async function prepare(directory: string): Promise<void> {
  const make = async (name: string, mode: number, gid = 0) => {
    await Deno.mkdir(`${directory}/${name}`);
    await Deno.chown(`${directory}/${name}`, 0, gid);
    await Deno.chmod(`${directory}/${name}`, mode);
  };
  await make("everybody's", 0o777);
  await make("sticky", 0o1777);
  await make("group's", 0o770, GROUP);
  await make("setgid", 0o2777, GROUP);
  await make("foreign setgid", 0o2777, FOREIGN_GROUP);
}

type Step = (client: PosixClient) => Promise<unknown>;

const create = (path: string, mode: number): Step => async (client) =>
  await client.close(await client.open(path, "O_RDWR|O_CREAT|O_EXCL", mode));
const owner = (path: string): Step => async (client) => {
  const { uid, gid, mode } = await client.lstat(path);
  return `${uid}:${gid} ${mode.toString(8)}`;
};

/** Calls of a member and of a stranger, the outcomes of which are compared with the host's. */
const SCRIPTS: Record<string, [Identity, Step[]][]> = {
  "new files of every kind belong to who makes them": [[MEMBER, [
    create("everybody's/file", 0o644),
    owner("everybody's/file"),
    (client) => client.mkdir("everybody's/directory", 0o755),
    owner("everybody's/directory"),
    (client) => client.symlink("x", "everybody's/symlink"),
    owner("everybody's/symlink"),
    (client) => client.mknod("everybody's/fifo", "S_IFIFO", 0o600),
    owner("everybody's/fifo"),
    (client) => client.mknod("everybody's/device", "S_IFCHR", 0o600, 1, 3),
  ]]],
  "a supplementary group opens a directory, and only for its members": [
    [MEMBER, [create("group's/file", 0o640), owner("group's/file")]],
    [STRANGER, [create("group's/other", 0o640), owner("group's/file")]],
  ],
  "a setgid directory hands on its group, and itself to directories": [
    [MEMBER, [
      create("setgid/file", 0o2755),
      owner("setgid/file"),
      (client) => client.mkdir("setgid/directory", 0o755),
      owner("setgid/directory"),
    ]],
    [STRANGER, [create("setgid/strange", 0o2755), owner("setgid/strange")]],
  ],
  "setgid of a group that is not the maker's own does not stay on a file": [[MEMBER, [
    create("foreign setgid/file", 0o2755),
    owner("foreign setgid/file"),
    (client) => client.chmod("foreign setgid/file", 0o2755),
    owner("foreign setgid/file"),
  ]]],
  "an owner gives a file to a group of its own and to no other": [[MEMBER, [
    create("everybody's/given", 0o644),
    (client) => client.chown("everybody's/given", -1, GROUP),
    owner("everybody's/given"),
    (client) => client.chown("everybody's/given", -1, FOREIGN_GROUP),
    (client) => client.chown("everybody's/given", STRANGER.uid, -1),
    owner("everybody's/given"),
  ]]],
  "writing clears setuid and setgid": [
    [MEMBER, [create("everybody's/bits", 0o6777), owner("everybody's/bits")]],
    [STRANGER, [
      async (client) => {
        const file = await client.open("everybody's/bits", "O_WRONLY");
        await client.write(file, "text");
        await client.close(file);
      },
      owner("everybody's/bits"),
    ]],
  ],
  "a sticky directory keeps a stranger from removing": [
    [MEMBER, [create("sticky/file", 0o666)]],
    [STRANGER, [
      (client) => client.unlink("sticky/file"),
      (client) => client.rename("sticky/file", "sticky/other"),
      owner("sticky/file"),
    ]],
  ],
  "nobody but the owner changes the mode or the times": [
    [MEMBER, [create("everybody's/mine", 0o600)]],
    [STRANGER, [
      (client) => client.chmod("everybody's/mine", 0o666),
      (client) => client.open("everybody's/mine", "O_RDONLY"),
      (client) => client.utimensat("everybody's/mine", 0n, 0n),
      (client) => client.truncate("everybody's/mine", 0),
    ]],
  ],
};

/** Plays a script in `directory` and tells the outcome of each call. */
async function play(directory: string, script: [Identity, Step[]][]): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (const [identity, steps] of script) {
    await using client = await PosixClient.start(identity);
    await client.chdir(directory);
    for (const step of steps) {
      outcomes.push(
        await step(client).catch((error) => error instanceof PosixError ? error.code : Promise.reject(error)),
      );
    }
  }
  return outcomes;
}

async function compareWithHost(t: Deno.TestContext, mounted: MountedSource): Promise<void> {
  const host = `${mounted.folder}/host`;
  await Deno.mkdir(host);
  await prepare(host);
  for (const [name, script] of Object.entries(SCRIPTS)) {
    await t.step(name, async () => {
      const expected = await play(host, script);
      assertEquals(await play(mounted.shown(""), script), expected);
    });
  }
  await t.step("and the source has become what the host's directory has", async () => {
    const list = (directory: string) =>
      run(["find", ".", "-mindepth", "1", "-printf", "%p %y %m %U:%G %n\n"], { cwd: directory });
    const lines = async (directory: string) => (await list(directory)).stdout.split("\n").sort();
    assertEquals(await lines(mounted.source("")), await lines(host));
  });
}

for (const options of ["loops=1", "loops=4,cache=never", "loops=2,no_kernel_passthrough"]) {
  Deno.test({
    name: `each caller acts as itself through a mount by root (${options})` +
      (NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""),
    ignore: NO_ORDINARY_USER !== undefined,
    fn: async (t) => {
      await using mounted = await mountSource(options, prepare);
      await compareWithHost(t, mounted);
    },
  });
}
