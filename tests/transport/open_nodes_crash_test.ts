/**
 * A server that dies at each step of counting an open or a release, and the next ones, which get the request again: all
 * opens of a node have one id, no id is lost, and none is closed too early. The kernel is made up here.
 * `TRELLIS_CRASHES=all` has each second death with each first.
 */
import { FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import type { Libc } from "../../ffi/library.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { BackingFiles } from "../../src/transport/backing_files.ts";
import { BackingIds } from "../../src/transport/backing_ids.ts";
import { makeOpenNodes, OpenNodes } from "../../src/transport/open_nodes.ts";
import { settleOpenNodes } from "../../src/transport/open_nodes_recovery.ts";
import { assert, assertEquals } from "../deps.ts";
import { CrashingAtomics } from "../support/crashing_atomics.ts";

const NODE = 7;
const OTHER = 8;
/** The kernel's last id. */
const LAST_ID = 0x7fff_ffff;
const BACKED = { backing: 5, backingAsRoot: true };

/** What the kernel knows: ids that are registered, and the ids of open files. */
class Kernel {
  readonly registered = new Set<number>();
  readonly opens = new Map<number, number[]>([[NODE, []], [OTHER, []]]);
  /** What another loop does while an id is made. */
  meanwhile: () => void = () => {};
  readonly libc: Libc;
  #next: number;

  constructor(crashing: CrashingAtomics, next: number) {
    this.#next = next;
    const errno = new Int32Array(1);
    const ioctl = (_device: number, request: number, argument: Uint8Array<ArrayBuffer>) => {
      const [id] = new Int32Array(argument.buffer);
      return crashing.pass(() => {
        if (request === FUSE_DEV_IOC_BACKING_OPEN) return this.#register();
        errno[0] = ERRNO.ENOENT;
        return this.registered.delete(id!) ? 0 : -1;
      });
    };
    this.libc = { symbols: { ioctl }, errno } as unknown as Libc;
  }

  #register(): number {
    const id = this.#next;
    this.#next = id === LAST_ID ? 1 : id + 1;
    this.registered.add(id);
    const meanwhile = this.meanwhile;
    this.meanwhile = () => {};
    meanwhile();
    return id;
  }

  /** An open was answered. */
  opened(node: number, id: number): void {
    const opens = this.opens.get(node)!;
    assert(id === 0 || this.registered.has(id), `${id} is no id`);
    assert(opens.every((other) => other === id), `an open of ${node} has id ${id} beside ${opens}`);
    opens.push(id);
  }
}

/** One kernel, and servers of two loops one after the other. */
class Servers {
  readonly kernel: Kernel;
  readonly #crashing: CrashingAtomics;
  readonly #words = makeOpenNodes(16);
  #left: Int32Array | undefined;
  #requests = 0;
  /** The loop that does not serve the request. */
  other = 1;
  loops: BackingFiles[] = [];

  constructor(crashing: CrashingAtomics, nextId: number) {
    this.#crashing = crashing;
    this.kernel = new Kernel(crashing, nextId);
    this.#start();
    // From here on the table knows where the kernel is.
    this.open(1, OTHER);
    this.release(1, OTHER);
  }

  #start(): void {
    const ids = new BackingIds(this.kernel.libc, 3);
    this.loops = [0, 1].map((loop) => new BackingFiles(ids, new OpenNodes(this.#words, loop)));
  }

  /** The server dies, and the keeper makes the table whole. */
  replace(interrupted: readonly (number | null)[]): void {
    if (this.#left !== undefined) this.#words.set(this.#left);
    this.#left = undefined;
    const ids = new BackingIds(this.kernel.libc, 3);
    // Twice, as when the next server dies before it is ready.
    for (let time = 0; time < 2; time++) settleOpenNodes(this.#words, interrupted, ids, 4);
    this.#start();
  }

  open(loop: number, node = NODE, request = ++this.#requests): void {
    this.kernel.opened(node, this.loops[loop]!.opened(node, BACKED, true, request));
  }

  release(loop: number, node = NODE): void {
    this.kernel.opens.get(node)!.pop();
    this.loops[loop]!.released(node, ++this.#requests);
  }

  /** A request to loop 0 that dies at `first`; it comes again to loop 1, where it dies at `second`, and then to loop 0. */
  ask(kind: "open" | "release", deaths: readonly [first: number, second: number], between: (servers: Servers) => void) {
    const request = ++this.#requests;
    if (kind === "release") this.kernel.opens.get(NODE)!.pop();
    const died: boolean[] = [];
    for (const loop of [0, 1, 0]) {
      let id = 0;
      this.other = 1 - loop;
      const serve = () => {
        if (kind === "open") id = this.loops[loop]!.opened(NODE, BACKED, true, request);
        else this.loops[loop]!.released(NODE, request);
        // The end of its work, before the answer is written down.
        this.#crashing.pass(() => {});
      };
      const point = deaths[died.length] ?? Infinity;
      if (!this.#crashing.crashAt(point, serve, () => this.#left = this.#words.slice())) {
        if (kind === "open") this.kernel.opened(NODE, id);
        return died;
      }
      died.push(true);
      this.replace(loop === 0 ? [request, null] : [null, request]);
      between(this);
    }
    return died;
  }

  /** Everything is released: nothing is left. */
  end(): void {
    for (const [node, opens] of this.kernel.opens) while (opens.length > 0) this.release(1, node);
    assertEquals([...this.kernel.registered], []);
    assertEquals(new OpenNodes(this.#words).size, 0);
  }
}

interface Scenario {
  readonly before?: (servers: Servers) => void;
  readonly request: "open" | "release";
  /** What others do after each death, before the request comes again. */
  readonly between?: (servers: Servers) => void;
}

const openBoth = (servers: Servers) => {
  servers.open(1);
  servers.open(1, OTHER);
};
const openAndRelease = (servers: Servers) => {
  openBoth(servers);
  servers.release(0);
};

const SCENARIOS: Record<string, Scenario> = {
  "a first open": { request: "open" },
  "a first open, after whose deaths others open": { request: "open", between: openBoth },
  "a first open, after whose deaths others open and release": { request: "open", between: openAndRelease },
  "a first open while another loop opens": {
    before: (servers) => servers.kernel.meanwhile = () => servers.open(servers.other),
    request: "open",
  },
  "a second open": { before: openBoth, request: "open" },
  "a second open, after whose deaths the first is released": {
    before: (servers) => [1, 2, 3].forEach(() => servers.open(1)),
    request: "open",
    between: (servers) => servers.release(1),
  },
  "the last release": { before: (servers) => servers.open(1), request: "release" },
  "the last release, after whose deaths others open": {
    before: (servers) => servers.open(1),
    request: "release",
    between: openBoth,
  },
  "the last release, after whose deaths others open and release": {
    before: (servers) => servers.open(1),
    request: "release",
    between: openAndRelease,
  },
  "a release that is not the last": {
    before: (servers) => [1, 2].forEach(() => servers.open(1)),
    request: "release",
    between: openBoth,
  },
};
const ALL = Deno.env.get("TRELLIS_CRASHES") === "all";

/** Where the kernel's ids begin; also where they begin anew. */
const NEXT_IDS = [1, LAST_ID - 1];

Deno.test("servers that die at any step of an open or a release lose no id, and close none too early", async (t) => {
  using crashing = new CrashingAtomics();
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    await t.step(name, () => NEXT_IDS.forEach((next) => dieEverywhere(crashing, scenario, next)));
  }
});

/** Dies at each point, and at another when the request comes again. */
function dieEverywhere(crashing: CrashingAtomics, scenario: Scenario, nextId: number): void {
  const { before = () => {}, request, between = () => {} } = scenario;
  const play = (...deaths: [number, number]): number => {
    try {
      const servers = new Servers(crashing, nextId);
      before(servers);
      const died = servers.ask(request, deaths, between);
      servers.end();
      return died.length;
    } catch (error) {
      throw new Error(`Wrong after deaths at ${deaths}`, { cause: error });
    }
  };
  let first = 0;
  for (; play(first, first * 5 % 40) > 0; first++) {
    for (let second = 0; ALL && play(first, second) > 1; second++);
  }
  assert(first > 10, `only ${first} points`);
}
