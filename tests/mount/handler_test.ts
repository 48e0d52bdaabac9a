/** Placement "handler" on live mounts: bounds, deadlines, interrupts, shutdown and metrics. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { type FileSystem, mount } from "../../mod.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";

const TEXT = new TextEncoder().encode("abcd");
const file = { mode: 0o100666, size: TEXT.length };

/** Every name is a file, whose reads reach the filesystem one by one. */
function files(special: Partial<FileSystem> = {}): FileSystem {
  return {
    lookup: () => ({ node: 2, attributes: file }),
    getAttributes: (node) => node === 1 ? { mode: 0o40755, links: 2 } : file,
    // Without the page cache every read is a request, and can be interrupted.
    open: () => ({ directIo: true }),
    read: (_node, _handle, offset) => TEXT.subarray(offset),
    ...special,
  };
}

/** Reads that wait at a gate. */
class GatedReads {
  readonly gate = Promise.withResolvers<void>();
  running = 0;
  most = 0;
  calls = 0;

  readonly read: Required<FileSystem>["read"] = async (_node, _handle, offset) => {
    this.calls++;
    this.most = Math.max(this.most, ++this.running);
    await this.gate.promise;
    this.running--;
    return TEXT.subarray(offset);
  };
}

/** `count` processes that read the file at once. */
function startReaders(path: string, count: number): Deno.ChildProcess {
  const script = 'for i in $(seq "$1"); do cat "$0/file" & done; wait';
  return new Deno.Command("sh", { args: ["-c", script, path, String(count)], stdout: "piped", stderr: "piped" })
    .spawn();
}

async function outputOf(process: Deno.ChildProcess): Promise<{ stdout: string; stderr: string }> {
  const { stdout, stderr } = await process.output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

function reads({ session }: Mounted) {
  return session.metrics().READ ?? { queued: 0, inFlight: 0, count: 0, overflowed: 0, timedOut: 0, dropped: 0 };
}

async function code(operation: Promise<unknown>): Promise<string> {
  return String((await assertRejects(() => operation) as { code?: unknown }).code);
}

Deno.test("a hundred slow reads leave room for lookups, and more reads wait for their turn", async () => {
  const slow = new GatedReads();
  await using mounted = await mountTemporarily(files({ read: slow.read }), { entryTimeout: 0 });
  const readers = startReaders(mounted.path, 120);
  await waitFor("120 reads", () => reads(mounted).inFlight === 120);
  assertEquals([slow.running, reads(mounted).queued], [100, 20]);
  for (let name = 0; name < 50; name++) assertEquals((await Deno.stat(`${mounted.path}/${name}`)).size, 4);
  assertEquals(reads(mounted).count, 0);
  slow.gate.resolve();
  assertEquals((await outputOf(readers)).stdout, "abcd".repeat(120));
  assertEquals(slow.most, 100);
  assertEquals(reads(mounted).queued, 0);
});

Deno.test("at its deadline a request is ETIMEDOUT and its signal fires; the late answer is dropped", async () => {
  const reasons: unknown[] = [];
  const late = Promise.withResolvers<Uint8Array>();
  await using mounted = await mountTemporarily(
    files({
      read: (_node, _handle, _offset, _size, { signal }) => {
        signal.addEventListener("abort", () => reasons.push(signal.reason), { once: true });
        return late.promise;
      },
    }),
    { deadlines: { data: 20 } },
  );
  assertEquals(await code(Deno.readFile(`${mounted.path}/file`)), "ETIMEDOUT");
  await waitFor("the signal", () => reasons.length > 0);
  assertEquals(reasons.map((reason) => (reason as DOMException).name), ["TimeoutError"]);
  const { timedOut, dropped } = reads(mounted);
  assertEquals({ timedOut, dropped }, { timedOut: 1, dropped: 0 });
  late.resolve(TEXT);
  await waitFor("the late answer", () => reads(mounted).dropped === 1);
  assertEquals((await Deno.stat(`${mounted.path}/file`)).size, 4);
});

Deno.test("what a late answer would have handed out is given back", async () => {
  const late = Promise.withResolvers<void>();
  const given: string[] = [];
  await using mounted = await mountTemporarily(
    files({
      lookup: async (_parent, name) => {
        if (name === "slow") await late.promise;
        return { node: name === "slow" ? 7 : 2, attributes: file };
      },
      open: async () => {
        await late.promise;
        return { handle: 5 };
      },
      release: (_node, handle) => void given.push(`release ${handle}`),
      forget: (node) => void given.push(`forget ${node}`),
    }),
    { deadlines: { metadata: 50 } },
  );
  assertEquals(await code(Deno.stat(`${mounted.path}/slow`)), "ETIMEDOUT");
  assertEquals(await code(Deno.open(`${mounted.path}/file`)), "ETIMEDOUT");
  assertEquals(given, []);
  late.resolve();
  await waitFor("both to be given back", () => given.length >= 2);
  assertEquals(given.toSorted(), ["forget 7", "release 5"]);
});

Deno.test("what finds no room in the queue in time is EAGAIN; the others are served", async () => {
  const slow = new GatedReads();
  const bounds = { data: 1, queue: 1, sendTimeout: 20 };
  await using mounted = await mountTemporarily(files({ read: slow.read }), { bounds });
  const readers = startReaders(mounted.path, 3);
  await waitFor("the overflow", () => reads(mounted).overflowed === 1);
  slow.gate.resolve();
  const { stdout, stderr } = await outputOf(readers);
  assertEquals(stdout, "abcdabcd");
  assert(stderr.includes("Resource temporarily unavailable"), stderr);
  assertEquals(slow.most, 1);
  assertEquals(mounted.session.metrics().READ!.errors.EAGAIN, 1);
});

Deno.test("a caller that is killed while its request waits in the queue is gone at once", async () => {
  const slow = new GatedReads();
  await using mounted = await mountTemporarily(files({ read: slow.read }), { bounds: { data: 1 } });
  const first = startReaders(mounted.path, 1);
  await waitFor("the first read", () => slow.running === 1);
  const second = new Deno.Command("cat", { args: [`${mounted.path}/file`], stdout: "null" }).spawn();
  await waitFor("the second read", () => reads(mounted).queued === 1);
  second.kill("SIGKILL");
  assertEquals((await second.status).signal, "SIGKILL");
  await waitFor("the queue to be empty", () => reads(mounted).queued === 0);
  assertEquals(slow.calls, 1);
  slow.gate.resolve();
  assertEquals((await outputOf(first)).stdout, "abcd");
});

Deno.test("metrics say what was asked, and how it ended", async () => {
  const refusing = files({
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes: file } : undefined,
  });
  const mounted = await mountTemporarily(refusing, { entryTimeout: 0 });
  {
    await using _ = mounted;
    for (let count = 0; count < 3; count++) assertEquals(await code(Deno.stat(`${mounted.path}/none`)), "ENOENT");
    await Deno.stat(`${mounted.path}/file`);
    assertEquals(await Deno.readTextFile(`${mounted.path}/file`), "abcd");
  }
  const { LOOKUP, OPEN, READ, MKDIR } = mounted.session.metrics();
  assert(LOOKUP!.count >= 5);
  assertEquals(LOOKUP!.errors, { ENOENT: 3 });
  assertEquals([OPEN!.count, OPEN!.errors, OPEN!.inFlight], [1, {}, 0]);
  assert(READ!.count >= 1);
  assertEquals(MKDIR, undefined);
  assertEquals(LOOKUP!.latency.reduce((sum, count) => sum + count), LOOKUP!.count);
});

Deno.test("an unmount waits for what still runs, and then destroys", async () => {
  const calls: string[] = [];
  const releasing = Promise.withResolvers<void>();
  const mounted = await mountTemporarily(files({
    release: async (_node, _handle, _flags, { signal }) => {
      releasing.resolve();
      await new Promise((resolve) => setTimeout(resolve, 20));
      calls.push(`released ${signal.aborted}`);
    },
    destroy: () => void calls.push("destroy"),
  }));
  {
    await using _ = mounted;
    await Deno.readTextFile(`${mounted.path}/file`);
    await releasing.promise;
  }
  assertEquals(calls, ["released false", "destroy"]);
});

Deno.test("an unmount does not wait for ever: the signal fires after the grace time", async () => {
  const calls: string[] = [];
  const releasing = Promise.withResolvers<void>();
  const mounted = await mountTemporarily(files({
    release: (_node, _handle, _flags, { signal }) => {
      signal.addEventListener("abort", () => calls.push(signal.reason.name));
      releasing.resolve();
      return new Promise(() => {});
    },
    destroy: () => void calls.push("destroy"),
  }));
  {
    await using _ = mounted;
    await Deno.readTextFile(`${mounted.path}/file`);
    await releasing.promise;
  }
  assertEquals(calls, ["AbortError", "destroy"]);
});

Deno.test("limits that make no sense, and limits of a module, are refused", async () => {
  await assertRejects(() => mount(files(), "/nowhere", { bounds: { data: 0 } }), RangeError, "bounds.data");
  await assertRejects(
    () => mount(files(), "/nowhere", { deadlines: { metadata: -1 } }),
    RangeError,
    "deadlines.metadata",
  );
  const module = "data:text/javascript,export default () => ({})";
  await assertRejects(() => mount({ module }, "/nowhere", { deadlines: { data: 1 } }), TypeError, "an object");
});

Deno.test("a lock that is granted after its caller was told ETIMEDOUT is taken back", async () => {
  const late = Promise.withResolvers<void>();
  const calls: string[] = [];
  await using mounted = await mountTemporarily(
    files({
      setLock: () => {},
      setWholeFileLock: (_node, _handle, _owner, type) => {
        calls.push(type);
        return type === "unlock" ? Promise.resolve() : late.promise;
      },
    }),
    { deadlines: { metadata: 50 } },
  );
  const script = 'flock -n "$0/file" true; echo $?';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, mounted.path], stderr: "null" }).output();
  assert(new TextDecoder().decode(stdout).trim() !== "0");
  assertEquals(calls, ["write"]);
  late.resolve();
  await waitFor("the unlock", () => calls.length >= 2);
  assertEquals(calls, ["write", "unlock"]);
});

Deno.test("a flush is let in although all places are taken", async () => {
  const slow = new GatedReads();
  let flushed = 0;
  const flushing = files({ read: slow.read, flush: () => void flushed++ });
  await using mounted = await mountTemporarily(flushing, { bounds: { data: 1, queue: 1, sendTimeout: 20 } });
  const readers = startReaders(mounted.path, 2);
  await waitFor("a full queue", () => reads(mounted).queued === 1);
  await new Deno.Command("sh", { args: ["-c", 'exec 3< "$0/file"', mounted.path] }).output();
  await waitFor("the flush", () => flushed === 1);
  slow.gate.resolve();
  await outputOf(readers);
});
