/**
 * What a mount takes longest for, begun before the tool's own modules are loaded: the thread of its first loop, where this
 * process is to serve, or the server's process, where it is to keep the mount.
 */
import { kernelResends } from "../connection/kernel_release.ts";
import { beginServer, dropServer } from "../keeper/begun_server.ts";
import { beginLoopThread } from "../threads/loop_thread.ts";

/** Who serves a mount. */
export type Serving = "this process" | "another";

/** With these nothing is mounted, or by a process that is started for it. */
const NOT_HERE = /^-[a-z]*[bh]|^--(?:background|help|version)$/;

/** A configuration's tree may have a keeper or not. */
const TREE = /^-c|^--config/;

/** The value of these is the next word. */
const TAKES_VALUE = /^-[a-z]*[oc]$|^--(?:options|config|set|log-file)$/;

/** Begins what `args` look as if it were needed. A wrong guess costs a little time. */
export function beginEarly(args: readonly string[]): void {
  const serving = guessServing(args, kernelResends());
  if (serving === "this process") beginLoopThread();
  if (serving === "another") beginServer();
}

/** Ends what was begun for nothing, and is a process. */
export function endEarly(): void {
  dropServer();
}

/**
 * Who is likely to serve (docs/keeper.md): a directory is kept, where the kernel can send requests again, and files
 * in memory where they are to be. Undefined when nothing is mounted here, or nobody can tell.
 */
export function guessServing(args: readonly string[], resends: boolean): Serving | undefined {
  const [command, ...paths] = args.filter((arg, at) => !arg.startsWith("-") && !TAKES_VALUE.test(args[at - 1] ?? ""));
  const has = (pattern: RegExp) => args.some((arg) => pattern.test(arg));
  if (command !== "mount" || has(NOT_HERE)) return undefined;
  if (has(/process=same/)) return "this process";
  if (has(/process=separate/)) return "another";
  if (has(TREE) || paths.length === 0) return undefined;
  return (paths.length > 1 || has(/keep_content/)) && resends ? "another" : "this process";
}
