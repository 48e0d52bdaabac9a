/** Handler workers on live mounts: they die, hang and share requests, and each request has one outcome. */
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { mount, type MountOptions } from "../../mod.ts";
import { type Mounted, mountTemporarily, waitFor } from "../support/mounted.ts";
import { type PoolOptions, WORD } from "./pool_module.ts";

const module = new URL("pool_module.ts", import.meta.url);

interface Pool extends Mounted {
  readonly log: string[];
  /** The value of a word that the workers share. */
  word(name: keyof typeof WORD): number;
  openGate(): void;
}

async function mountPool(
  workers: number,
  options: MountOptions = {},
  special: Partial<PoolOptions> = {},
): Promise<Pool> {
  const control = new Int32Array(new SharedArrayBuffer(64));
  const log: string[] = [];
  const mounted = await mountTemporarily(
    { module, placement: "handler", workers, options: { control, ...special } },
    { entryTimeout: 0, log: (message, detail) => log.push(`${message}: ${detail}`), ...options },
  );
  const openGate = () => Atomics.store(control, WORD.gate, 1);
  return {
    path: mounted.path,
    session: mounted.session,
    log,
    word: (name) => Atomics.load(control, WORD[name]),
    openGate,
    async [Symbol.asyncDispose]() {
      await mounted[Symbol.asyncDispose]();
      // A thread in an endless loop ends with it.
      openGate();
    },
  };
}

/** What `cat` says of a file: its contents, or the error. */
async function cat(path: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("cat", { args: [path], env: { LC_ALL: "C" } }).output();
  return new TextDecoder().decode(stdout) + (new TextDecoder().decode(stderr).split(": ").at(-1) ?? "").trim();
}

Deno.test("whatever ends a worker in a read, its caller gets EIO and the next read works", async (t) => {
  for (const [how, workers] of [["throw", 1], ["reject", 2], ["close", 1], ["exit", 2]] as const) {
    await t.step(`${how}, ${workers} worker(s)`, async () => {
      await using pool = await mountPool(workers);
      assertEquals(await cat(`${pool.path}/plain`), "abcd");
      assertEquals(await cat(`${pool.path}/${how}`), "Input/output error");
      assertEquals(await cat(`${pool.path}/plain`), "abcd");
      await waitFor("the new worker", () => pool.word("workers") === workers + 1);
      assertEquals(pool.word("restarts"), 1);
      assertEquals(pool.log.length, 1, pool.log.join("\n"));
      await waitFor("the counts", () => pool.session.metrics()!.READ!.inFlight === 0);
      assertEquals(pool.session.metrics()!.READ!.errors, { EIO: 1 });
    });
  }
});

for (const broken of [false, true]) {
  const what = broken ? "a module that cannot be made again" : "the fourth death in a minute";
  Deno.test(`${what} ends the pool: everything is EIO, the log says so, the mount lives`, async () => {
    await using pool = await mountPool(2, {}, { broken });
    const deaths = broken ? 1 : 4;
    for (let count = 0; count < deaths; count++) {
      assertEquals(await cat(`${pool.path}/throw`), "Input/output error");
    }
    await waitFor("the log line", () => pool.log.some((line) => line.includes("EIO to everything")));
    for (let count = 0; count < 3; count++) {
      const { code } = await assertRejects(() => Deno.stat(`${pool.path}/plain`)) as { code?: unknown };
      assertEquals(code, "EIO");
    }
    assert(pool.word("workers") <= (broken ? 2 : 5));
  });
}

Deno.test("a worker that hangs: at its deadline the request is ETIMEDOUT, and another worker takes over", async () => {
  await using pool = await mountPool(1, { deadlines: { data: 2000 } });
  assertEquals(await cat(`${pool.path}/spin`), "Connection timed out");
  // The thread hangs on; another one answers.
  assertEquals(await cat(`${pool.path}/plain`), "abcd");
  assert(pool.log.some((line) => line.includes("It hangs")), pool.log.join("\n"));
  assertEquals(pool.session.metrics()!.READ!.errors, { ETIMEDOUT: 1 });
});

Deno.test("a worker that computes after it has awaited something keeps no request from the others", async () => {
  await using pool = await mountPool(2, { deadlines: { data: 10_000 } });
  const script = 'for i in $(seq 100); do cat "$0/compute"; done';
  const computing = new Deno.Command("sh", { args: ["-ec", script, pool.path], stdout: "null" }).spawn();
  await waitFor("the computation", () => pool.word("computing") === 1);
  assertEquals(await cat(`${pool.path}/plain`), "abcd");
  pool.openGate();
  // Nor was that a request that came when the first one's time was over.
  assert((await computing.status).success);
});

Deno.test("an interrupt finds its request in whichever worker has it", async () => {
  await using pool = await mountPool(2);
  const readers = Array.from(
    { length: 8 },
    () => new Deno.Command("cat", { args: [`${pool.path}/slow`], stdout: "null", stderr: "null" }).spawn(),
  );
  await waitFor("eight reads", () => pool.word("begun") === 8);
  for (const reader of readers) reader.kill("SIGTERM");
  for (const reader of readers) assertEquals((await reader.status).success, false);
  assertEquals(pool.word("aborted"), 8);
});

Deno.test("a hundred slow reads leave room for lookups in a pool", async () => {
  await using pool = await mountPool(2, { bounds: { data: 100 } });
  const script = 'for i in $(seq 100); do cat "$0/slow" & done; wait';
  const readers = new Deno.Command("sh", { args: ["-c", script, pool.path], stdout: "piped" }).spawn();
  await waitFor("a hundred reads", () => pool.session.metrics()!.READ?.inFlight === 100);
  for (let count = 0; count < 50; count++) assertEquals((await Deno.stat(`${pool.path}/plain`)).size, 4);
  pool.openGate();
  assertEquals(new TextDecoder().decode((await readers.output()).stdout), "abcd".repeat(100));
});

Deno.test("two hundred reads beside three deaths: each has one outcome", async () => {
  await using pool = await mountPool(2);
  const script = `
    for i in $(seq 200); do
      cat "$0/plain" > "$1/$i" 2> "$1/$i.error" &
      case $i in 50|100|150) cat "$0/throw" 2> /dev/null & esac
      [ $((i % 20)) = 0 ] && wait
    done
    wait`;
  const results = await Deno.makeTempDir();
  await new Deno.Command("sh", { args: ["-c", script, pool.path, results], env: { LC_ALL: "C" } }).output();
  const outcomes = { read: 0, refused: 0 };
  for (let number = 1; number <= 200; number++) {
    const text = await Deno.readTextFile(`${results}/${number}`);
    const error = await Deno.readTextFile(`${results}/${number}.error`);
    if (text === "abcd" && error === "") outcomes.read++;
    else if (text === "" && error.trim().endsWith("Input/output error")) outcomes.refused++;
    else throw new Error(`Reader ${number} got "${text}" and "${error}"`);
  }
  assertEquals(outcomes.read + outcomes.refused, 200);
  assert(outcomes.read > 100, `${outcomes.refused} of 200 were refused`);
  await waitFor(
    "nothing to be in flight",
    () => Object.values(pool.session.metrics()!).every(({ inFlight }) => inFlight === 0),
  );
  await Deno.remove(results, { recursive: true });
});

Deno.test("an unmount does not wait for ever: for a method that never answers, and for one in an endless loop", async (t) => {
  for (const how of ["never", "released"]) {
    await t.step(how, async () => {
      const pool = await mountPool(1);
      let reader: Deno.ChildProcess;
      {
        await using _ = pool;
        reader = new Deno.Command("cat", { args: [`${pool.path}/${how}`], stdout: "null", stderr: "null" }).spawn();
        await waitFor("the request", () => pool.word(how === "never" ? "begun" : "released") > 0);
      }
      await reader.status;
    });
  }
});

Deno.test("notifications of a worker reach the kernel, and it hears what came of them", async () => {
  await using pool = await mountPool(1);
  assertEquals(await cat(`${pool.path}/notify`), "not cached, delivered, abcd");
});

Deno.test("several workers of a filesystem that has `forget` are refused", async () => {
  const forgetting = "data:text/javascript,export default () => ({ forget() {} })";
  for (const placement of ["handler", "loop"] as const) {
    const several = placement === "handler"
      ? { module: forgetting, placement, workers: 2 }
      : { module: forgetting, placement, loops: 2 };
    const path = await Deno.makeTempDir();
    await assertRejects(() => mount(several, path), TypeError, "forgetLookups");
    await Deno.remove(path);
  }
  await using _ = await mountTemporarily({ module: forgetting, placement: "handler" });
  const tooMany = { module: forgetting, placement: "handler", workers: 17 } as const;
  await assertRejects(() => mountTemporarily(tooMany), RangeError, "17 workers");
});
