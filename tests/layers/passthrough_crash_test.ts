/**
 * A passthrough server that dies at each system call of a request, and the next ones, which get the request again: what the
 * caller gets and what is there is as if nobody had died. The servers live in this thread one after the other, over the
 * same kept memory and files. `TRELLIS_CRASHES=all` has the second death at each point too.
 */
import { openLibc } from "../../ffi/library.ts";
import { NotifyHandler } from "../../src/channels/notify_handler.ts";
import { describeThrown } from "../../src/fs/errors.ts";
import { O_RDWR } from "../../src/fs/flags.ts";
import type { KeptDescriptors, KeptState } from "../../src/fs/module.ts";
import { createDescriptorStore, DescriptorReader, DescriptorStore } from "../../src/kept/descriptor_store.ts";
import { RETIRED } from "../../src/layers/passthrough/descriptor_register.ts";
import { slotWords } from "../../src/layers/passthrough/kept_files.ts";
import makeFileSystem, { prepare } from "../../src/layers/passthrough/module.ts";
import type { PassthroughFileSystem } from "../../src/layers/passthrough/passthrough_file_system.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { assert, assertEquals } from "../deps.ts";
import {
  answerOf,
  type Deaths,
  describeAnswer,
  describeTree,
  nextContext,
  openNumbers,
  WAYS,
} from "../support/crashed_servers.ts";
import { CrashingCalls } from "../support/crashing_calls.ts";
import { testKept } from "../support/kept_source.ts";
import { find, type Held, readHandle, type Scenario, SCENARIOS } from "./passthrough_crash_scenarios.ts";

const LOOPS = 2;
const SLOTS = 64;
/** A node id is a place, of so many, and how often that was used. */
const CELLS = 2 ** 24;
/** More than any request, or a server's beginning, has. */
const MOST_POINTS = 10_000;
const { notifier } = new NotifyHandler();

/** What all servers of a test have. */
interface Ground extends Disposable {
  readonly way: typeof WAYS[number];
  readonly calls: CrashingCalls;
  readonly store: KeptDescriptors;
}

function prepareGround(way: Ground["way"]): Ground {
  const calls = new CrashingCalls();
  const store = { ...createDescriptorStore()!, slots: SLOTS };
  return {
    ...{ way, calls, store },
    [Symbol.dispose]() {
      calls[Symbol.dispose]();
      openLibc().symbols.close(store.ring);
    },
  };
}

/** What came of it. `died` says which of the deaths there were. */
interface Outcome {
  readonly died: Readonly<Record<keyof Deaths, boolean>>;
  readonly seen: unknown;
}

/** Servers over one directory, one after the other; with what outlives them. */
class Servers implements Disposable {
  readonly directory: string;
  readonly #ground: Ground;
  #memory: SharedArrayBuffer | undefined;
  /** What was open before the server. */
  #open = new Set<number>();
  #restarts = -1;
  #source: Source | undefined;
  loops: PassthroughFileSystem[] = [];

  constructor(ground: Ground, scenario?: Scenario) {
    this.#ground = ground;
    this.directory = Deno.makeTempDirSync({ prefix: "trellis-crash-" });
    const write = (name: string) => Deno.writeTextFileSync(`${this.directory}/${name}`, `content of ${name}`);
    Deno.mkdirSync(`${this.directory}/directory`);
    for (const name of ["file", "other", "bystander", "directory/inner", "directory/second"]) write(name);
    scenario?.source?.(this.directory);
    new DescriptorStore(ground.store).dropOthers(() => false);
  }

  /** The server before is dead; `interrupted` by loop. */
  start(interrupted: KeptState["interrupted"]): void {
    this.#restarts++;
    this.#open = openNumbers();
    const options = { source: this.directory, maxNodes: 256 };
    const memory = (bytes: number) => this.#memory ??= new SharedArrayBuffer(bytes);
    const { store, way } = this.#ground;
    const claimed = new Set<number>();
    const isClaimed = (slot: number) => claimed.has(slot);
    let settle: Parameters<KeptState["claim"]>[1];
    const kept: KeptState = {
      ...{ restarts: this.#restarts, resumes: true, interrupted, descriptors: store, removedBranches: [], memory },
      part: () => kept,
      claim(slots, then) {
        for (const slot of slots) claimed.add(slot);
        settle ??= then;
      },
      free: () => {},
      file: () => ({ descriptor: -1, owner: 0, extents: new SharedArrayBuffer(0) }),
      log: () => {},
    };
    const source = prepare(options, LOOPS, kept);
    const shared = this.#source = way === "by handle" ? source : { ...source, handles: undefined };
    new DescriptorStore(store).dropOthers(isClaimed);
    settle?.(isClaimed);
    this.loops = Array.from({ length: LOOPS }, (_, loop) => {
      const filesystem = makeFileSystem(options, { loop, loops: LOOPS, shared });
      filesystem.initialize({
        minor: 45,
        features: new Set(["dont-mask", "passthrough"]),
        maxWrite: 1 << 20,
        notifier,
      });
      return filesystem;
    });
  }

  /**
   * Does what a server does, which dies at `point`, if that is one: then false. Before it dies as a whole its other loop
   * does what is `beside`.
   */
  survives(point: number | undefined, act: () => void, beside: () => void = () => {}): boolean {
    let left: SharedArrayBuffer | undefined;
    const died = point === undefined
      ? (act(), false)
      : this.#ground.calls.crashAt(point, act, () => left = this.#memory?.slice());
    if (!died) return true;
    // What the dead loop did after its last call it has not done.
    if (left !== undefined) new Uint8Array(this.#memory!).set(new Uint8Array(left));
    beside();
    this.end();
    return false;
  }

  end(): void {
    for (const number of openNumbers()) if (!this.#open.has(number)) openLibc().symbols.close(number);
  }

  /** How many files are kept, as the words say, and as there are. */
  countFiles(): [named: number, kept: number] {
    const named = slotWords(this.#source!.kept!).filter((word) => word !== 0 && word !== RETIRED).length;
    using reader = new DescriptorReader(this.#ground.store);
    const taken = Array.from({ length: SLOTS }, (_, slot) => reader.take(slot)).filter((number) => number >= 0);
    for (const number of taken) openLibc().symbols.close(number);
    return [named, taken.length];
  }

  [Symbol.dispose](): void {
    this.end();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/**
 * The request is the first loop's; when it comes again the other one's. Meanwhile somebody else opens files: of the server
 * that dies before it does, and of the next ones.
 */
function play(ground: Ground, scenario: Scenario, deaths?: Deaths): Outcome {
  using servers = new Servers(ground, scenario);
  const died = { request: false, beginning: false, again: false };
  servers.start([]);
  const held = scenario.hold?.(servers.loops[0]!) ?? {};
  const { unique } = nextContext();
  const ask = (loop: number, point: number | undefined, resent = false) => {
    let answer: unknown;
    const context = { ...nextContext(), unique, resent };
    const act = () => scenario.act(servers.loops[loop]!, held, context);
    const open = () => bystanders.push(openBystander(servers.loops[1 - loop]!));
    return servers.survives(point, () => answer = answerOf(act), open) ? { answer } : undefined;
  };
  const bystanders: Held[] = [];
  let given = ask(0, deaths?.request);
  if (given === undefined) {
    died.request = true;
    died.beginning = !servers.survives(deaths!.beginning, () => servers.start([unique, undefined]));
    if (died.beginning) servers.start([unique, undefined]);
    bystanders.push(openBystander(servers.loops[1]!));
    given = ask(1, deaths!.again, true);
  }
  if (given === undefined) {
    died.again = true;
    servers.start([undefined, unique]);
    bystanders.push(openBystander(servers.loops[1]!));
    given = ask(0, undefined, true)!;
  }
  for (const { node, handle } of bystanders) {
    assertEquals(readHandle(servers.loops[0]!, node!, handle!), "content of bystander");
    servers.loops[0]!.release(node!, handle!, 0, nextContext());
  }
  const looked = scenario.look?.(servers.loops[0]!, held, given.answer);
  const seen = [describeAnswer(given.answer), looked, describeTree(servers.directory), servers.countFiles()];
  return { died, seen };
}

function openBystander(filesystem: PassthroughFileSystem): Held {
  const node = find(filesystem, "bystander");
  return { node, handle: filesystem.open(node, O_RDWR, nextContext()).handle! };
}

const ALL = Deno.env.get("TRELLIS_CRASHES") === "all";

for (const way of WAYS) {
  testKept(`servers that die at any point of a request, nodes found ${way}`, async (t) => {
    using ground = prepareGround(way);
    for (const scenario of SCENARIOS) await t.step(scenario.name, () => dieEverywhere(ground, scenario));
  });
}

testKept("an open file whose node is gone is not taken for the file that has the node's place", () => {
  using ground = prepareGround("by handle");
  using servers = new Servers(ground);
  servers.start([]);
  const [filesystem] = servers.loops as [PassthroughFileSystem];
  const node = find(filesystem, "file");
  filesystem.open(node, O_RDWR, nextContext());
  // As after an answer that nobody waited for, and that was not taken back.
  filesystem.forgetLookups(node, 1);
  // It takes what the file's handle was in, and gives it back last.
  filesystem.forgetLookups(find(filesystem, "bystander"), 1);
  const other = find(filesystem, "other");
  assertEquals(other % CELLS, node % CELLS);
  servers.end();
  servers.start([]);
  assertEquals(servers.loops[0]!.getAttributes(other, undefined).size, "content of other".length);
});

function dieEverywhere(ground: Ground, scenario: Scenario): void {
  const { seen: expected } = play(ground, scenario);
  const check = (deaths: Deaths): Outcome["died"] => {
    try {
      const { died, seen } = play(ground, scenario, deaths);
      assertEquals(seen, expected);
      return died;
    } catch (error) {
      throw new Error(`Wrong after deaths at ${JSON.stringify(deaths)}: ${describeThrown(error)}`, { cause: error });
    }
  };
  for (let request = 0, more = true; more; request++) {
    assert(request < MOST_POINTS);
    const second = request % 2 === 0 ? { again: request } : { beginning: request * 3 };
    more = check({ request, ...second }).request;
    if (!ALL) continue;
    for (let again = 0; check({ request, again }).again; again++);
    for (let beginning = 0; check({ request, beginning }).beginning; beginning++);
  }
}
