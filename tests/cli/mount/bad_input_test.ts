/** What the tool says, and with which exit code it ends, when it is asked for what cannot be; nothing is left behind. */
import { resolve } from "node:path";
import { assertEquals } from "../../deps.ts";
import { type Invocation, MountProcess, run, temporaryFolder } from "../../support/cli_process.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";
import { assertRefused, type Refusal } from "./refusal.ts";

/** Runs what follows with a file system tree of its own, changed by `script`. */
function inOwnTree(script: string, { prefix = [], ...rest }: Invocation = {}): Invocation {
  return { ...rest, prefix: ["unshare", "--mount", "sh", "-ec", `${script}; exec "$@"`, "sh", ...prefix] };
}

// /dev has to keep what Deno itself opens.
const NO_DEVICE = `
  folder=$(mktemp -d)
  mount -t tmpfs none "$folder"
  for name in null zero random urandom; do touch "$folder/$name"; mount --bind "/dev/$name" "$folder/$name"; done
  mount --rbind "$folder" /dev
  umount -l "$folder"; rmdir "$folder"`;

const CLOSED_DEVICE = `
  folder=$(mktemp -d)
  mount -t tmpfs none "$folder"
  mknod -m 600 "$folder/fuse" c 10 229
  mount --bind "$folder/fuse" /dev/fuse
  umount -l "$folder"; rmdir "$folder"`;

Deno.test("a mountpoint that cannot be used is refused with exit code 4", async (t) => {
  await using folder = await temporaryFolder();
  const at = (name: string) => resolve(folder.path, name);
  await Deno.writeTextFile(at("file"), "");
  await Deno.symlink("nowhere", at("dangling"));
  await Deno.symlink("circle", at("circle"));
  const cases: [name: string, says: string[]][] = [
    ["missing/m", [`its parent folder ${at("missing")} does not exist`, "mkdir -p"]],
    ["/proc/m", ["no folder can be made in /proc"]],
    ["file", ["not a folder"]],
    ["file/m", ["not a folder"]],
    ["dangling", ["symbolic link"]],
    ["circle", ["symbolic link"]],
    ["m".repeat(256), ["too long"]],
  ];
  for (const [name, says] of cases) {
    await t.step(name.slice(0, 20), () => assertRefused(["mount", at(name)], { code: 4, says: [at(name), ...says] }));
  }
});

Deno.test("a descriptor that is none of /dev/fuse is refused with exit code 4", async (t) => {
  const cases: [path: string, says: string][] = [["/dev/fd/0", "not of /dev/fuse"], ["/dev/fd/999", "not open"]];
  for (const [path, says] of cases) {
    await t.step(path, () => assertRefused(["mount", path], { code: 4, says: [path, says] }));
  }
});

Deno.test("a folder that is a mountpoint already is refused as busy with exit code 4", async () => {
  await using folder = await temporaryFolder();
  await using mount = await MountProcess.start(folder.path);
  await assertRefused(["mount", folder.path], { code: 4, says: ["busy", "fuse.trellis", "unmount"] });
  assertEquals(await run("touch", `${mount.mountpoint}/still-works`), 0);
});

Deno.test("no libfuse ends with exit code 3 and every path tried", async () => {
  await using folder = await temporaryFolder();
  await assertRefused(["mount", `${folder.path}/m`], { code: 3, says: ["/nowhere/libfuse3.so", "setup.sh"] }, {
    env: { TRELLIS_LIBFUSE: "/nowhere/libfuse3.so" },
  });
});

Deno.test("a libfuse that is too old ends with exit code 3 and the version needed", async () => {
  await using folder = await temporaryFolder();
  const library = `${folder.path}/libfuse3.so`;
  const names = ["session_new", "session_mount", "session_fd", "session_unmount", "session_destroy"];
  const source = 'int fuse_version(void) { return 39; } const char *fuse_pkgversion(void) { return "3.9.4"; }' +
    names.map((name) => `int fuse_${name}(void) { return -1; }`).join("\n");
  await Deno.writeTextFile(`${folder.path}/old.c`, source);
  assertEquals(await run("gcc", "-shared", "-fPIC", "-o", library, `${folder.path}/old.c`), 0, "gcc");
  await assertRefused(["mount", `${folder.path}/m`], { code: 3, says: ["3.9.4", "3.10"] }, {
    env: { TRELLIS_LIBFUSE: library },
  });
});

Deno.test("umount where nothing of FUSE is mounted ends with exit code 6", async (t) => {
  await using folder = await temporaryFolder();
  const cases: [path: string, says: string][] = [
    [folder.path, "nothing is mounted"],
    [`${folder.path}/missing`, "nothing is mounted"],
    [`${folder.path}/missing/deeper`, "nothing is mounted"],
    ["/proc", "proc, not FUSE"],
  ];
  for (const [path, says] of cases) {
    await t.step(path.replace(folder.path, ""), () => assertRefused(["umount", path], { code: 6, says: [path, says] }));
  }
});

Deno.test("umount of a path that cannot be followed ends with exit code 4", async (t) => {
  await using folder = await temporaryFolder();
  await Deno.symlink("circle", `${folder.path}/circle`);
  const cases: [name: string, says: string][] = [
    ["circle", "goes round in symbolic links"],
    ["circle/deeper", "goes round in symbolic links"],
    ["m".repeat(256), "the path is too long"],
  ];
  for (const [name, says] of cases) {
    const path = `${folder.path}/${name}`;
    await t.step(name.slice(0, 20), () => assertRefused(["umount", path], { code: 4, says: [path, says] }));
  }
});

if (NO_ORDINARY_USER) console.log(`not run, with devices taken away or as an ordinary user: ${NO_ORDINARY_USER}`);

Deno.test({
  name: "without /dev/fuse mount ends with exit code 3 and what to do",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const refusal = { code: 3, says: ["there is no /dev/fuse", "modprobe fuse", "--device /dev/fuse"] };
    await assertRefused(["mount", `${folder.path}/m`], refusal, inOwnTree(NO_DEVICE));
  },
});

Deno.test({
  name: "an ordinary user is told what keeps them from mounting",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn(t) {
    await using user = await prepareOrdinaryUser();
    await using folder = await temporaryFolder();
    await using mount = await MountProcess.start(`${folder.path}/mounted`);
    const { invocation } = user;
    const own = `${user.folder}/m`;
    const hide = (path: string) => inOwnTree(`mount --bind /dev/null ${path}`, invocation);
    const cases: Record<string, [args: string[], Refusal, Invocation]> = {
      "a folder of somebody else": [
        ["mount", folder.path],
        { code: 4, says: [folder.path, `user ${user.uid} has no permission`] },
        invocation,
      ],
      "a missing folder in somebody else's": [
        ["mount", `${folder.path}/m`],
        { code: 4, says: [`user ${user.uid} has no permission`] },
        invocation,
      ],
      "/dev/fuse with mode 600": [
        ["mount", own],
        { code: 3, says: ["its mode is 600", "chmod 666 /dev/fuse"] },
        inOwnTree(CLOSED_DEVICE, invocation),
      ],
      "no fusermount3": [
        ["mount", own],
        { code: 3, says: ["fusermount3", "install fuse3"] },
        hide("$(command -v fusermount3)"),
      ],
      "a mount option of root's": [
        ["mount", own, "-o", "nodev,suid"],
        { code: 2, says: ['mount option "suid" is for root alone'] },
        invocation,
      ],
      "another user's mount": [
        ["mount", mount.mountpoint],
        { code: 4, says: [mount.mountpoint, "busy", "fuse.trellis"] },
        invocation,
      ],
      "allow_other without user_allow_other": [
        ["mount", own, "-o", "allow_other"],
        { code: 5, says: [own, "user_allow_other"] },
        hide("/etc/fuse.conf"),
      ],
    };
    for (const [name, [args, refusal, how]] of Object.entries(cases)) {
      await t.step(name, () => assertRefused(args, refusal, how));
    }
  },
});

Deno.test({
  name: "umount below a folder that an ordinary user may not enter ends with exit code 4",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    await using folder = await temporaryFolder();
    await Deno.chmod(folder.path, 0o700);
    const path = `${folder.path}/inner/m`;
    const says = [path, `user ${user.uid} has no permission`];
    await assertRefused(["umount", path], { code: 4, says }, user.invocation);
  },
});

Deno.test({
  name: "an ordinary user cannot unmount somebody else's mount: exit code 5 and the reason",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    await using folder = await temporaryFolder();
    await using _mount = await MountProcess.start(folder.path);
    await assertRefused(["umount", folder.path], { code: 5, says: [folder.path] }, user.invocation);
  },
});
