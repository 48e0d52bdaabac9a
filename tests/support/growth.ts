/** What this process holds, to see whether something grows. */
import { assert } from "../deps.ts";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const MIB = 2 ** 20;

/** Descriptors and memory at one moment. */
export class Held {
  readonly descriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  /** What is reachable in this isolate, in MiB. */
  readonly heap: number;
  /** What the process takes, in MiB: with what other isolates hold, and with what V8 keeps in reserve. */
  readonly resident: number;

  constructor() {
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    const { heapUsed, external, rss } = Deno.memoryUsage();
    this.heap = (heapUsed + external) / MIB;
    this.resident = rss / MIB;
  }

  /** Fails when more is held now than was held then: a leak of 20 bytes would show after 100,000 times. */
  assertSame(): void {
    const now = new Held();
    // Fewer where what ran before in this process has closed its own only meanwhile.
    assert(now.descriptors <= this.descriptors, `${now.descriptors} descriptors, and ${this.descriptors} before`);
    this.assertSameMemory(now);
  }

  /** As {@linkcode assertSame}, where descriptors come and go. */
  assertSameMemory(now = new Held()): void {
    const report = `${this} before, ${now} after`;
    // deno-lint-ignore no-console -- what was measured
    console.log(report);
    assert(now.heap - this.heap < 2, report);
    // V8 makes room for more garbage as it sees fit, in each isolate; 80 MiB more were seen.
    assert(now.resident - this.resident < 200, report);
  }

  toString(): string {
    return `${this.heap.toFixed(1)} MiB of heap, ${
      this.resident.toFixed(0)
    } MiB resident, ${this.descriptors} descriptors`;
  }
}

/** How many descriptors of this process lead to `folder` or below it. */
export function descriptorsBelow(folder: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      // It was closed meanwhile.
      return false;
    }
  }).length;
}

/** The threads of workers that this process has, but those with a name of their own. */
export function workerThreads(): Set<string> {
  const threads = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => name).filter((thread) => {
    try {
      return Deno.readTextFileSync(`/proc/self/task/${thread}/comm`).startsWith("worker-");
    } catch {
      return false; // it has ended
    }
  });
  return new Set(threads);
}
