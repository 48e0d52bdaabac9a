/** The passthrough layer while others are at work: several loops on one table, and programs that change the source. */
import { FsError } from "../../src/fs/errors.ts";
import { type NodeId, ROOT_NODE } from "../../src/fs/filesystem.ts";
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../src/fs/flags.ts";
import { prepare, release } from "../../src/layers/passthrough/module.ts";
import { EVICTED, NODES, OPEN_NODES } from "../../src/layers/passthrough/node_memory.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { assert, assertEquals } from "../deps.ts";
import type { HammerJob, HammerReport } from "./passthrough_hammer.ts";
import { openDescriptors, type PassthroughSource, passthroughSource } from "./passthrough_source.ts";

const LOOPS = 3;
const ROUNDS = 20_000;

function runHammer(job: HammerJob): Promise<HammerReport> {
  const worker = new Worker(new URL("./passthrough_hammer.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      reject(new Error(event.message));
    };
    worker.postMessage(job);
  });
}

const CASES: { name: string; files: number; maxDescriptors?: number; adapt?: (source: Source) => Source }[] = [
  { name: "one file", files: 1 },
  { name: "forty files", files: 40 },
  { name: "forty files and sixteen descriptors, found again by name", files: 40, maxDescriptors: 16 },
  { name: "forty files and sixteen descriptors, found again by handle", files: 40, maxDescriptors: 16 },
];

Deno.test("several loops look up, open, rename and forget the same files, and nothing is lost or left", async (t) => {
  for (const { name, files, maxDescriptors } of CASES) {
    await t.step(name, async () => {
      const directory = await Deno.makeTempDir({ prefix: "trellis-passthrough-" });
      for (let index = 0; index < files; index++) await Deno.writeTextFile(`${directory}/${index}`, "");
      const prepared = prepare({ source: directory, ...(maxDescriptors && { maxDescriptors }) }, LOOPS);
      const shared = name.endsWith("by name") ? { ...prepared, handles: undefined } : prepared;
      const jobs = Array.from({ length: LOOPS }, (_, loop) => loop).map((loop) =>
        runHammer({ source: directory, shared, loop, loops: LOOPS, rounds: ROUNDS, files })
      );
      const reports = await Promise.all(jobs);
      // A name is elsewhere for a moment while it is renamed; what could not be found at that moment is no mistake.
      const wrong = reports.flatMap((report) => report.wrong).filter((what) => !/: (ENOENT|ESTALE)$/.test(what));
      assertEquals(wrong, []);
      const words = new Int32Array(shared.nodes.buffer);
      assertEquals([words[NODES], words[OPEN_NODES], words[EVICTED]], [0, 1, 0]);
      // A loop may keep a few descriptors that another loop could still have been using when it closed them.
      const left = openDescriptors(directory) - 2;
      assert(left <= LOOPS * 4, `${left} descriptors are left`);
      release(shared);
      assertEquals(openDescriptors(directory), 0);
      await Deno.remove(directory, { recursive: true });
    });
  }
});

/** A program that changes the source as fast as it can, until it is ended. */
async function startProgram(program: string, ...args: string[]): Promise<AsyncDisposable> {
  const child = new Deno.Command("python3", { args: ["-c", program, ...args], stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.stdout.cancel();
      await child.status;
    },
  };
}

const SWAP = `import os,sys
inside, outside = sys.argv[1], sys.argv[2]
print("ready", flush=True)
os.chdir(inside)
while True:
    os.rename("door", "room"); os.symlink(outside, "door")
    os.unlink("door"); os.rename("room", "door")
    os.rename("file", "kept"); os.symlink(outside + "/secret", "file")
    os.unlink("file"); os.rename("kept", "file")`;

const CARRY = `import os,sys
inside, outside = sys.argv[1], sys.argv[2]
print("ready", flush=True)
while True:
    os.rename(inside + "/door", outside + "/door"); os.rename(outside + "/door", inside + "/door")`;

const STEPS = 1_000_000;

const RACES = [
  { what: "swaps files and directories for symbolic links to outside", program: SWAP },
  { what: "carries a directory out of the source and back", program: CARRY },
];

for (const { what, program } of RACES) {
  Deno.test(`nothing leads out of the source while somebody ${what}`, async () => {
    using source = passthroughSource();
    const outside = await Deno.makeTempDir({ prefix: "trellis-outside-" });
    await Deno.writeTextFile(`${outside}/secret`, "secret");
    await Deno.mkdir(source.path("door"));
    await Deno.writeTextFile(source.path("door/inner"), "inner");
    await Deno.writeTextFile(source.path("file"), "file");
    const seen = new Set<string>();
    {
      await using _program = await startProgram(program, source.directory, outside);
      for (let step = 0; step < STEPS; step++) {
        attempt(() => visitDirectory(source, step % 16 === 0, seen));
        attempt(() => visitFile(source, seen));
      }
    }
    assert(!seen.has("secret"), "what lies outside was found");
    assert(seen.has("inner") && seen.has("file"), "what lies inside was never found");
    for await (const { name } of Deno.readDir(outside)) assert(name !== "made", "something was made outside");
    assertEquals(source.counts(), { nodes: 0, open: 1, evicted: 0 });
    await Deno.remove(outside, { recursive: true });
  });
}

/** Runs one step; that the source refuses it is part of the race. */
function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
  }
}

/** Looks a name up, does something with the node, and forgets it. */
function withNode(source: PassthroughSource, parent: NodeId, name: string, use: (node: NodeId) => void): void {
  const node = source.filesystem.lookup(parent, name, source.context)?.node;
  if (node === undefined) return;
  attempt(() => use(node));
  source.filesystem.forgetLookups(node, 1);
}

function visitDirectory(source: PassthroughSource, make: boolean, seen: Set<string>): void {
  const { filesystem, context } = source;
  withNode(source, ROOT_NODE, "door", (door) => {
    attempt(() => withNode(source, door, "secret", () => seen.add("secret")));
    attempt(() => withNode(source, door, "inner", () => seen.add("inner")));
    if (!make) return;
    const { entry, opened } = filesystem.create(door, "made", 0o600, O_CREAT | O_WRONLY, context);
    filesystem.release(entry.node, opened.handle!);
    filesystem.forgetLookups(entry.node, 1);
  });
}

function visitFile(source: PassthroughSource, seen: Set<string>): void {
  const { filesystem, context } = source;
  withNode(source, ROOT_NODE, "file", (file) => {
    const handle = filesystem.open(file, O_RDONLY, context).handle!;
    seen.add(new TextDecoder().decode(filesystem.read(file, handle, 0, 100, context)));
    filesystem.release(file, handle);
  });
}

Deno.test("a file that was made by somebody else meanwhile is opened, and its attributes are those after O_TRUNC", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  for (const { flags, size } of [{ flags: O_TRUNC, size: 0 }, { flags: 0, size: 7 }]) {
    Deno.writeTextFileSync(source.path("file"), "content");
    const { entry, opened } = filesystem.create(ROOT_NODE, "file", 0o644, O_CREAT | O_WRONLY | flags, context);
    assertEquals([entry.attributes.size, Deno.statSync(source.path("file")).size], [size, size]);
    filesystem.release(entry.node, opened.handle!, O_WRONLY, context);
  }
});
