/** Looks at a mountpoint before it is used, so that what is wrong with it is said by name. */
import { findMount, TRELLIS_TYPE } from "./mount_table.ts";
import { unmountLazily } from "./unmount.ts";

/** A mountpoint cannot be used; the message says which, why, and what to do. */
export class MountpointError extends Error {
  /** The name of the class. */
  override readonly name = "MountpointError";
}

/** libfuse's own form for a device that somebody else opened and mounted: the number after `/dev/fd/`. */
export function deviceDescriptor(mountpoint: string): number | undefined {
  const match = /^\/dev\/fd\/(\d+)$/.exec(mountpoint);
  return match === null ? undefined : Number(match[1]);
}

/** Of /dev/fuse, as `st_rdev` has it: MISC_MAJOR in linux/major.h, FUSE_MINOR in linux/miscdevice.h. */
const FUSE_DEVICE = 10 << 8 | 229;

/**
 * The absolute path of a mountpoint that is there, or `/dev/fd/N` as it is. A stale mount of Trellis on it (its server
 * is gone, `ENOTCONN`) is taken away first; another's is never touched.
 *
 * @throws {MountpointError} when it does not exist, or cannot be reached, or holds a stale mount that is not ours; or
 * when descriptor N is not open, or not of /dev/fuse.
 */
export async function prepareMountpoint(mountpoint: string): Promise<string> {
  const descriptor = deviceDescriptor(mountpoint);
  if (descriptor !== undefined) {
    await checkDevice(descriptor, mountpoint);
    return mountpoint;
  }
  const path = await absolutePath(mountpoint);
  const mount = await findMount(path);
  if (mount === undefined) return path;
  try {
    await askServer(path);
    return path;
  } catch (error) {
    if (!isStale(error)) throw explain(path, error);
  }
  if (mount.type !== TRELLIS_TYPE) {
    const what = `a ${mount.type} mount whose server is gone`;
    throw new MountpointError(
      `Cannot mount on "${path}": ${what} is there, and it is not Trellis's. ${HOW_TO_REMOVE(path)}`,
    );
  }
  await unmountLazily(path);
  try {
    await askServer(path);
  } catch (error) {
    throw explain(path, error);
  }
  return path;
}

async function checkDevice(descriptor: number, mountpoint: string): Promise<void> {
  const status = await Deno.stat(`/proc/self/fd/${descriptor}`).catch(() => undefined);
  if (status?.isCharDevice && status.rdev === FUSE_DEVICE) return;
  const what = status === undefined ? "is not open" : "is not of /dev/fuse";
  throw new MountpointError(
    `Cannot mount on "${mountpoint}": descriptor ${descriptor} ${what}. Who mounts opens /dev/fuse and hands it on`,
  );
}

/** Fails with `ENOTCONN` when a server is gone. statfs always goes to the server; stat may be answered from the cache. */
export async function askServer(path: string): Promise<void> {
  // Loaded where there is somebody to ask: it takes longer than all else that is done here.
  const { statfs } = await import("node:fs/promises");
  await statfs(path);
}

const HOW_TO_REMOVE = (path: string) => `Take it away with: fusermount3 -u -z "${path}" (or, as root, umount -l)`;

/** Whether the server of a mount is gone: "Transport endpoint is not connected". */
export function isStale(error: unknown): boolean {
  return error instanceof Error && (error as { code?: string }).code === "ENOTCONN";
}

/** The path without symbolic links; of a stale mount, whose last part cannot be resolved, all but that part. */
async function absolutePath(mountpoint: string): Promise<string> {
  const plain = mountpoint.replace(/(.)\/+$/, "$1");
  try {
    return await Deno.realPath(plain);
  } catch (error) {
    if (!isStale(error)) throw explain(plain, error);
    const slash = plain.lastIndexOf("/");
    const parent = await Deno.realPath(slash < 0 ? "." : plain.slice(0, slash) || "/");
    return `${parent === "/" ? "" : parent}/${plain.slice(slash + 1)}`;
  }
}

function explain(path: string, error: unknown): MountpointError {
  const { code, message } = error instanceof Error
    ? error as Error & { code?: string }
    : { code: undefined, message: String(error) };
  const reason = code === "ENOENT" || error instanceof Deno.errors.NotFound
    ? "it does not exist. Make it with mkdir"
    : code === "EACCES" || error instanceof Deno.errors.PermissionDenied
    ? "permission to reach it is denied"
    : message;
  return new MountpointError(`Cannot mount on "${path}": ${reason}`, { cause: error });
}
