/** `list` on live mounts: healthy, stopped, dead, and without a control socket. */
import { assert, assertEquals } from "../../deps.ts";
import type { ListedMount } from "../../../src/cli/list.ts";
import {
  askPatiently,
  type Invocation,
  MountProcess,
  run,
  runCli,
  temporaryFolder,
} from "../../support/cli_process.ts";
import { mountTemporarily } from "../../support/mounted.ts";

/** What is listed below `folder`: the machine may have other mounts. */
async function listed(folder: string, invocation: Invocation, ask = askPatiently) {
  const { code, stdout, stderr } = await ask(["list", "--json"], invocation);
  const mounts = JSON.parse(stdout) as ListedMount[];
  return { code, stderr, mounts: mounts.filter(({ mountpoint }) => mountpoint.startsWith(folder)) };
}

/** It is to be seen stale, which a keeper is for. */
const SAME = ["-o", "process=same"];
const IN_MEMORY = "what is in memory would end with its server; keep_content keeps it";

Deno.test("list names each mount, its source, its server and its state, and what to do with a stale one", async (t) => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const invocation: Invocation = { env: { TRELLIS_RUNTIME_DIR: `${path}/sockets` } };
  await Deno.mkdir(`${path}/source`);
  await using memory = await MountProcess.start(`${path}/memory`, [], invocation);
  await using shown = await MountProcess.start([`${path}/source`, `${path}/shown`], SAME, invocation);
  await run("stat", `${path}/shown/none`);

  await t.step("healthy ones", async () => {
    const { mounts } = await listed(path, invocation);
    const facts = mounts.map(({ uptimeSeconds: _u, requests: _r, ...facts }) => facts);
    const common = { type: "fuse.trellis", state: "answering" as const, server: null, advice: null };
    assertEquals(facts.sort((one, other) => one.mountpoint < other.mountpoint ? -1 : 1), [
      { mountpoint: `${path}/memory`, source: "memory", pid: memory.pid, noKeeper: IN_MEMORY, ...common },
      { mountpoint: `${path}/shown`, source: `${path}/source`, pid: shown.pid, noKeeper: "process=same", ...common },
    ]);
    assert(mounts.every(({ uptimeSeconds }) => uptimeSeconds! > 0));
    assert(mounts.find(({ pid }) => pid === shown.pid)!.requests! > 0);
  });
  await t.step("a table for people", async () => {
    const { stdout } = await askPatiently(["list"], invocation);
    assert(stdout.startsWith("mountpoint "), stdout);
    assert(
      new RegExp(`^${path}/memory +memory +fuse.trellis +answering +${memory.pid} +\\d+ s`, "m").test(stdout),
      stdout,
    );
  });
  await t.step("one that does not answer", async () => {
    await run("kill", "-STOP", `${memory.pid}`);
    const { code, mounts } = await listed(path, invocation, runCli);
    await run("kill", "-CONT", `${memory.pid}`);
    const { state, pid, advice } = mounts.find(({ mountpoint }) => mountpoint === `${path}/memory`)!;
    assertEquals({ code, state, pid }, { code: 10, state: "not answering", pid: null });
    assert(advice!.includes("did not answer within 2000 ms"), advice!);
  });
  for (const forgotten of [false, true]) {
    await t.step(`a stale one${forgotten ? " whose socket is gone" : ""}`, async () => {
      if (forgotten) await Deno.remove(`${path}/sockets`, { recursive: true });
      await run("kill", "-KILL", `${shown.pid}`);
      await shown.ended();
      const { code, stderr, mounts } = await listed(path, invocation);
      const { state, advice, source } = mounts.find(({ mountpoint }) => mountpoint === `${path}/shown`)!;
      assertEquals({ code, state, source }, { code: 10, state: "stale", source: `${path}/source` });
      assert(advice!.includes("unmount it"), advice!);
      assert(stderr.includes(`${path}/shown`), stderr);
    });
  }
});

Deno.test("a mount without a control socket is listed, and is no fault", async () => {
  await using folder = await temporaryFolder();
  await using mounted = await mountTemporarily({ getAttributes: () => ({ mode: 0o40755 }) });
  await run("stat", "--file-system", mounted.path); // the watcher's thread has been compiled when it answers
  const { mounts } = await listed(mounted.path, { env: { TRELLIS_RUNTIME_DIR: `${folder.path}/sockets` } });
  assertEquals(mounts.map(({ state, pid }) => [state, pid]), [["no control socket", null]]);
});
