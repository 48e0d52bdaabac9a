/**
 * The threads of loops. The first one can be begun before anybody knows what it is to serve: to begin takes it as long as
 * all that the mounting isolate has to do until then, and both can be done at the same time.
 */
import type { ToLoop } from "../messages.ts";

let begun: Worker | undefined;

/** Begins the thread of a first loop; it waits until somebody takes it. */
export function beginLoopThread(): void {
  begun ??= makeLoopThread(0);
}

/** Has the thread that was begun load the module that it will be told to serve. Loading it again will take no time. */
export function loadInLoopThread(module: string): void {
  begun?.postMessage({ kind: "load", module } satisfies ToLoop);
}

/** The thread of loop number `loop`: the one that was begun, or another. */
export function takeLoopThread(loop: number): Worker {
  if (loop !== 0 || begun === undefined) return makeLoopThread(loop);
  const taken = begun;
  begun = undefined;
  return taken;
}

/** Ends a thread that was begun and not taken. */
export function dropLoopThread(): void {
  begun?.terminate();
  begun = undefined;
}

function makeLoopThread(loop: number): Worker {
  return new Worker(new URL("../workers/loop.ts", import.meta.url), { type: "module", name: `trellis-loop-${loop}` });
}
