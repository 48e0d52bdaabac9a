/**
 * A union's server that dies at each system call of a request, and the next ones, which get the request again: what the
 * caller gets and what is there is as if nobody had died, and who looks in between sees all of it or nothing. The servers
 * live in this thread one after the other, over the same kept memory and files. `TRELLIS_CRASHES=all` has each point of
 * each request, and the second death at each point too.
 */
import { openLibc } from "../../ffi/library.ts";
import { NotifyHandler } from "../../src/channels/notify_handler.ts";
import { describeThrown } from "../../src/fs/errors.ts";
import { type NodeId, ROOT_NODE } from "../../src/fs/filesystem.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../src/fs/flags.ts";
import type { KeptDescriptors, KeptState } from "../../src/fs/module.ts";
import { createDescriptorStore, DescriptorReader, DescriptorStore } from "../../src/kept/descriptor_store.ts";
import { createKept } from "../../src/kept/kept_memory.ts";
import { RETIRED } from "../../src/layers/passthrough/descriptor_register.ts";
import { slotWords } from "../../src/layers/passthrough/kept_files.ts";
import makePassthrough, { prepare } from "../../src/layers/passthrough/module.ts";
import type { Source } from "../../src/layers/passthrough/source.ts";
import { makeUnion, statesOfMembers } from "../../src/layers/union/mod.ts";
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
import { SCENARIOS, type UnionScenario, type UnionUnderTest } from "./union_crash_scenarios.ts";

const SLOTS = 64;
/** More than any request, or a server's beginning, has. */
const MOST_POINTS = 10_000;
const MEMBERS = ["upper", "lower"] as const;
const { notifier } = new NotifyHandler();

/** What all servers of a test have. */
interface Ground {
  readonly way: typeof WAYS[number];
  readonly calls: CrashingCalls;
  readonly store: KeptDescriptors;
}

/** What came of it. `died` says which of the deaths there were. */
interface Outcome {
  readonly died: Readonly<Record<keyof Deaths, boolean>>;
  readonly before: unknown;
  readonly after: unknown;
  readonly between: unknown[];
  readonly seen: unknown;
}

/** Servers over one union, one after the other; with what outlives them. */
class Servers implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "trellis-crash-" });
  union!: UnionUnderTest;
  readonly #ground: Ground;
  readonly #file = createKept("trellis-test");
  readonly #memories = new Map<string, SharedArrayBuffer>();
  /** The memories as they were when the server died. */
  #left: Map<string, SharedArrayBuffer> | undefined;
  /** What was open before the server. */
  #open = new Set<number>();
  #restarts = -1;
  #sources: Source[] = [];

  constructor(ground: Ground, scenario: UnionScenario) {
    this.#ground = ground;
    // What was served here before has set it.
    Deno.umask(0o022);
    const make = (path: string) => Deno.mkdirSync(`${this.directory}/${path}`, { recursive: true });
    const write = (path: string) => Deno.writeTextFileSync(`${this.directory}/${path}`, `content of ${path}`);
    ["upper/merged", "lower/merged", "lower/low/deep", "lower/empty"].forEach(make);
    ["upper/up", "upper/merged/up", "lower/file", "lower/other", "lower/merged/low", "lower/low/one"].forEach(write);
    write("lower/low/deep/two");
    Deno.linkSync(`${this.directory}/lower/file`, `${this.directory}/lower/name`);
    scenario.source?.(this.directory);
    new DescriptorStore(ground.store).dropOthers(() => false);
  }

  /** The server before is dead, if there was one, in the midst of `interrupted`. */
  start(interrupted?: number): void {
    this.#restarts++;
    this.#open = openNumbers();
    const { store } = this.#ground;
    const claimed = new Set<number>();
    const isClaimed = (slot: number) => claimed.has(slot);
    const settlers: ((isClaimed: (slot: number) => boolean) => void)[] = [];
    const part = (name: string): KeptState => ({
      ...{ restarts: this.#restarts, resumes: true, interrupted: [interrupted], descriptors: store },
      removedBranches: [],
      memory: (bytes) => this.#memory(name, bytes),
      part: (its) => part(`${name}/${its}`),
      claim(slots, then) {
        for (const slot of slots) claimed.add(slot);
        if (then !== undefined) settlers.push(then);
      },
      free: () => {},
      file: () => ({ descriptor: this.#file, owner: 1, extents: this.#memory("extents", 8192 * 8) }),
      log: () => {},
    });
    const kept = { file: part("union").file(), memory: this.#memory("union", 8 * 400) };
    const states = statesOfMembers(MEMBERS.map(part), kept);
    const members = MEMBERS.map((name, index) => {
      const options = { source: `${this.directory}/${name}`, maxNodes: 256 };
      const source = this.#sources[index] = prepare(options, 1, states[index]!);
      const shared = this.#ground.way === "by handle" ? source : { ...source, handles: undefined };
      return { filesystem: makePassthrough(options, { loop: 0, loops: 1, shared }), writable: index === 0, name };
    });
    new DescriptorStore(store).dropOthers(isClaimed);
    settlers.forEach((settle) => settle(isClaimed));
    this.union = makeUnion(members, { kept }) as UnionUnderTest;
    this.union.initialize({ minor: 45, features: new Set(["dont-mask"]), maxWrite: 1 << 20, notifier });
  }

  #memory(name: string, bytes: number): SharedArrayBuffer {
    return this.#memories.getOrInsertComputed(name, () => new SharedArrayBuffer(bytes));
  }

  /** Does what a server does, which dies at `point`, if that is one: then false. */
  survives(point: number | undefined, act: () => void): boolean {
    const remember = () => this.#left = new Map([...this.#memories].map(([name, memory]) => [name, memory.slice()]));
    const died = point === undefined ? (act(), false) : this.#ground.calls.crashAt(point, act, remember);
    if (died) this.end();
    return !died;
  }

  end(): void {
    for (const number of openNumbers()) if (!this.#open.has(number)) openLibc().symbols.close(number);
    for (const [name, memory] of this.#left ?? []) {
      new Uint8Array(this.#memories.get(name)!).set(new Uint8Array(memory));
    }
    for (const name of this.#memories.keys()) if (this.#left?.has(name) === false) this.#memories.delete(name);
    this.#left = undefined;
  }

  /** How many files are kept, as the branches' words say, and as there are. */
  countFiles(): [named: number, kept: number] {
    const words = this.#sources.flatMap(({ kept }) => [...slotWords(kept!)]);
    using reader = new DescriptorReader(this.#ground.store);
    const taken = Array.from({ length: SLOTS }, (_, slot) => reader.take(slot)).filter((number) => number >= 0);
    for (const number of taken) openLibc().symbols.close(number);
    return [words.filter((word) => word !== 0 && word !== RETIRED).length, taken.length];
  }

  /** All that is seen of the union. */
  view(node: NodeId = ROOT_NODE): unknown {
    const { union } = this;
    const { mode, size, links } = union.getAttributes(node, undefined, nextContext());
    if ((mode & S_IFMT) !== S_IFDIR) return [mode, size, links, (mode & S_IFMT) === S_IFREG && this.#read(node)];
    const { handle } = union.openDirectory(node, 0, nextContext());
    const names = [...union.readDirectory(node, handle!, 0, nextContext())].map(({ name }) => name);
    union.releaseDirectory(node, handle!, 0, nextContext());
    const inner = names.filter((name) => name !== "." && name !== "..").sort().map((name) => {
      const entry = union.lookup(node, name, nextContext());
      return [name, entry && this.view(entry.node)];
    });
    return [mode, inner];
  }

  #read(node: NodeId): string {
    const { handle } = this.union.open(node, 0, nextContext());
    const text = new TextDecoder().decode(this.union.read(node, handle!, 0, 100, nextContext()));
    this.union.release(node, handle!, 0, nextContext());
    return text;
  }

  [Symbol.dispose](): void {
    this.end();
    openLibc().symbols.close(this.#file);
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function play(ground: Ground, scenario: UnionScenario, deaths?: Deaths): Outcome {
  using servers = new Servers(ground, scenario);
  const died = { request: false, beginning: false, again: false };
  servers.start();
  // All names are known, so that a copy gets all of them.
  servers.view();
  const held = scenario.hold?.(servers.union) ?? {};
  const before = servers.view();
  const { unique } = nextContext();
  const ask = (point: number | undefined, resent = false) => {
    let answer: unknown;
    const context = { ...nextContext(), unique, resent };
    const answered = servers.survives(point, () => answer = answerOf(() => scenario.act(servers.union, held, context)));
    return answered ? { answer } : undefined;
  };
  const between: unknown[] = [];
  let given = ask(deaths?.request);
  if (given === undefined) {
    died.request = true;
    died.beginning = !servers.survives(deaths!.beginning, () => servers.start(unique));
    if (died.beginning) servers.start(unique);
    between.push(servers.view());
    given = ask(deaths!.again, true);
  }
  if (given === undefined) {
    died.again = true;
    servers.start(unique);
    between.push(servers.view());
    given = ask(undefined, true)!;
  }
  const after = servers.view();
  const looked = scenario.look?.(servers.union, held, given.answer);
  const upper = describeTree(`${servers.directory}/upper`);
  return {
    died,
    before,
    after,
    between,
    seen: [describeAnswer(given.answer), looked, after, upper, servers.countFiles()],
  };
}

/** So far apart are the points at which servers die, unless that is at all: odd, for before and after a call. */
const SOME = 17;
const ALL = Deno.env.get("TRELLIS_CRASHES") === "all";

testKept("servers of a union that die at any point of a request", async (t) => {
  const store = { ...createDescriptorStore()!, slots: SLOTS };
  using calls = new CrashingCalls();
  for (const [index, scenario] of SCENARIOS.entries()) {
    for (const way of ALL ? WAYS : [WAYS[index % 2]!]) {
      await t.step(`${scenario.name}, nodes found ${way}`, () => dieEverywhere({ way, calls, store }, scenario));
    }
  }
  openLibc().symbols.close(store.ring);
});

function dieEverywhere(ground: Ground, scenario: UnionScenario): void {
  const { before, after, seen: expected } = play(ground, scenario);
  const views = [before, after].map((view) => JSON.stringify(view));
  const check = (deaths: Deaths): Outcome["died"] => {
    try {
      const { died, between, seen } = play(ground, scenario, deaths);
      for (const view of between) if (!views.includes(JSON.stringify(view))) assertEquals(view, after, "half done");
      assertEquals(seen, expected);
      return died;
    } catch (error) {
      throw new Error(`Wrong after deaths at ${JSON.stringify(deaths)}: ${describeThrown(error)}`, { cause: error });
    }
  };
  for (let request = ALL ? 0 : SCENARIOS.indexOf(scenario) % SOME, more = true; more; request += ALL ? 1 : SOME) {
    assert(request < MOST_POINTS);
    const second = request % 2 === 0 ? { again: request } : { beginning: request * 3 };
    more = check({ request, ...second }).request;
    if (!ALL) continue;
    for (let again = 0; check({ request, again }).again; again++);
    for (let beginning = 0; check({ request, beginning }).beginning; beginning++);
  }
}
