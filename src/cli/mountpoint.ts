/** The folder to mount on: checked before the mount, made when it is missing, and then removed again at the end. */
import { pathProblem } from "../config/path_problems.ts";
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { findMount, type MountEntry } from "../connection/mount_table.ts";
import { askServer, deviceDescriptor, isStale } from "../connection/mountpoint.ts";
import { basename, dirname, join, resolve } from "../deps.ts";
import { errnoName } from "../fs/errors.ts";
import { Failure } from "./failure.ts";

// unistd.h
const X_OK = 1;
const W_OK = 2;

/** A folder that can be mounted on. Disposing of it removes it when it was made for the mount, and nothing is mounted. */
export class Mountpoint implements AsyncDisposable {
  /** Absolute and without symbolic links, or `/dev/fd/N`. */
  readonly path: string;
  /** Whether it had to be made. */
  readonly made: boolean;
  /** Whether the mount hides files that are in it. */
  readonly hidesFiles: boolean;
  /** Whether it has been removed, or is no longer for us to remove. */
  #removed = false;

  private constructor(path: string, made: boolean, hidesFiles: boolean) {
    this.path = path;
    this.made = made;
    this.hidesFiles = hidesFiles;
  }

  /**
   * @throws {Failure} when nothing can be mounted at `path`: its parent is missing, it is no folder, something is
   * mounted there, or the user may not write to it.
   */
  static async prepare(path: string): Promise<Mountpoint> {
    if (deviceDescriptor(path) !== undefined) return new Mountpoint(path, false, false);
    try {
      return await Mountpoint.#check(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return await Mountpoint.#make(path);
      // A mount whose server is gone. Whether it may be replaced is for `mount` to say.
      if (isStale(error)) return new Mountpoint(resolve(Deno.cwd(), path), false, false);
      // Another user's mount cannot even be looked at.
      const mounted = await findMount(resolve(Deno.cwd(), path));
      throw mounted === undefined ? explain(error, path) : busy(path, mounted);
    }
  }

  /** A new folder of the user's own, for a mount that nobody has to find. */
  static async makePrivate(): Promise<Mountpoint> {
    return new Mountpoint(await Deno.realPath(await Deno.makeTempDir({ prefix: "trellis-run-" })), true, false);
  }

  static async #check(path: string): Promise<Mountpoint> {
    const status = await Deno.stat(path);
    if (!status.isDirectory) throw new Failure("MOUNTPOINT", `Cannot mount on ${path}: it is not a folder`);
    const real = await Deno.realPath(path);
    const mounted = await findMount(real);
    if (mounted !== undefined) {
      // The kernel may have answered stat from its cache; this goes to the server, if there is one.
      await askServer(real);
      throw busy(path, mounted);
    }
    checkAccess(real);
    return new Mountpoint(real, false, await holdsFiles(real));
  }

  static async #make(path: string): Promise<Mountpoint> {
    try {
      await Deno.mkdir(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw explain(error, path);
      const parent = dirname(resolve(Deno.cwd(), path));
      if (await Deno.stat(parent).then(() => true, () => false)) {
        throw new Failure("MOUNTPOINT", `Cannot mount on ${path}: no folder can be made in ${parent}; choose another`);
      }
      throw new Failure(
        "MOUNTPOINT",
        `Cannot mount on ${path}: its parent folder ${parent} does not exist; make that first: mkdir -p ${parent}`,
      );
    }
    return new Mountpoint(await Deno.realPath(path), true, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // To look at a mount would ask its server, which may be gone.
    if (!this.made || this.#removed || await findMount(this.path) !== undefined) return;
    this.#removed = true;
    try {
      await Deno.remove(this.path);
    } catch (error) {
      // Somebody has removed it, or put something into it since the unmount: then it is no longer ours.
      const code = (error as { code?: string }).code;
      if (code !== "ENOENT" && code !== "ENOTEMPTY") throw error;
    }
  }
}

/** What a variable that is not set names: `resolve` takes it for the current folder. @throws {Failure} */
export function refuseEmptyPath(path: string | undefined, attempt: string): void {
  if (path === "") throw new Failure("USAGE", `Cannot ${attempt} an empty path: name a folder`);
}

/** Whether this user may write to a folder and enter it. @throws {Error} whose `code` says why not. */
function checkAccess(folder: string): void {
  const { symbols, errno } = openLibc();
  if (symbols.access(cString(folder), W_OK | X_OK) === 0) return;
  const code = errnoName(errno[0]!);
  throw Object.assign(new Error(`Cannot write to ${folder}: ${code}`), { code });
}

async function holdsFiles(folder: string): Promise<boolean> {
  try {
    for await (const _ of Deno.readDir(folder)) return true;
  } catch (error) {
    // A folder may be writable and yet not readable.
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
  return false;
}

function busy(path: string, { source, type }: MountEntry): Failure {
  return new Failure(
    "MOUNTPOINT",
    `Cannot mount on ${path}: busy, ${source} (${type}) is mounted there already; ` +
      "choose another folder or unmount that first",
  );
}

function explain(error: unknown, path: string): unknown {
  if (error instanceof Failure) return error;
  const problem = pathProblem(error, {
    EACCES: `user ${Deno.uid()} has no permission for it; choose a folder of your own`,
    EPERM: `user ${Deno.uid()} has no permission for it; choose a folder of your own`,
    ENOTDIR: "a part of the path is not a folder",
    EEXIST: "it is a symbolic link that leads nowhere",
    EROFS: "it does not exist, and cannot be made on a read-only filesystem",
  });
  const reason = problem ?? (error instanceof Error ? error.message : error);
  return new Failure("MOUNTPOINT", `Cannot mount on ${path}: ${reason}`, { cause: error });
}

/** Where `path` means: without symbolic links, and without looking at what is mounted there. */
export async function locateMountpoint(path: string): Promise<string> {
  let absolute = resolve(Deno.cwd(), path);
  for (let links = 0; links < 40; links++) {
    const parent = await Deno.realPath(dirname(absolute)).catch(() => dirname(absolute));
    absolute = join(parent, basename(absolute));
    if (await findMount(absolute) !== undefined) return absolute;
    const target = await Deno.readLink(absolute).catch(() => undefined);
    if (target === undefined) return absolute;
    absolute = resolve(parent, target);
  }
  return absolute;
}
