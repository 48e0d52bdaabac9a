/** What a mount takes longest for, begun before the tool's own modules are loaded: the thread of its first loop. */
import { beginLoopThread } from "../threads/loop_thread.ts";

/** With these another process serves, or none at all. */
const NOT_HERE = /^-[a-z]*[bh]|^--(?:background|help|version)$|process=separate|keep_content/;

/** A configuration's tree may have a keeper or not. */
const TREE = /^-c|^--config/;

/** The value of these is the next word. */
const TAKES_VALUE = /^-[a-z]*[oc]$|^--(?:options|config|set|log-file)$/;

/** Begins the thread when `args` look as if this process were to serve a mount. A wrong guess costs a little time. */
export function beginFirstLoop(args: readonly string[]): void {
  if (looksLikeServing(args)) beginLoopThread();
}

/** Whether the first loop is likely to be needed: of a mount without a keeper, which one in memory is (docs/keeper.md). */
export function looksLikeServing(args: readonly string[]): boolean {
  const [command, ...paths] = args.filter((arg, at) => !arg.startsWith("-") && !TAKES_VALUE.test(args[at - 1] ?? ""));
  if (command !== "mount" || args.some((arg) => NOT_HERE.test(arg))) return false;
  return args.some((arg) => arg.includes("process=same")) || paths.length === 1 && !args.some((arg) => TREE.test(arg));
}
