/** The control socket: answers, refusals, and peers that do not keep to the rules. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { ask } from "../../src/control/client.ts";
import { encodeFrame, FrameDecoder, MAX_FRAME } from "../../src/control/frames.ts";
import { ControlError, type StatusReport } from "../../src/control/messages.ts";
import { ControlServer } from "../../src/control/server.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { PATIENCE } from "../support/patience.ts";

const REPORT: StatusReport = {
  mountpoint: "/mnt/x",
  placement: "loop",
  transport: "device",
  transportReason: "transport=device",
  servers: 2,
  pid: 1,
  uptimeSeconds: 2,
  minor: 45,
  features: [],
  operations: {},
};

interface Listening extends AsyncDisposable {
  readonly path: string;
}

/** Milliseconds after which a server cuts off who keeps it waiting, and those who are to be answered are not cut off. */
const IMPATIENT = 300;
const PATIENT = PATIENCE * 1000;

/** A server on a socket in a new folder. */
async function listen(
  status: () => StatusReport | Promise<StatusReport> = () => REPORT,
  deadline = PATIENT,
): Promise<Listening> {
  const folder = await Deno.makeTempDir({ prefix: "control-" });
  const path = `${folder}/1.sock`;
  const server = await ControlServer.listen({ path, commands: { status }, deadline });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      assertEquals(await Array.fromAsync(Deno.readDir(folder)), [], "the socket should be gone");
      await Deno.remove(folder);
    },
  };
}

/** As {@linkcode ask}, and waits as long as it takes. */
function askStatus(path: string): Promise<unknown> {
  return ask(path, "status", PATIENT);
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => answer, ControlError)).code;
}

/** Sends bytes, ends or goes on waiting, and returns what comes until the server closes. */
async function talk(path: string, bytes: Uint8Array, then: "end" | "wait"): Promise<unknown[]> {
  using connection = await Deno.connect({ transport: "unix", path });
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  if (then === "end") await connection.closeWrite();
  const decoder = new FrameDecoder();
  const values: unknown[] = [];
  for await (const piece of connection.readable) values.push(...decoder.push(piece));
  return values;
}

function codes(values: unknown[]): unknown[] {
  return values.map((value) => (value as { error?: { code: string } }).error?.code ?? "answer");
}

Deno.test("a command is answered, and several on one connection in their order", async () => {
  await using server = await listen();
  assertEquals(await askStatus(server.path), REPORT);
  const { mode } = await Deno.lstat(server.path);
  assertEquals(mode! & 0o777, 0o600);
  const frame = encodeFrame({ version: 1, command: "status" });
  const unknown = encodeFrame({ version: 1, command: "frobnicate" });
  const bytes = new Uint8Array([...frame, ...unknown, ...frame]);
  assertEquals(codes(await talk(server.path, bytes, "end")), ["answer", "command", "answer"]);
});

Deno.test("what is no request gets a refusal, and the connection is closed", async (t) => {
  await using server = await listen();
  await using impatient = await listen(undefined, IMPATIENT);
  const text = (body: string) => new Uint8Array([body.length, 0, 0, 0, ...new TextEncoder().encode(body)]);
  const oversized = new Uint8Array(4 + 100);
  new DataView(oversized.buffer).setUint32(0, MAX_FRAME + 1, true);
  const cases: [name: string, bytes: Uint8Array, then: "end" | "wait", codes: string[]][] = [
    ["a length that is too large", oversized, "wait", ["malformed"]],
    ["no JSON", text("{{{"), "wait", ["malformed"]],
    ["another version", text('{"version":2,"command":"status"}'), "end", ["version"]],
    ["an unknown command", text('{"version":1,"command":"constructor"}'), "end", ["command"]],
    ["half a frame and the end", text('{"version":1}').subarray(0, 9), "end", ["malformed"]],
    ["half a frame and silence", text('{"version":1}').subarray(0, 9), "wait", []],
    ["nothing and silence", new Uint8Array(), "wait", []],
    ["nothing and the end", new Uint8Array(), "end", []],
  ];
  for (const [name, bytes, then, expected] of cases) {
    await t.step(name, async () => {
      // Who is silent is cut off; who is answered has time to be.
      const { path } = expected.length === 0 ? impatient : server;
      assertEquals(codes(await talk(path, bytes, then)), expected);
    });
  }
  assertEquals(await askStatus(server.path), REPORT, "the server lives on");
});

Deno.test("a command that fails is an answer, one that never ends is cut off", async () => {
  let status: () => Promise<StatusReport> = () => Promise.reject(new Error("broken by intent"));
  await using server = await listen(() => status());
  await using impatient = await listen(() => status(), IMPATIENT);
  assertEquals(await codeOf(askStatus(server.path)), "failed");
  status = () => new Promise(() => {});
  assertEquals(await codeOf(askStatus(impatient.path)), "gone");
  assertEquals(await codeOf(ask(server.path, "status", 20)), "silent");
});

Deno.test("a peer that sends and never reads is cut off", async () => {
  const features = Array.from({ length: 1000 }, () => "a".repeat(900));
  await using server = await listen(() => ({ ...REPORT, features }), IMPATIENT);
  using connection = await Deno.connect({ transport: "unix", path: server.path });
  await connection.write(encodeFrame({ version: 1, command: "status" }));
  const frame = encodeFrame({ version: 1, command: "status" });
  // Its answers fill the socket; then nothing of what we say is read, until the server closes.
  await assertRejects(async () => {
    for (;;) await connection.write(frame);
  });
});

Deno.test("a peer that is gone before its answer harms nobody", async () => {
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  await using server = await listen(async () => {
    asked.resolve();
    await gone.promise;
    return REPORT;
  });
  {
    using connection = await Deno.connect({ transport: "unix", path: server.path });
    await connection.write(encodeFrame({ version: 1, command: "status" }));
    await asked.promise;
  }
  gone.resolve();
  assertEquals(await askStatus(server.path), REPORT);
});

Deno.test("nobody there, and a dead server's socket, are known as such", async () => {
  const folder = await Deno.makeTempDir({ prefix: "control-" });
  const path = `${folder}/1.sock`;
  assertEquals(await codeOf(askStatus(path)), "gone");
  Deno.listen({ transport: "unix", path }).close();
  Deno.listen({ transport: "unix", path: `${folder}/.1.sock` }).close();
  assertEquals(await codeOf(askStatus(path)), "gone");
  {
    await using _ = await ControlServer.listen({ path, commands: { status: () => REPORT } });
    assertEquals(await askStatus(path), REPORT, "the new server has taken the place of the dead one");
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a server that listens and says nothing is silent", async () => {
  const folder = await Deno.makeTempDir({ prefix: "control-" });
  {
    using _ = Deno.listen({ transport: "unix", path: `${folder}/1.sock` });
    assertEquals(await codeOf(ask(`${folder}/1.sock`, "status", 50)), "silent");
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a server's end closes its connections and leaves another's socket in its place", async () => {
  const folder = await Deno.makeTempDir({ prefix: "control-" });
  const path = `${folder}/1.sock`;
  const first = await ControlServer.listen({ path, commands: { status: () => REPORT } });
  assertEquals(await askStatus(path), REPORT, "it accepts");
  using connection = await Deno.connect({ transport: "unix", path });
  await using _second = await ControlServer.listen({ path, commands: { status: () => REPORT } });
  await first[Symbol.asyncDispose]();
  assertEquals(await connection.read(new Uint8Array(1)), null);
  assertEquals(await askStatus(path), REPORT);
  await _second[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: "another user is refused by the kernel's word, even where the files let everybody in",
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async () => {
    await using server = await listen();
    await Deno.chmod(server.path, 0o777);
    await Deno.chmod(server.path.slice(0, server.path.lastIndexOf("/")), 0o755);
    const script = "use IO::Socket::UNIX; $s = IO::Socket::UNIX->new($ARGV[0]) or die $!; " +
      'print $s pack("V/a*", q({"version":1,"command":"status"})); $s->flush; shutdown($s, 1); local $/; print <$s>';
    const asking = (...prefix: string[]) => {
      const [program, ...args] = [...prefix, "perl", "-e", script, server.path];
      return new Deno.Command(program!, { args }).output();
    };
    const { stdout, stderr } = await asking("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--");
    const text = new TextDecoder().decode(stdout);
    assert(text.includes('"forbidden"') && !text.includes("mountpoint"), text + new TextDecoder().decode(stderr));
    assert(new TextDecoder().decode((await asking()).stdout).includes("mountpoint"), "this user is answered");
  },
});

if (NO_ORDINARY_USER) console.log(`not asked as another user: ${NO_ORDINARY_USER}`);
