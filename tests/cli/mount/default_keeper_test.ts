/** Who has a keeper without asking for one, and what is said of who has none. */
import { keepsOpenFiles } from "../../../src/cli/keeper_facts.ts";
import { kernelResends } from "../../../src/connection/kernel_release.ts";
import { TextLineStream } from "../../deps.ts";
import { assert, assertEquals } from "../../deps.ts";
import { askPatiently, MountProcess, runCli, temporaryFolder } from "../../support/cli_process.ts";
import { waitFor } from "../../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../../support/ordinary_user.ts";
import { killServer, serversOf } from "../../support/server_killer.ts";

const NO_KEEPER = kernelResends() && keepsOpenFiles()
  ? undefined
  : "this kernel cannot send requests again, or keeps no open files";
const WHY_NOT = NO_ORDINARY_USER ?? NO_KEEPER;
if (WHY_NOT) console.log(`not tried who has a keeper by default, or not as an ordinary user: ${WHY_NOT}`);

Deno.test({
  name: "by default the server of an ordinary user's mount may die while a file is open, and the mount goes on",
  ignore: WHY_NOT !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    const { folder, invocation } = user;
    const [source, point] = [`${folder}/source`, `${folder}/mnt`];
    await Deno.mkdir(source);
    await Deno.chown(source, user.uid, user.uid);
    await using mount = await MountProcess.start([source, point], [], invocation);
    const [first] = serversOf(mount.pid);
    await using writer = await startWriter(invocation.prefix!, `${point}/file`);

    killServer(mount.pid);
    await writer.write();
    await waitFor("another server", () => serversOf(mount.pid).some((server) => server !== first));
    assertEquals(await Deno.readTextFile(`${source}/file`), "opened\nwritten\n");
    const { stdout } = await askPatiently(["status", point], invocation);
    assert(stdout.includes(`keeper ${mount.pid}, server ${serversOf(mount.pid)[0]}, 1 restart,`), stdout);
    assert(/ yes$/m.test((await askPatiently(["list"], invocation)).stdout));
    assertEquals((await runCli(["umount", point], invocation)).code, 0);
    assertEquals(await mount.ended(), { code: 0, stdout: `${mount.readyLine}\n`, stderr: restarted(point, first!) });
  },
});

function restarted(point: string, server: number): string {
  return `trellis: The server of ${point} (pid ${server}) ended; another takes its place\nSIGKILL\n`;
}

/** A process that has the file open, and writes to it when it is told. */
async function startWriter(prefix: readonly string[], file: string) {
  const script = 'exec 3>"$0"; echo opened >&3; echo ready; read line; echo written >&3 && echo done';
  const [program, ...args] = [...prefix, "sh", "-c", script, file];
  const child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream()).getReader();
  const input = child.stdin.getWriter();
  assertEquals((await lines.read()).value, "ready");
  return {
    async write() {
      await input.write(new TextEncoder().encode("\n"));
      assertEquals((await lines.read()).value, "done");
    },
    async [Symbol.asyncDispose]() {
      await input.close();
      await lines.cancel();
      await child.status;
    },
  };
}

Deno.test("status, list, restart and the log of --debug say why a mount has no keeper", async () => {
  await using folder = await temporaryFolder();
  const point = `${folder.path}/mnt`;
  const reason = "(what is in memory would end with its server; keep_content keeps it)";
  await using mount = await MountProcess.start(point, ["--debug"]);
  const { stdout } = await askPatiently(["status", point]);
  assert(stdout.includes(`, pid ${mount.pid}, `) && stdout.includes(`\n  keeper: none ${reason}\n`), stdout);
  const list = (await askPatiently(["list"])).stdout.split("\n").find((line) => line.startsWith(point));
  assert(list?.endsWith(` none ${reason}`), list);
  const restart = await runCli(["restart", point]);
  assertEquals(restart.code, 5);
  assert(restart.stderr.includes(`it has no keeper ${reason}; mount it with -o process=separate`), restart.stderr);
  assertEquals((await runCli(["umount", point])).code, 0);
  assert((await mount.ended()).stderr.startsWith(`keeper: none ${reason}\n`));
});

Deno.test({
  name: "with keep_content files in memory have a keeper by default, also for root",
  ignore: NO_KEEPER !== undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const point = `${folder.path}/mnt`;
    await using mount = await MountProcess.start(point, ["--debug", "-o", "keep_content"]);
    const [first] = serversOf(mount.pid);
    await Deno.writeTextFile(`${point}/file`, "text");
    killServer(mount.pid);
    assertEquals(await Deno.readTextFile(`${point}/file`), "text");
    await waitFor("another server", () => serversOf(mount.pid).some((server) => server !== first));
    assertEquals((await runCli(["umount", point])).code, 0);
    const { stderr } = await mount.ended();
    assert(stderr.startsWith(`keeper: pid ${mount.pid} (what is mounted outlives its server)\n`), stderr);
  },
});
