/** What doctor finds: on this machine, on one that lacks something, and beside a stale mount. */
import type { Findings } from "../../../src/cli/findings.ts";
import { assert, assertEquals } from "../../deps.ts";
import { MountProcess, run, runCli, temporaryFolder } from "../../support/cli_process.ts";
import { waitFor } from "../../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";

Deno.test("doctor says what is there, in a table and as JSON, and ends with 0 where mounting works", async () => {
  const table = await runCli(["doctor"]);
  assertEquals({ code: table.code, stderr: table.stderr }, { code: 0, stderr: "" }, table.stdout);
  for (
    const row of [
      "Deno",
      "libfuse",
      "fusermount3",
      "/dev/fuse",
      "user_allow_other",
      "kernel",
      "FUSE",
      "io_uring",
      "idle cores",
      "kernel passthrough",
      "stale mounts",
    ]
  ) {
    assert(new RegExp(`^${row} +\\S`, "m").test(table.stdout), `no row "${row}" in: ${table.stdout}`);
  }
  const json = await runCli(["doctor", "--json"]);
  assertEquals({ code: json.code, stderr: json.stderr }, { code: 0, stderr: "" });
  const findings: Findings = JSON.parse(json.stdout);
  assertEquals({ canMount: findings.canMount, problems: findings.problems }, { canMount: true, problems: [] });
  assertEquals(findings.deno.version, Deno.version.deno);
  const { minor = 0, features = [] } = findings.kernel.fuse ?? {};
  assert(minor >= 31, `FUSE 7.${minor} is older than any kernel that Deno runs on`);
  assert(features.length > 0, json.stdout);
  assert(findings.libfuse.path?.includes("libfuse3.so"), json.stdout);
  assert(/^3\.\d+/.test(findings.libfuse.version ?? ""), json.stdout);
});

if (NO_ORDINARY_USER) console.log(`not run as an ordinary user: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "doctor says the same to an ordinary user",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    const { code, stdout, stderr } = await runCli(["doctor", "--json"], user.invocation);
    assertEquals({ code, stderr }, { code: 0, stderr: "" }, stdout);
    const { canMount, kernel, kernelPassthrough }: Findings = JSON.parse(stdout);
    assertEquals(canMount, true);
    const roots: Findings = JSON.parse((await runCli(["doctor", "--json", "--source", "/dev/shm"])).stdout);
    assertEquals(kernel, roots.kernel);
    assertEquals(kernelPassthrough.usable, false);
    assert(/CAP_SYS_ADMIN.*as root/.test(kernelPassthrough.reason ?? ""), stdout);
    assertEquals(roots.kernelPassthrough, { usable: true, reason: null as unknown as undefined, source: "/dev/shm" });
  },
});

Deno.test("doctor without libfuse ends with 3, and the JSON is whole all the same", async () => {
  const env = { TRELLIS_LIBFUSE: "/nowhere/libfuse3.so" };
  const { code, stdout, stderr } = await runCli(["doctor", "--json"], { env });
  assertEquals(code, 3);
  assert(stderr.includes("cannot mount"), stderr);
  const { canMount, problems, libfuse }: Findings = JSON.parse(stdout);
  assertEquals({ canMount, path: libfuse.path, tried: libfuse.tried }, {
    canMount: false,
    path: null as unknown as undefined,
    tried: [env.TRELLIS_LIBFUSE],
  });
  assert(problems.some((problem) => problem.includes(env.TRELLIS_LIBFUSE)), stdout);
});

Deno.test("doctor finds a stale mount", async () => {
  await using folder = await temporaryFolder();
  await using mount = await MountProcess.start(folder.path);
  assertEquals(await staleAt(folder.path), undefined);
  await run("kill", "-KILL", `${mount.pid}`);
  await mount.ended();
  assertEquals(await staleAt(folder.path), { mountpoint: folder.path, type: "fuse.trellis", state: "disconnected" });
});

/** Asks again while a mount is late, for which doctor waits a second: this machine may be busy. */
async function staleAt(mountpoint: string): Promise<Findings["staleMounts"][number] | undefined> {
  let found: Findings["staleMounts"][number] | undefined;
  await waitFor("a mount that answers or is dead", async () => {
    const findings: Findings = JSON.parse((await runCli(["doctor", "--json"])).stdout);
    found = findings.staleMounts.find((mount) => mount.mountpoint === mountpoint);
    return found?.state !== "not answering";
  });
  return found;
}

if (NO_ORDINARY_USER) console.log(`not asked why a source is not passed through: ${NO_ORDINARY_USER}`);
Deno.test({
  name: "doctor says why a source is not passed through",
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    const { code, stdout } = await runCli(["doctor", "--source", "/proc"]);
    assertEquals(code, 0);
    assert(/^kernel passthrough +no: the filesystem of \/proc \(type 0x9fa0\) is none of ext4, /m.test(stdout), stdout);
    assertEquals((await runCli(["doctor", "--source", "/nowhere"])).code, 8);
  },
});
