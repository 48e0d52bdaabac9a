/** setup.sh: what it installs with which package manager and as whom, and what it says when it cannot. */
import { assert, assertEquals } from "./deps.ts";
import { exists } from "./support/cli_process.ts";
import { setUp, type StubMachine } from "./support/stub_machine.ts";

const APT_INSTALL = "apt-get install -q -y --no-install-recommends";
const NPM_INSTALL = "npm install --global --no-fund --no-audit deno@2.9.6";

/** What setup.sh needs beside Deno. */
const PROGRAMS = ["fusermount3", "bwrap"];

Deno.test("a machine with nothing but a shell gets all from its package manager and npm", async (t) => {
  // A pacman that has its lists does not fetch them: the machine of the tests may be one.
  const fetched = await exists("/var/lib/pacman/sync") ? [] : ["pacman -Sy"];
  const machines: Record<string, string[]> = {
    "apt-get": [
      "apt-get update -q",
      `${APT_INSTALL} fuse3`,
      `${APT_INSTALL} bubblewrap`,
      `${APT_INSTALL} npm`,
      NPM_INSTALL,
    ],
    dnf: ["dnf install -y fuse3 fuse3-libs", "dnf install -y bubblewrap", "dnf install -y npm", NPM_INSTALL],
    pacman: [...fetched, ...["fuse3", "bubblewrap", "deno"].map((name) => `pacman -S --needed --noconfirm ${name}`)],
    apk: [
      "apk add --update-cache fuse3 fuse3-libs",
      "apk add --update-cache bubblewrap",
      "apk add --update-cache deno",
    ],
    zypper: [
      ...["fuse3", "bubblewrap", "npm-default"].map((name) => `zypper --non-interactive install ${name}`),
      NPM_INSTALL,
    ],
  };
  for (const [manager, commands] of Object.entries(machines)) {
    await t.step(manager, async () => {
      const { code, stdout, stderr, calls } = await setUp({ has: [manager] });
      assertEquals({ code, stderr, calls }, { code: 0, stderr: "", calls: [...commands, "deno cache"] });
      assert(stdout.includes(`setup: installing with ${manager}: fuse3`), stdout);
      assert(stdout.includes("setup: ready: Deno 2.9.6, libfuse 3.17.2 (/lib/libfuse3.so.4), Linux 6.12.0"), stdout);
    });
  }
});

Deno.test("--dev adds what the tests and benchmarks use", async (t) => {
  const packages: Record<string, string[]> = {
    "apt-get": ["libc6-dev", "pkg-config", "libfuse3-dev", "python3", "sqlite3", "rsync", "git", "attr", "acl"],
    dnf: ["glibc-devel", "pkgconf-pkg-config", "fuse3-devel", "sqlite", "procps-ng"],
    pacman: ["pkgconf", "fuse3", "python", "sqlite", "procps-ng"],
    apk: ["musl-dev", "linux-headers", "fuse3-dev", "sqlite"],
    zypper: ["glibc-devel", "pkg-config", "fuse3-devel", "sqlite3"],
  };
  for (const [manager, expected] of Object.entries(packages)) {
    await t.step(manager, async () => {
      const { calls } = await setUp({ has: [manager, ...PROGRAMS, "deno"] }, ["--dev"]);
      const installed = calls.find((call) => call.includes(" gcc "))?.split(" ") ?? [];
      assertEquals(expected.filter((name) => !installed.includes(name)), [], calls.join("\n"));
    });
  }
});

Deno.test("an ordinary user installs with sudo", async () => {
  const { code, stderr, calls } = await setUp({ has: ["apt-get", "sudo"], uid: 1000 });
  const asRoot = (command: string, environment = "") => [`sudo ${environment}${command}`, command];
  assertEquals({ code, stderr, calls }, {
    code: 0,
    stderr: "",
    calls: [
      ...asRoot("apt-get update -q"),
      ...asRoot(`${APT_INSTALL} fuse3`, "env DEBIAN_FRONTEND=noninteractive "),
      ...asRoot(`${APT_INSTALL} bubblewrap`, "env DEBIAN_FRONTEND=noninteractive "),
      ...asRoot(`${APT_INSTALL} npm`, "env DEBIAN_FRONTEND=noninteractive "),
      ...asRoot(NPM_INSTALL),
      "deno cache",
    ],
  });
});

Deno.test("a user whose npm has a folder of their own needs no root for Deno", async () => {
  const { code, calls } = await setUp({ has: [...PROGRAMS, "npm"], uid: 1000, ownNpmFolder: true });
  assertEquals({ code, calls }, { code: 0, calls: [NPM_INSTALL, "deno cache"] });
});

Deno.test("a second run installs nothing", async () => {
  const { code, stderr, calls } = await setUp({ has: ["apt-get"] }, [], 2);
  assertEquals({ code, stderr, calls }, { code: 0, stderr: "", calls: ["deno cache"] });
});

Deno.test("lists of packages that cannot be refreshed are a warning", async () => {
  const behaves = { "apt-get": '[ "$1" != update ] || exit 100; provide fusermount3' };
  const { code, stdout } = await setUp({ has: ["apt-get", "bwrap", "deno"], behaves });
  assertEquals(code, 0, stdout);
  assert(stdout.includes("warning: apt-get update failed"), stdout);
});

Deno.test("what cannot be done ends with exit code 1 and says what to do", async (t) => {
  const ready = [...PROGRAMS, "deno"];
  const cases: Record<string, [machine: StubMachine, says: string[], args?: string[]]> = {
    "an unknown argument": [{ has: ready }, ["unknown argument '--all'", "sh setup.sh [--dev] [--install]"], ["--all"]],
    "another system": [{ has: ready, behaves: { uname: "echo Darwin" } }, ["needs Linux; this is Darwin"]],
    "no package manager": [{ has: [] }, ["no package manager known here", "install by hand", "fuse3"]],
    "neither root nor sudo": [
      { has: ["dnf"], uid: 1000 },
      ["needs root, and there is no sudo", "as root run: dnf install -y fuse3 fuse3-libs; then run this again"],
    ],
    "neither root nor sudo for npm": [
      { has: [...PROGRAMS, "npm"], uid: 1000 },
      ["npm installs into /npm, which needs root, and there is no sudo", "https://deno.land/install.sh"],
    ],
    "an installation that fails": [
      { has: ["apt-get"], behaves: { "apt-get": '[ "$1" = update ]' } },
      ["apt-get could not install: fuse3"],
    ],
    "a package without the program": [
      { has: ["zypper"], behaves: { zypper: ":", ldconfig: "echo '=> /lib/libfuse3.so.3'" } },
      ["fusermount3 is still not found after installing fuse3"],
    ],
    "packages for development that lack something": [
      { has: ["apt-get", ...ready], behaves: { "apt-get": ":" } },
      ["still missing after the installation:", "gcc"],
      ["--dev"],
    ],
    "neither Deno nor npm nor a package manager": [
      { has: PROGRAMS },
      ["Deno is missing, and so is npm", "https://deno.land/install.sh"],
    ],
    "an npm that fails": [
      { has: [...PROGRAMS, "npm"], behaves: { npm: "exit 1" } },
      ["npm could not install Deno", "https://deno.land/install.sh"],
    ],
    "a Deno that lands outside of the PATH": [
      { has: [...PROGRAMS, "npm"], behaves: { npm: 'echo "$folder/npm"' } },
      ["Deno is installed, but not on the PATH", 'export PATH="/npm/bin:$PATH"'],
    ],
    "a Deno that does not start": [
      { has: ready, behaves: { deno: "exit 127" } },
      ["/bin/deno does not run", "https://deno.land/install.sh"],
    ],
    "a Deno that is too old": [
      { has: ready, behaves: { deno: "echo deno 2.8.3" } },
      ["Deno 2.8.3 at /bin/deno is too old", "2.9 or newer", "deno upgrade"],
    ],
    "dependencies that cannot be fetched": [
      { has: ready, behaves: { deno: '[ "$1" = --version ] && echo deno 2.10.0' } },
      ["fetching the dependencies failed; Deno's own message is above. Is the network there?"],
    ],
  };
  for (const [name, [machine, says, args]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { code, stdout, stderr } = await setUp(machine, args);
      assertEquals(code, 1, stdout + stderr);
      for (const words of says) assert(stderr.includes(words), `"${words}" is not in: ${stderr}`);
    });
  }
});
