/** A module for handler workers: what a read of a file does is the file's name. */
import type { FileSystem, LoopHost, Notifier, RequestContext } from "../../mod.ts";

/** The words of the memory that the test shares with all workers. */
export const WORD = { begun: 0, gate: 1, aborted: 2, released: 3, restarts: 4, workers: 5, computing: 6 };

export interface PoolOptions {
  readonly control: Int32Array<SharedArrayBuffer>;
  /** The next workers throw while they make their filesystem. */
  readonly broken?: boolean;
}

const NAMES = ["plain", "slow", "throw", "reject", "close", "exit", "spin", "compute", "never", "released", "notify"];
const TEXT = new TextEncoder().encode("abcd");
const file = { mode: 0o100666, size: TEXT.length };

/** Resolves when the test opens the gate. */
async function waitForGate(control: Int32Array): Promise<void> {
  while (Atomics.load(control, WORD.gate) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

function watchAbort(control: Int32Array, { signal }: RequestContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      Atomics.add(control, WORD.aborted, 1);
      reject(signal.reason);
    });
  });
}

/** What a read of each file does before it answers. Those that end their worker do so from inside the read. */
function makeReads(control: Int32Array, loop: number): Record<string, (context: RequestContext) => unknown> {
  return {
    plain: () => {},
    slow: (context) => Promise.race([waitForGate(control), watchAbort(control, context)]),
    throw: () => {
      setTimeout(() => {
        throw new Error("thrown outside of any method");
      });
      return new Promise(() => {});
    },
    reject: () => {
      Promise.reject(new Error("rejected, and nobody looks"));
      return new Promise(() => {});
    },
    close: () => {
      self.close();
      return new Promise(() => {});
    },
    exit: () => Deno.exit(1),
    spin: () => {
      while (Atomics.load(control, WORD.gate) === 0);
    },
    // In the first worker only, which the kernel mostly wakes before the others when it waits; until the gate is open.
    compute: async () => {
      if (loop > 0 || Atomics.load(control, WORD.gate) > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
      Atomics.add(control, WORD.computing, 1);
      while (Atomics.load(control, WORD.gate) === 0);
    },
    never: () => new Promise(() => {}),
    released: () => {},
  };
}

export default function makeFileSystem({ control, broken }: PoolOptions, host: LoopHost): FileSystem {
  if (broken && (host.restarts ?? 0) > 0) throw new Error("cannot be made again");
  Atomics.add(control, WORD.restarts, host.restarts ?? 0);
  // Last: who waits for a worker finds the rest as it is to be.
  Atomics.add(control, WORD.workers, 1);
  const reads = makeReads(control, host.loop);
  let notifier: Notifier;
  return {
    initialize: (connection) => void (notifier = connection.notifier),
    lookup(_parent, name) {
      const node = 2 + NAMES.indexOf(name);
      return node === 1 ? undefined : { node, attributes: file };
    },
    getAttributes: (node) => node === 1 ? { mode: 0o40755, links: 2 } : file,
    open: () => ({ directIo: true }),
    async read(node, _handle, offset, _size, context) {
      if (offset > 0) return new Uint8Array();
      Atomics.add(control, WORD.begun, 1);
      if (NAMES[node - 2] === "notify") {
        const absent = await notifier.invalidateEntry(1, "nothing of this name");
        const stored = await notifier.store(node, 0, TEXT);
        const cached = new TextDecoder().decode(await notifier.retrieve(node, 0, TEXT.length));
        return new TextEncoder().encode(`${absent}, ${stored}, ${cached}`);
      }
      await reads[NAMES[node - 2]!]!(context);
      return TEXT;
    },
    release(node) {
      Atomics.add(control, WORD.released, 1);
      if (NAMES[node - 2] === "released") { while (Atomics.load(control, WORD.gate) === 0); }
    },
  };
}
