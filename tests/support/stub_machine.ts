/**
 * A machine of stubs for setup.sh: a PATH on which package managers, npm, sudo and Deno only note how they are called
 * and let the programs appear that they would install.
 */
import { fileURLToPath } from "node:url";
import { assert } from "../deps.ts";
import { temporaryFolder } from "./cli_process.ts";

const SETUP = fileURLToPath(new URL("../../setup.sh", import.meta.url));

/** The system's own programs that setup.sh calls. */
const SYSTEM = ["sh", "env", "sed", "grep", "head", "ls", "tr", "sort", "stat", "dirname"];

/** Stubs that every machine has. */
const ALWAYS = ["id", "uname", "ldconfig", "ln", "chmod"];

const DEVELOPMENT = [
  "gcc",
  "make",
  "git",
  "rsync",
  "python3",
  "getfattr",
  "setfacl",
  "pkg-config",
  "sqlite3",
  "setpriv",
  "ps",
];

/** How stubs begin: `note` what was called, `provide` a program. */
const prelude = (folder: string) =>
  `#!/bin/sh
folder=${folder}
note() { echo "$*" >>"$folder/calls"; }
provide() { for name; do /bin/cp "$folder/stubs/$name" "$folder/bin/$name"; done; }
`;

const PACKAGE_MANAGER = `note "\${0##*/} $*"
for package; do
  case $package in
    fuse3) provide fusermount3 ;;
    bubblewrap) provide bwrap ;;
    npm | npm-default) provide npm ;;
    deno) provide deno ;;
    gcc) provide ${DEVELOPMENT.join(" ")} ;;
  esac
done`;

/** The stubs as shell text, by name. */
const STUBS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["apt-get", "dnf", "pacman", "apk", "zypper"].map((name) => [name, PACKAGE_MANAGER])),
  ...Object.fromEntries([...DEVELOPMENT, "bwrap", "ln", "chmod"].map((name) => [name, ":"])),
  deno: 'if [ "$1" = --version ]; then echo "deno 2.9.6 (stable)"; else note "deno $1"; fi',
  npm: 'if [ "$1" = prefix ]; then echo "$folder/npm"; else note "npm $*"; provide deno; fi',
  fusermount3: 'echo "fusermount3 version: 3.17.2"',
  ldconfig: '[ ! -e "$folder/bin/fusermount3" ] || echo "libfuse3.so.4 (libc6,x86-64) => /lib/libfuse3.so.4"',
  sudo: 'note "sudo $*"; "$@"',
  uname: 'if [ "$1" = -s ]; then echo Linux; else echo 6.12.0; fi',
};

/** What a machine is like before its set-up. */
export interface StubMachine {
  /** The stubs that are there. */
  readonly has: readonly string[];
  /** Stubs that behave otherwise, as shell text by name. */
  readonly behaves?: Readonly<Record<string, string>>;
  /** Who runs setup.sh. Default: root. */
  readonly uid?: number;
  /** Whether npm installs into a folder that the user may write to. */
  readonly ownNpmFolder?: boolean;
}

/** What came of a set-up. */
export interface SetupOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** How package managers, npm, sudo and Deno were called, in order. */
  readonly calls: readonly string[];
}

/** Runs `setup.sh ARGS` on a machine, as many times as said; the outcome is the last run's. */
export async function setUp(machine: StubMachine, args: readonly string[] = [], times = 1): Promise<SetupOutcome> {
  await using folder = await temporaryFolder();
  await build(folder.path, machine);
  let outcome = await runSetup(folder.path, args);
  while (--times > 0) outcome = await runSetup(folder.path, args);
  return outcome;
}

async function build(folder: string, { has, behaves, uid = 0, ownNpmFolder = false }: StubMachine): Promise<void> {
  await Deno.mkdir(`${folder}/bin`);
  await Deno.mkdir(`${folder}/stubs`);
  if (ownNpmFolder) await Deno.mkdir(`${folder}/npm/lib`, { recursive: true });
  for (const name of SYSTEM) await Deno.symlink(await systemProgram(name), `${folder}/bin/${name}`);
  for (const [name, text] of Object.entries({ ...STUBS, id: `echo ${uid}`, ...behaves })) {
    await Deno.writeTextFile(`${folder}/stubs/${name}`, prelude(folder) + text + "\n", { mode: 0o755 });
  }
  for (const name of [...ALWAYS, ...has]) await Deno.copyFile(`${folder}/stubs/${name}`, `${folder}/bin/${name}`);
}

async function runSetup(folder: string, args: readonly string[]): Promise<SetupOutcome> {
  await Deno.writeTextFile(`${folder}/calls`, "");
  const { code, stdout, stderr } = await new Deno.Command(`${folder}/bin/sh`, {
    args: [SETUP, ...args],
    clearEnv: true,
    env: { PATH: `${folder}/bin`, HOME: folder },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replaceAll(folder, "");
  // What the machine of the tests lacks, such as /etc/mtab, is not what they are about.
  const calls = (await Deno.readTextFile(`${folder}/calls`)).split("\n").filter((line) =>
    !/^(sudo (ln|chmod)|$)/.test(line)
  );
  return { code, stdout: text(stdout), stderr: text(stderr), calls };
}

async function systemProgram(name: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", { args: ["-c", 'command -v "$1"', "sh", name] }).output();
  assert(success, `This machine has no ${name}`);
  return new TextDecoder().decode(stdout).trim();
}
