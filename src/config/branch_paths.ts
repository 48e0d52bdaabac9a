/** Paths in the tree: absolute, and in their normal form. */
import { posix } from "node:path";

// limits.h, as the layers have them too.
const NAME_MAX = 255;
const PATH_MAX = 4096;

/** Why `path` cannot be a branch's, and what could be; undefined when it can. */
export function findPathProblem(path: string): string | undefined {
  const quoted = JSON.stringify(path);
  const length = new TextEncoder().encode(path).length;
  if (path.includes("\0")) return `${quoted} has a NUL in it`;
  if (length >= PATH_MAX) return `longer than ${PATH_MAX - 1} bytes`;
  const normal = normalize(path);
  if (path.split("/").includes("..")) return `${quoted} has ".." in it; write ${JSON.stringify(normal)}`;
  if (!path.startsWith("/")) return `${quoted} is relative; write ${JSON.stringify(normal)}`;
  if (path !== normal) return `${quoted} is not in its normal form; write ${JSON.stringify(normal)}`;
  const long = path.split("/").find((name) => new TextEncoder().encode(name).length > NAME_MAX);
  return long === undefined ? undefined : `the name "${long.slice(0, 20)}…" is longer than ${NAME_MAX} bytes`;
}

function normalize(path: string): string {
  const normal = posix.join("/", path);
  return normal === "/" ? normal : normal.replace(/\/$/, "");
}
