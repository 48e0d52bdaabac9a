/** `mount -o process=separate`, `restart` and `status` of it, as a user runs them. */
import { socketName } from "../../../src/control/socket_files.ts";
import { assert, assertEquals } from "../../deps.ts";
import { isMounted, MountProcess, runCli, temporaryFolder } from "../../support/cli_process.ts";
import { waitFor } from "../../support/mounted.ts";
import { killServer, serversOf } from "../../support/server_killer.ts";

Deno.test("a kept mount: its server is named, replaced on request, and may die three times in a minute", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  await using mount = await MountProcess.start(point, ["-o", "process=separate"]);
  const [first] = serversOf(mount.pid);
  const status = await runCli(["status", point]);
  assert(status.stdout.includes(`keeper ${mount.pid}, server ${first}, 0 restarts`), status.stdout);

  const restart = await runCli(["restart", point]);
  assertEquals(restart.code, 0, restart.stderr);
  assert(/^Server \d+ serves .*\(restart 1\)\n$/.test(restart.stdout), restart.stdout);
  assert(serversOf(mount.pid)[0] !== first);

  for (let death = 0; death < 3; death++) {
    const [before] = serversOf(mount.pid);
    killServer(mount.pid);
    await waitFor("another server", () => serversOf(mount.pid).some((server) => server !== before));
    assert((await Deno.stat(point)).isDirectory);
  }
  killServer(mount.pid);
  const { code, stderr } = await mount.ended();
  assertEquals(code, 5);
  assert(stderr.includes("number 4 within a minute: the mount is taken away"), stderr);
  assertEquals(await isMounted(point), false);
});

Deno.test("a mount that its own process serves has no server to replace", async () => {
  await using folder = await temporaryFolder();
  const invocation = { env: { TRELLIS_RUNTIME_DIR: `${folder.path}/sockets` } };
  const point = `${folder.path}/mnt`;
  await using mount = await MountProcess.start(point, [], invocation);
  {
    // As a server leaves it that is killed: of a mount that was there before.
    using _ = Deno.listen({ transport: "unix", path: `${folder.path}/socket` });
    await Deno.rename(`${folder.path}/socket`, `${folder.path}/sockets/${socketName(1, point)}`);
  }
  const { code, stderr } = await runCli(["restart", mount.mountpoint], invocation);
  assertEquals(code, 5, stderr);
  assert(stderr.includes("without -o process=separate"), stderr);
  assertEquals((await runCli(["restart", folder.path], invocation)).code, 6);
  const others = { env: { TRELLIS_RUNTIME_DIR: `${folder.path}/others` } };
  assertEquals((await runCli(["restart", mount.mountpoint], others)).code, 10);
});
