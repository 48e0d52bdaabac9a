/** Readiness as systemd has it: what `mount` tells the socket that NOTIFY_SOCKET names. */
import { assert, assertEquals, TextLineStream } from "../../deps.ts";
import { isMounted, MountProcess, run, runCli, temporaryFolder } from "../../support/cli_process.ts";
import { requireTools } from "../../support/command.ts";
import { killServer } from "../../support/server_killer.ts";
import { assertRefused } from "./refusal.ts";

/** Plays the service manager: binds the socket, and prints each datagram with its sender's pid, as the kernel says. */
const LISTENER = `
import json, socket, struct, sys
name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps({}), flush=True)
while True:
    text, ancillary, _, _ = listener.recvmsg(4096, 1024)
    print(json.dumps({"text": text.decode(), "pid": struct.unpack("iII", ancillary[0][2])[0]}), flush=True)
`;

interface Datagram {
  readonly text: string;
  readonly pid: number;
}

class Listener implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#lines = process.stdout.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream())
      .getReader();
  }

  static async start(name: string): Promise<Listener> {
    await requireTools(["python3"]);
    const listener = new Listener(
      new Deno.Command("python3", { args: ["-c", LISTENER, name], stdout: "piped" }).spawn(),
    );
    await listener.next();
    return listener;
  }

  async next(): Promise<Datagram> {
    const { value } = await this.#lines.read();
    return JSON.parse(value!) as Datagram;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#lines.cancel();
  }
}

Deno.test("the service manager is told when the mount is ready, and when it ends", async (t) => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  const names = { "a path": `${folder.path}/notify`, "an abstract name": `@${folder.path}/notify` };
  const ends: [name: string, end: (pid: number) => Promise<unknown>][] = [
    ["SIGTERM", (pid) => run("kill", "-TERM", `${pid}`)],
    ["umount", () => run("umount", mountpoint)],
  ];
  for (const [index, [kind, name]] of Object.entries(names).entries()) {
    const [how, end] = ends[index]!;
    await t.step(`${kind}, ${how}`, async () => {
      await using listener = await Listener.start(name);
      await using mount = await MountProcess.start(mountpoint, [], { env: { NOTIFY_SOCKET: name } });
      const text = `READY=1\nSTATUS=Serving memory at ${mountpoint}\n`;
      assertEquals(await listener.next(), { text, pid: mount.pid });
      assert(await isMounted(mountpoint));
      await end(mount.pid);
      assertEquals(await listener.next(), { text: `STOPPING=1\nSTATUS=Unmounting ${mountpoint}\n`, pid: mount.pid });
      assertEquals((await mount.ended()).code, 0);
    });
  }
});

Deno.test("the service manager is told of a reload, and why a mount ends that could not go on", async () => {
  await using folder = await temporaryFolder();
  const [mountpoint, file, name] = [`${folder.path}/m`, `${folder.path}/t.toml`, `${folder.path}/notify`];
  await Deno.writeTextFile(file, '[[branch]]\npath = "/"\ntype = "memory"\n');
  await using listener = await Listener.start(name);
  const args = [mountpoint, "-c", file, "-o", "process=separate,restarts=0,hang_timeout=60"];
  await using mount = await MountProcess.startWith(args, mountpoint, { env: { NOTIFY_SOCKET: name } });
  const serving = `READY=1\nSTATUS=Serving trellis at ${mountpoint}`;
  assertEquals((await listener.next()).text, `${serving}\n`);
  assertEquals((await runCli(["reload", mountpoint, "--dry-run"])).code, 0);
  assertEquals((await runCli(["reload", mountpoint])).code, 0);
  const reloading = /^RELOADING=1\nMONOTONIC_USEC=(\d+)\nSTATUS=Reloading .*\n$/.exec((await listener.next()).text);
  assert(Number(reloading?.[1]) > 0, `${reloading}`);
  assertEquals((await listener.next()).text, `${serving}\n`);
  await Deno.writeTextFile(file, "[[branch]]\n");
  assert((await runCli(["reload", mountpoint])).code !== 0);
  await listener.next();
  const { text } = await listener.next();
  assert(text.startsWith(`${serving}; not reloaded: `), text);
  killServer(mount.pid);
  const last = (await listener.next()).text;
  assert(/^STOPPING=1\nSTATUS=.* number 1 within a minute: the mount is taken away\n$/.test(last), last);
  assertEquals((await mount.ended()).code, 5);
});

Deno.test("a mount that fails tells the service manager nothing", async () => {
  await using folder = await temporaryFolder();
  const name = `${folder.path}/notify`;
  await using listener = await Listener.start(name);
  await assertRefused(["mount", `${folder.path}/none/m`], { code: 4, says: ["parent folder"] }, {
    env: { NOTIFY_SOCKET: name },
  });
  // The next that comes is the test's own.
  await using mount = await MountProcess.start(`${folder.path}/m`, [], { env: { NOTIFY_SOCKET: name } });
  assertEquals((await listener.next()).pid, mount.pid);
});

Deno.test("a service manager that cannot be told is a line on standard error", async (t) => {
  await using folder = await temporaryFolder();
  const mountpoint = `${folder.path}/m`;
  const names = {
    [`${folder.path}/none`]: "ENOENT",
    "vsock:2:1234": "neither a path nor an abstract socket",
    [`@${"n".repeat(107)}`]: "too long",
  };
  for (const [name, reason] of Object.entries(names)) {
    await t.step(reason, async () => {
      await using mount = await MountProcess.start(mountpoint, [], { env: { NOTIFY_SOCKET: name } });
      assertEquals(await run("umount", mountpoint), 0);
      const { code, stderr } = await mount.ended();
      assertEquals(code, 0);
      assert(stderr.includes(`cannot tell the service manager at ${name}: `) && stderr.includes(reason), stderr);
    });
  }
});
