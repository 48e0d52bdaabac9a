/** What a mount takes longest for, begun before the tool's own modules are loaded: the thread of its first loop. */
import { beginLoopThread } from "../threads/loop_thread.ts";

/** With these another process serves, or none at all. */
const NOT_HERE = /^-[a-z]*[bh]|^--(?:background|help|version)$|process=separate/;

/** Begins the thread when `args` look as if this process were to serve a mount. A wrong guess costs a little time. */
export function beginFirstLoop(args: readonly string[]): void {
  if (looksLikeServing(args)) beginLoopThread();
}

/** Whether the first loop is likely to be needed. */
export function looksLikeServing(args: readonly string[]): boolean {
  return args.find((arg) => !arg.startsWith("-")) === "mount" && !args.some((arg) => NOT_HERE.test(arg));
}
