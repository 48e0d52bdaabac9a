/**
 * Runs the tests: `deno task test` all of them, `--pure` those that mount nothing, or the files and folders given.
 * Streams what `deno test` prints, ends a run that hangs and names what was running, takes away mounts that tests
 * left behind (which counts as a failure), and closes with the line `N passed, N failed`. A test and each of its
 * steps count one.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const REPOSITORY = new URL("../", import.meta.url);

/**
 * No whole run takes longer, in seconds: less than continuous integration gives it, which would end it without a word of
 * what was running.
 */
const TIME_LIMIT = 37 * 60;

/** What needs neither libfuse nor a mount nor a compiler. */
const PURE = [
  "tests/architecture_test.ts",
  "tests/bench",
  "tests/channels",
  "tests/command_line",
  "tests/config",
  "tests/connection",
  "tests/control/frames_test.ts",
  "tests/control/messages_test.ts",
  "tests/container/sandbox_test.ts",
  "tests/ffi/kernel_release_test.ts",
  "tests/fs/attributes_test.ts",
  "tests/fs/names_test.ts",
  "tests/guards",
  "tests/handler",
  "tests/keeper",
  "tests/layers/branch",
  "tests/layers/memory",
  "tests/metrics",
  "tests/layers/support",
  "tests/layers/passthrough_lock_waits_test.ts",
  "tests/layers/passthrough_unchanged_files_test.ts",
  "tests/layers/union",
  "tests/layers/wrappers",
  "tests/placements",
  "tests/protocol",
  "tests/session",
  "tests/setup_test.ts",
  "tests/cli/configuration_test.ts",
  "tests/cli/early_start_test.ts",
  "tests/cli/keeper_choice_test.ts",
  "tests/threads",
  "tests/transport",
  "tests/cli/mount_list_test.ts",
  "tests/cli/mount_options_test.ts",
  "tests/cli/sandbox_plan_test.ts",
  "tests/cli/separate_process_test.ts",
  "tests/cli/status_table_test.ts",
  "tests/cli/usage_test.ts",
];

interface Counts {
  passed: number;
  failed: number;
  ignored: number;
}

/** Follows the output of `deno test`: which file and test are running, and the counts of its closing line. */
class Progress {
  counts: Counts | undefined;
  #file = "no file yet";
  #lines = new Map<string, string>();
  #rest = "";

  add(text: string): void {
    const lines = (this.#rest + stripVTControlCharacters(text)).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#read(line);
  }

  /** What has begun and not ended. */
  running(): string {
    const open = [...this.#lines.values(), this.#rest].map((line) => line.trim()).filter((line) => line !== "");
    return [this.#file, ...open].join(" > ");
  }

  #read(line: string): void {
    const file = /^running \d+ tests? from (.*)$/.exec(line);
    if (file) {
      this.#file = file[1]!;
      this.#lines.clear();
    }
    // A test with steps or output has a line when it begins and another when it ends; other tests have one line.
    const begun = /^(\s*.*) \.\.\.$/.exec(line);
    if (begun) this.#lines.set(begun[1]!, begun[1]!);
    const ended = /^(\s*.*) \.\.\. (?:ok|FAILED|ignored)/.exec(line);
    if (ended) this.#lines.delete(ended[1]!);
    this.counts = readCounts(line) ?? this.counts;
  }
}

/** The counts in a line such as `ok | 3 passed (2 steps) | 0 failed | 1 ignored (4ms)`. */
function readCounts(line: string): Counts | undefined {
  if (!/^(?:ok|FAILED) \| \d+ passed/.test(line)) return undefined;
  const count = (kind: string) => {
    const found = new RegExp(`(\\d+) ${kind}(?: \\((\\d+) steps?\\))?`).exec(line);
    return Number(found?.[1] ?? 0) + Number(found?.[2] ?? 0);
  };
  return { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
}

/** The mountpoints below `folder`, the deepest first. */
function mountsBelow(folder: string): string[] {
  return Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))
    )
    .filter((path) => path.startsWith(folder + "/"))
    .reverse();
}

async function runTests(paths: string[], temporary: string, progress: Progress): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--trace-leaks", "--config", fileURLToPath(new URL("deno.json", REPOSITORY)), ...paths],
    // Programs that tests run as an ordinary user begin there too, who may not enter a repository in root's home.
    cwd: "/",
    env: { TMPDIR: temporary, ...(Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" }) },
    stdin: "null",
    stdout: "piped",
    // A group of its own, so that ending the run ends what the tests started.
    detached: true,
  }).spawn();
  const kill = () => {
    try {
      Deno.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  // What outlives its test keeps the pipe open that is read below.
  const status = child.status.finally(kill);
  const interrupted = () => {
    console.error("\nInterrupted while running: " + progress.running());
    kill();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  const limit = setTimeout(() => {
    console.error(`\nThe tests did not end within ${TIME_LIMIT} s. Running: ${progress.running()}`);
    kill();
  }, TIME_LIMIT * 1000);
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    progress.add(decoder.decode(chunk, { stream: true }));
  }
  const { success } = await status;
  clearTimeout(limit);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, interrupted);
  // Also when all tests passed: an error outside of them, such as one of types, has no line of its own.
  if (!success && !progress.counts?.failed) {
    progress.counts = { passed: progress.counts?.passed ?? 0, failed: 1, ignored: progress.counts?.ignored ?? 0 };
  }
}

/** Unmounts and removes what is left of a run; returns the mounts there were. */
async function cleanUp(temporary: string): Promise<string[]> {
  const left = mountsBelow(temporary);
  for (const mountpoint of left) {
    console.error(`Left mounted by the tests: ${mountpoint}`);
    await new Deno.Command(Deno.uid() === 0 ? "umount" : "fusermount3", {
      args: Deno.uid() === 0 ? ["-l", mountpoint] : ["-u", "-z", mountpoint],
    }).output();
  }
  if (mountsBelow(temporary).length === 0) await Deno.remove(temporary, { recursive: true });
  return left;
}

function testPaths(args: string[]): string[] {
  if (args.length > 0 && args[0] !== "--pure") return args.map((path) => resolve(path));
  return (args[0] === "--pure" ? PURE : ["tests"]).map((path) => fileURLToPath(new URL(path, REPOSITORY)));
}

// A temporary folder of the run's own, in which an ordinary user finds the tests' mountpoints too.
const temporary = Deno.makeTempDirSync({ prefix: "trellis_tests_" });
Deno.chmodSync(temporary, 0o755);
const progress = new Progress();
await runTests(testPaths(Deno.args), temporary, progress);
const left = await cleanUp(temporary);
const { passed, failed, ignored } = progress.counts ?? { passed: 0, failed: 1, ignored: 0 };
const allFailed = failed + left.length;
// Their reasons are above, each where it was met.
if (ignored > 0) console.log(`${ignored} skipped`);
console.log(`${passed} passed, ${allFailed} failed`);
Deno.exit(allFailed > 0 || passed === 0 ? 1 : 0);
