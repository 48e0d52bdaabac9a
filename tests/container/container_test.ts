/** Programs whose root is a folder of the host: what they see, how they end, what they leave. */
import { fileURLToPath } from "node:url";
import type { Sandbox } from "../../src/container/sandbox.ts";
import { SharedMemoryFolder } from "../../src/container/shared_memory.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { exists } from "../support/cli_process.ts";
import { requireTools } from "../support/command.ts";
import { waitFor } from "../support/mounted.ts";
import { PATIENCE } from "../support/patience.ts";

/** A folder that can be a root: programs and libraries of the host, and directories for what is mounted over it. */
async function makeRoot(): Promise<AsyncDisposable & { readonly path: string }> {
  await requireTools(["bwrap", "script"]);
  const path = await Deno.makeTempDir({ prefix: "trellis-root-" });
  for (const name of ["usr", "proc", "dev", "tmp"]) await Deno.mkdir(`${path}/${name}`);
  for (const name of ["bin", "lib", "lib64"]) await Deno.symlink(`usr/${name}`, `${path}/${name}`);
  await Deno.writeTextFile(`${path}/marker`, "the tree");
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The command that runs the tool. */
function toolWith(sandbox: Partial<Sandbox>): string[] {
  const whole = {
    directory: "/",
    environment: { PATH: "/usr/bin:/bin" },
    network: false,
    sharedMemory: [],
    ...sandbox,
    binds: [{ source: "/usr", target: "/usr", readOnly: true }, ...sandbox.binds ?? []],
  };
  const script = fileURLToPath(new URL("inside.ts", import.meta.url));
  return [Deno.execPath(), "run", "--allow-all", script, JSON.stringify(whole)];
}

function start(sandbox: Partial<Sandbox>): Deno.ChildProcess {
  const args = [String(PATIENCE), ...toolWith(sandbox)];
  return new Deno.Command("timeout", { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
}

const CTRL_C = 3;
const CTRL_BACKSLASH = 28;

/** The tool in a terminal of its own, which script(1) makes. */
interface Terminal extends AsyncDisposable {
  /** The exit status of the tool. */
  readonly status: Promise<number>;
  type(key: number): Promise<void>;
  /** Resolves when the terminal has shown `text`. */
  shows(text: string): Promise<void>;
  /** The tool's process id. */
  tool(): Promise<number>;
}

function startInTerminal(sandbox: Partial<Sandbox>): Terminal {
  const words = toolWith(sandbox).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const child = new Deno.Command("timeout", {
    args: [
      String(PATIENCE),
      "script",
      "--quiet",
      "--return",
      "--command",
      `exec ${words.join(" ")}`,
      "/dev/null",
    ],
    env: { SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const keys = child.stdin.getWriter();
  let shown = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) shown += text;
  })();
  return {
    status: child.status.then(({ code }) => code),
    type: (key) => keys.write(Uint8Array.of(key)),
    shows: (text) => waitFor(`the terminal shows "${text}"`, () => shown.includes(text)),
    tool: async () => await childOf(await childOf(child.pid)),
    async [Symbol.asyncDispose]() {
      await keys.close().catch(() => {});
      await child.status;
      await reading;
    },
  };
}

async function run(sandbox: Partial<Sandbox>): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await start(sandbox).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** The first line that a process prints, and what reads the rest. */
async function readLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The program ended after "${text}"`);
    text += value;
  }
  await reader.cancel();
  return text.split("\n")[0]!;
}

/** The tool's own process: what was started is timeout(1), which sends a signal of its own to the whole group. */
function toolOf({ pid }: Deno.ChildProcess): Promise<number> {
  return childOf(pid);
}

async function childOf(pid: number): Promise<number> {
  return Number(await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`));
}

/** Whether a process with `word` among its arguments lives. */
async function lives(word: string): Promise<boolean> {
  const { stdout } = await new Deno.Command("pgrep", { args: ["-f", "--", word] }).output();
  return stdout.length > 0;
}

Deno.test("a program in a sandbox", async (t) => {
  await using root = await makeRoot();
  const sh = (text: string, more: Partial<Sandbox> = {}) =>
    run({ root: root.path, command: ["sh", "-euc", text], ...more });

  await t.step("sees the tree as its root, and nothing else of the host", async () => {
    const { code, stdout } = await sh("cat /marker; echo; ls /; test ! -e /root; test ! -e /etc");
    assertEquals([code, stdout], [0, "the tree\nbin\ndev\nlib\nlib64\nmarker\nproc\ntmp\nusr\n"]);
  });

  await t.step("has /proc of its own pid namespace, a /dev and a writable /tmp", async () => {
    const { code, stdout, stderr } = await sh(
      "echo > /dev/null; echo x > /tmp/x; stat -c %a /tmp; ls -d /proc/[0-9]* | wc -l",
    );
    assertEquals([code, stdout.split("\n")[0], stderr], [0, "1777", ""]);
    assert(Number(stdout.split("\n")[1]) <= 5, stdout);
  });

  await t.step("is who the caller is, and writes to the tree as the caller", async () => {
    const { stdout } = await sh("id -u; echo made > /made");
    assertEquals(stdout, `${Deno.uid()}\n`);
    assertEquals(await Deno.readTextFile(`${root.path}/made`), "made\n");
    assertEquals((await Deno.stat(`${root.path}/made`)).uid, Deno.uid());
    await Deno.remove(`${root.path}/made`);
  });

  await t.step("has the environment and the directory that it is given", async () => {
    const environment = { PATH: "/usr/bin:/bin", GREETING: "good day" };
    const { stdout } = await sh('pwd; echo "$GREETING"; env | cut -d= -f1 | sort | tr "\\n" " "', {
      environment,
      directory: "/tmp",
    });
    assertEquals(stdout, "/tmp\ngood day\nGREETING PATH PWD ");
  });

  await t.step("has a PATH of its own, by which bubblewrap is not looked for", async () => {
    const environment = { PATH: "/nowhere" };
    const { stdout, stderr } = await run({ root: root.path, command: ["/bin/sh", "-c", 'echo "$PATH"'], environment });
    assertEquals([stdout, stderr], ["/nowhere\n", ""]);
  });

  await t.step("has a network only if it is asked for", async () => {
    // Of a new network namespace there is the loopback device alone.
    const devices = async (network: boolean) => (await sh("tail -n +3 /proc/net/dev | wc -l", { network })).stdout;
    assertEquals(await devices(false), "1\n");
    const host = (await Deno.readTextFile("/proc/net/dev")).trim().split("\n").length - 2;
    assertEquals(await devices(true), `${host}\n`);
  });

  await t.step("reads what is bound read-only, and writes what is bound", async () => {
    const binds = [{ source: root.path, target: "/tmp/own", readOnly: false }];
    const { code, stdout } = await sh("! touch /usr/x 2>/dev/null; cat /tmp/own/marker; touch /tmp/own/bound", {
      binds,
    });
    assertEquals([code, stdout], [0, "the tree"]);
    await Deno.remove(`${root.path}/bound`);
  });

  await t.step("shares memory with the host as /dev/shm/NAME", async () => {
    await using memory = await SharedMemoryFolder.make([{ name: "frames", size: 8192 }]);
    const outside = memory.areas[0]!.path;
    assertEquals((await Deno.stat(outside)).size, 8192);
    assertEquals((await Deno.stat(outside)).mode! & 0o777, 0o600);
    await Deno.writeTextFile(outside, "from outside", { append: false });
    const { stdout, stderr } = await sh(
      "cat /dev/shm/frames; printf 'from inside' | dd of=/dev/shm/frames conv=notrunc status=none; stat -c %i /dev/shm/frames",
      { sharedMemory: memory.areas },
    );
    assertEquals(stderr, "");
    // The same inode, and so the same pages.
    assertEquals(stdout, `from outside${(await Deno.stat(outside)).ino}\n`);
    assert((await Deno.readTextFile(outside)).includes("from inside"), await Deno.readTextFile(outside));
  });

  await t.step("gives its exit status, and 128 + n for a signal", async () => {
    assertEquals((await sh("exit 7")).code, 7);
    assertEquals((await sh("kill -TERM $$")).code, 128 + 15);
    // What bubblewrap itself ends with when it fails.
    assertEquals(await sh("exit 1"), { code: 1, stdout: "", stderr: "" });
  });

  await t.step("says why it cannot be started, and that of no program that was", async () => {
    const { code, stderr } = await run({ root: root.path, command: ["true"], directory: "/no/such" });
    assertEquals(code, 99);
    assert(stderr.includes('Cannot run "true": bubblewrap cannot make its sandbox: Can\'t chdir to /no/such'), stderr);
    const { stderr: missing } = await run({ root: root.path, command: ["no-such-program"] });
    assert(missing.includes("ProgramError: Cannot run"), missing);
  });

  await t.step("gets the signals that the tool gets", async () => {
    await using child = start({
      root: root.path,
      command: ["sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done"],
    });
    assertEquals(await readLine(child), "ready");
    Deno.kill(await toolOf(child), "SIGTERM");
    assertEquals((await child.status).code, 42);
  });

  await t.step("gets SIGUSR1, and the debugger that Deno opens at it is closed", async () => {
    await using child = start({
      root: root.path,
      command: ["sh", "-c", "trap 'exit 42' TERM; trap : USR1; echo ready; while :; do sleep 0.05; done"],
    });
    let said = "";
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said += text;
    })();
    assertEquals(await readLine(child), "ready");
    const tool = await toolOf(child);
    // Deno does not listen for it in its first half second.
    await waitFor("the debugger is open", () => {
      Deno.kill(tool, "SIGUSR1");
      return said.includes("Debugger listening");
    });
    const address = /127\.0\.0\.1:\d+/.exec(said)![0];
    const isClosed = () =>
      fetch(`http://${address}/json`).then((answer) => answer.text()).then(() => false, () => true);
    await waitFor("the debugger is closed", isClosed);
    Deno.kill(tool, "SIGTERM");
    assertEquals((await child.status).code, 42);
    await reading;
  });

  await t.step("gets Ctrl-C at the tool's terminal, once, and lives on when it handles it", async () => {
    const trap = `trap 'n=$((n+1)); echo interrupted $n; [ $n = 2 ] && exit 42' INT`;
    await using terminal = startInTerminal({
      root: root.path,
      command: ["sh", "-c", `n=0; ${trap}; echo ready; while :; do sleep 0.05; done`],
    });
    await terminal.shows("ready");
    for (const count of [1, 2]) {
      await terminal.type(CTRL_C);
      await terminal.shows(`interrupted ${count}`);
    }
    assertEquals(await terminal.status, 42);
  });

  await t.step("ends with 130 or 131 by Ctrl-C or Ctrl-\\ when it does not", async () => {
    for (const [key, signal] of [[CTRL_C, 2], [CTRL_BACKSLASH, 3]] as const) {
      const word = `trellis-left-behind-${crypto.randomUUID()}`;
      await using terminal = startInTerminal({
        root: root.path,
        command: ["sh", "-c", `sh -c 'trap "" INT QUIT; echo ready; while :; do sleep 0.05; done' ${word} & wait`],
      });
      await terminal.shows("ready");
      await terminal.type(key);
      assertEquals(await terminal.status, 128 + signal);
      await waitFor("the processes of the sandbox are gone", async () => !await lives(word));
    }
  });

  await t.step("gets an interrupt that only the tool was sent, in a terminal and without", async () => {
    const command = ["sh", "-c", "trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done"] as const;
    await using child = start({ root: root.path, command });
    assertEquals(await readLine(child), "ready");
    Deno.kill(await toolOf(child), "SIGINT");
    assertEquals((await child.status).code, 42);
    await using terminal = startInTerminal({ root: root.path, command });
    await terminal.shows("ready");
    Deno.kill(await terminal.tool(), "SIGINT");
    assertEquals(await terminal.status, 42);
  });

  await t.step("ends, with all that it has started, when the tool is killed after a Ctrl-C", async () => {
    const word = `trellis-left-behind-${crypto.randomUUID()}`;
    await using terminal = startInTerminal({
      root: root.path,
      command: ["sh", "-c", `trap 'echo interrupted' INT; echo ready; while :; do sleep 0.05; done`, word],
    });
    await terminal.shows("ready");
    await terminal.type(CTRL_C);
    await terminal.shows("interrupted");
    Deno.kill(await terminal.tool(), "SIGKILL");
    await terminal.status;
    await waitFor("the processes of the sandbox are gone", async () => !await lives(word));
  });

  await t.step("gets signals that came before it had started", async () => {
    await using child = start({ root: root.path, command: ["sleep", "600"] });
    let bubblewrap = "";
    await waitFor("bubblewrap runs", async () => {
      const tool = await toolOf(child);
      bubblewrap = tool === 0 ? "" : (await Deno.readTextFile(`/proc/${tool}/task/${tool}/children`)).trim();
      // The first is the guard.
      return bubblewrap.includes(" ");
    });
    Deno.kill(await toolOf(child), "SIGTERM");
    assertEquals((await child.status).code, 128 + 15);
  });

  await t.step("ends, with all that it has started, when the tool is killed", async () => {
    const word = `trellis-left-behind-${crypto.randomUUID()}`;
    await using child = start({
      root: root.path,
      command: ["sh", "-c", `sh -c 'echo ready; while :; do sleep 0.05; done' ${word} & wait`],
    });
    assertEquals(await readLine(child), "ready");
    Deno.kill(await toolOf(child), "SIGKILL");
    await child.status;
    await waitFor("the processes of the sandbox are gone", async () => !await lives(word));
  });

  await t.step("leaves no process behind when it ends", async () => {
    const word = `trellis-left-behind-${crypto.randomUUID()}`;
    assertEquals((await sh(`(setsid sh -c 'while :; do sleep 0.05; done' ${word} &) ; sleep 0.1`)).code, 0);
    await waitFor("the processes of the sandbox are gone", async () => !await lives(word));
  });
});

Deno.test("a name that is no file name is refused for shared memory, and leaves nothing", async () => {
  // The folders that have the area of this test: others on the machine make and remove their own.
  const good = `good-${crypto.randomUUID()}`;
  const left = async () => {
    const names = (await Array.fromAsync(Deno.readDir("/dev/shm"))).map(({ name }) => name);
    const found = await Promise.all(names.map((name) => exists(`/dev/shm/${name}/${good}`).catch(() => false)));
    return names.filter((_, index) => found[index]);
  };
  {
    await using _memory = await SharedMemoryFolder.make([{ name: good, size: 1 }]);
    assertEquals((await left()).length, 1);
  }
  for (const name of ["", ".", "..", "a/b"]) {
    await assertRejects(() => SharedMemoryFolder.make([{ name: good, size: 1 }, { name, size: 1 }]), TypeError, name);
  }
  assertEquals(await left(), []);
});

Deno.test("without bubblewrap the message says what to install", async () => {
  await using root = await makeRoot();
  const script = fileURLToPath(new URL("inside.ts", import.meta.url));
  const sandbox = {
    root: root.path,
    command: ["true"],
    directory: "/",
    environment: {},
    network: false,
    binds: [],
    sharedMemory: [],
  };
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", script, JSON.stringify(sandbox)],
    env: { PATH: "/nowhere" },
  }).output();
  assertEquals(code, 99);
  assert((new TextDecoder().decode(stderr)).includes("install bubblewrap"), new TextDecoder().decode(stderr));
});
