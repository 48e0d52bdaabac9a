/** A directory to show: looked at before the mount, and kept apart from the mountpoint. */
import { basename, dirname, join, resolve } from "../deps.ts";
import { FsError } from "../fs/errors.ts";
import { pathProblem } from "./path_problems.ts";

/** How long a source, which may be the mount of a server that hangs, may take to answer, in milliseconds. */
const ANSWERS_WITHIN = 5_000;

/** A directory that cannot be shown. The message says what was attempted, and the reason. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  /** Why not, and what to do. */
  readonly reason: string;

  constructor(attempt: string, reason: string, options?: ErrorOptions) {
    super(`${attempt}: ${reason}`, options);
    this.reason = reason;
  }
}

/**
 * The absolute path, without symbolic links, of a directory.
 *
 * @throws {SourceError} when it is missing, no directory or not readable, or does not answer.
 */
export async function locateSource(path: string): Promise<string> {
  try {
    return await answerInTime(locate(path), path);
  } catch (error) {
    throw explain(error, path);
  }
}

/** What a look at `path` comes to. @throws {SourceError} when that hangs, and what the look rejects with. */
export async function answerInTime<Result>(look: Promise<Result>, path: string): Promise<Result> {
  const late = Promise.withResolvers<never>();
  // At the first setTimeout Deno loads Node's timers, which takes 12 ms; this one keeps no process alive.
  const signal = AbortSignal.timeout(ANSWERS_WITHIN);
  signal.onabort = () => late.reject(explain(new FsError("ETIMEDOUT", path), path));
  try {
    return await Promise.race([look, late.promise]);
  } finally {
    signal.onabort = null;
  }
}

async function locate(path: string): Promise<string> {
  const status = await Deno.stat(path);
  if (!status.isDirectory) throw new SourceError(`Cannot mount ${path}`, "it is not a directory");
  // Whether it can be listed, and entered.
  (await Deno.open(path)).close();
  await Deno.stat(`${path}/.`);
  return await Deno.realPath(path);
}

function explain(error: unknown, path: string): unknown {
  const reason = pathProblem(error, {
    ENOENT: "it does not exist; make it first, or name another directory",
    ENOTDIR: "a part of the path is not a directory",
    EACCES: `user ${Deno.uid()} may not read it; choose a directory of your own`,
    ETIMEDOUT: `it has not answered for ${ANSWERS_WITHIN / 1000} s; see what hangs there, or leave it out`,
    ENOTCONN: "it is a mount whose server is gone; unmount that first",
  });
  return reason === undefined ? error : new SourceError(`Cannot mount ${path}`, reason, { cause: error });
}

/**
 * Looks whether `source`, an absolute path without symbolic links, is apart from `mountpoint`, which need not exist.
 *
 * @throws {SourceError} when one of the two is in the other: the mount would show itself, or hide what it shows.
 */
export async function keepApart(source: string, mountpoint: string): Promise<void> {
  const target = await resolveExisting(mountpoint);
  const [from, to] = await Promise.all([identitiesUpwards(source), identitiesUpwards(target)]);
  const refusal = (reason: string) => new SourceError(`Cannot mount ${source} at ${mountpoint}`, reason);
  if (from[0] === to[0]) throw refusal("they are the same directory; choose another mountpoint");
  if (to.includes(from[0]!)) {
    throw refusal("the mountpoint is inside the source, so the mount would show itself; choose one outside");
  }
  if (from.includes(to[0]!)) {
    throw refusal("the source is inside the mountpoint, which would hide it; choose another mountpoint");
  }
}

/** Whether two absolute paths without symbolic links are one directory, or one is in the other. */
export async function areNested(one: string, other: string): Promise<boolean> {
  const [above, alsoAbove] = await Promise.all([identitiesUpwards(one), identitiesUpwards(other)]);
  return above.includes(alsoAbove[0]!) || alsoAbove.includes(above[0]!);
}

/** The path without symbolic links; of a mountpoint that is yet to be made, or is stale, all but its last part. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const absolute = resolve(Deno.cwd(), path);
    // What is wrong with the parent is for the mountpoint's own check to say.
    const parent = await Deno.realPath(dirname(absolute)).catch(() => dirname(absolute));
    return join(parent, basename(absolute));
  }
}

/** Device and inode of a path and of all directories above it: a bind mount has another path, but not another inode. */
async function identitiesUpwards(path: string): Promise<string[]> {
  const paths = [path];
  for (let at = path; dirname(at) !== at; at = dirname(at)) paths.push(dirname(at));
  return await Promise.all(paths.map(identify));
}

/** What cannot be looked at, such as a missing mountpoint, is like nothing else: its path. */
async function identify(path: string): Promise<string> {
  try {
    const { dev, ino } = await Deno.stat(path);
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
