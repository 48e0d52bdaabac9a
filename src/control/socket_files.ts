/**
 * Where control sockets are: a folder of the user's own, in which each mount has a file named after the kernel's number
 * of its connection, which no other live mount has, and its mountpoint.
 */
import { type MountEntry, readMountTable } from "../connection/mount_table.ts";
import { ControlError } from "./messages.ts";

const NAME = /^(\d+)-[0-9a-f]{8}\.sock$/;

/** A socket's path has at most 107 bytes (unix(7)); a folder's leaves room for a name. */
const LONGEST_FOLDER = 80;

/** A mount's control socket, found in a folder. */
export interface SocketFile {
  readonly path: string;
  /** The connection's number: `0:N` in the mount table, N in /sys/fs/fuse/connections. */
  readonly connection: number;
}

/** The name of the socket of the mount with that connection at `mountpoint`. */
export async function socketName(connection: number, mountpoint: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(mountpoint));
  return `${connection}-${new Uint8Array(hash).toHex().slice(0, 8)}.sock`;
}

/** The connection's number in a mount table's `major:minor`. */
export function connectionNumber(device: string): number {
  return Number(device.slice(device.indexOf(":") + 1));
}

/** The folders that may hold this user's sockets, the best first. `TRELLIS_RUNTIME_DIR` names another in their place. */
function runtimeFolders(): string[] {
  const uid = Deno.uid();
  const named = Deno.env.get("TRELLIS_RUNTIME_DIR");
  if (named) return [named];
  if (uid === 0) return ["/run/trellis"];
  const xdg = Deno.env.get("XDG_RUNTIME_DIR");
  const temporary = Deno.env.get("TMPDIR") || "/tmp";
  const parents = [...xdg ? [xdg] : [], `/run/user/${uid}`];
  const folders = [
    ...parents.map((parent) => `${parent}/trellis`),
    `${temporary}/trellis-${uid}`,
    `/tmp/trellis-${uid}`,
  ];
  return [...new Set(folders)];
}

/** The folder for new sockets, made when it is missing. @throws {ControlError} when there can be none. */
export async function makeRuntimeFolder(): Promise<string> {
  const reasons: string[] = [];
  for (const folder of runtimeFolders()) {
    try {
      // Of a parent that is missing, such as /run/user/N without a login, no part is made.
      await Deno.stat(folder.replace(/\/[^/]*$/, "/"));
      await Deno.mkdir(folder, { mode: 0o700 }).catch((error) => {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      });
      const problem = await findProblem(folder);
      if (problem === undefined) return folder;
      reasons.push(`${folder}: ${problem}`);
    } catch (error) {
      reasons.push(`${folder}: ${(error as Error).message}`);
    }
  }
  throw new ControlError("failed", `There is no folder for control sockets. Tried ${reasons.join("; ")}`);
}

/** Why a folder cannot be trusted: in a shared place such as /tmp somebody else may have made it. */
async function findProblem(folder: string): Promise<string | undefined> {
  if (new TextEncoder().encode(folder).length > LONGEST_FOLDER) return "its path is too long for a socket's";
  const { isDirectory, uid, mode } = await Deno.lstat(folder);
  if (!isDirectory) return "it is not a folder";
  if (uid !== Deno.uid()) return `it belongs to user ${uid}`;
  if ((mode! & 0o077) !== 0) return `others may enter it: its mode is ${(mode! & 0o777).toString(8)}, not 700`;
  return undefined;
}

/** All sockets of this user, those of dead servers among them. */
export async function findSockets(): Promise<SocketFile[]> {
  const found: SocketFile[] = [];
  for (const folder of runtimeFolders()) {
    const names = await listTrusted(folder);
    for (const name of names) {
      const match = NAME.exec(name);
      if (match !== null) found.push({ path: `${folder}/${name}`, connection: Number(match[1]) });
    }
  }
  return found.sort((one, other) => one.connection - other.connection);
}

async function listTrusted(folder: string): Promise<string[]> {
  try {
    if (await findProblem(folder) !== undefined) return [];
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}

/**
 * Removes the sockets of servers that are dead and whose mounts are gone. One whose mount is still there is left: it
 * tells a server that died from one that never had a socket.
 */
export async function removeDeadSockets(): Promise<void> {
  const [table, sockets] = await Promise.all([readMountTable(), findSockets()]);
  const mounted = await Promise.all(sockets.map((socket) => isOfOne(table, socket)));
  const unmounted = sockets.filter((_, index) => !mounted[index]);
  await Promise.all(unmounted.map(async ({ path }) => {
    if (await isDead(path)) await Deno.remove(path).catch(() => {}); // somebody else was faster
  }));
}

/** Whether a socket is that of one of these mounts. */
export async function isOfOne(mounts: readonly MountEntry[], { connection, path }: SocketFile): Promise<boolean> {
  const numbered = mounts.filter(({ device }) => connectionNumber(device) === connection);
  const names = await Promise.all(numbered.map(({ mountpoint }) => socketName(connection, mountpoint)));
  return names.some((name) => path.endsWith(`/${name}`));
}

/** Whether nobody listens. A server listens before its socket gets its name, and connecting does not wait for it. */
async function isDead(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}
