/** What is known of this user's mounts: what their servers say, checked against the kernel's mount table. */
import { type MountEntry, readMountTable, TRELLIS_TYPE } from "../connection/mount_table.ts";
import { ask } from "../control/client.ts";
import { ControlError, readStatusReport, type StatusReport } from "../control/messages.ts";
import {
  connectionNumber,
  findSockets,
  isOfOne,
  removeDeadSockets,
  type SocketFile,
  socketName,
} from "../control/socket_files.ts";
import { Failure } from "./failure.ts";
import { isFuse, whyNoFuse } from "./findings.ts";

/**
 * - `answering`: its server says how it is.
 * - `not answering`: there is a control socket, and somebody listens, but nothing came in time.
 * - `refusing`: the server answers, but not this question.
 * - `gone`: the server has died, and the mount is still there.
 * - `no control socket`: mounted, and no server of this user says that it serves it.
 * - `not mounted`: a server answers for a mount that the kernel's table does not show here.
 */
export type MountState = "answering" | "not answering" | "refusing" | "gone" | "no control socket" | "not mounted";

/** One mount. */
export interface MountStatus {
  readonly mountpoint: string;
  /** What is mounted, and as which type, such as `fuse.trellis`; undefined when the mount table does not show it. */
  readonly source: string | undefined;
  readonly type: string | undefined;
  readonly state: MountState;
  /** The kernel's number of the connection, as in /sys/fs/fuse/connections. */
  readonly connection: number;
  /** How many requests the kernel has not had an answer to; undefined when it does not tell this user. */
  readonly waiting: number | undefined;
  readonly report: StatusReport | undefined;
  /** What is wrong, for people. */
  readonly problem: string | undefined;
}

/** All mounts of this user, or the one at `mountpoint`, which is never touched: its server may hang. */
export async function examineMounts(mountpoint?: string): Promise<MountStatus[]> {
  await removeDeadSockets();
  const [table, sockets] = await Promise.all([readMountTable(), findSockets()]);
  const found = await Promise.all(sockets.map(async (socket) => {
    const entry = await entryOf(table, socket, mountpoint);
    const isWanted = mountpoint === undefined || entry?.mountpoint === mountpoint ||
      socket.path.endsWith(`/${await socketName(socket.connection, mountpoint)}`);
    return { socket, entry, isWanted };
  }));
  const served = found.filter(({ isWanted }) => isWanted)
    .map(({ socket, entry }) => examineServed(socket, entry, mountpoint));
  const known = new Set(found.filter(({ entry }) => entry).map(({ socket }) => socket.connection));
  const others = table
    .filter((entry) => mountpoint === undefined ? isOwn(entry) : entry === topmost(table, mountpoint))
    .filter((entry) => !known.has(connectionNumber(entry.device)))
    .map(describeWithoutSocket);
  return await Promise.all([...served, ...others]);
}

/** The control socket of the mount at `mountpoint`. @throws {Failure} when there is none for `command`. */
export async function findControlSocket(mountpoint: string, command: string): Promise<string> {
  await removeDeadSockets();
  const [table, sockets] = await Promise.all([readMountTable(), findSockets()]);
  for (const socket of sockets) {
    if ((await entryOf(table, socket, mountpoint))?.mountpoint === mountpoint) return socket.path;
  }
  const reason = whyNoFuse(table.findLast((entry) => entry.mountpoint === mountpoint));
  if (reason !== undefined) throw new Failure("NOT_MOUNTED", `Cannot ${command} ${mountpoint}: ${reason}`);
  throw new Failure("NO_ANSWER", `Cannot ${command} ${mountpoint}: no server of this user has a control socket for it`);
}

function topmost(table: readonly MountEntry[], mountpoint: string): MountEntry | undefined {
  const entry = table.findLast((entry) => entry.mountpoint === mountpoint);
  return entry !== undefined && isFuse(entry) ? entry : undefined;
}

/**
 * A socket's place in the table; of several (bind mounts) the one asked for. The kernel gives a connection's number to
 * another as soon as it is unmounted, while the first one's server may still be ending, or have died and left its socket:
 * so it is a mount's only with the mountpoint in its name.
 */
async function entryOf(
  table: readonly MountEntry[],
  socket: SocketFile,
  mountpoint?: string,
): Promise<MountEntry | undefined> {
  const entries = table.filter((entry) => isFuse(entry) && connectionNumber(entry.device) === socket.connection);
  if (!await isOfOne(entries, socket)) return undefined;
  return entries.find((entry) => entry.mountpoint === mountpoint) ?? entries[0];
}

function isOwn({ type, options }: MountEntry): boolean {
  return type === TRELLIS_TYPE && options.includes(`user_id=${Deno.uid()}`);
}

async function examineServed(
  { path, connection }: SocketFile,
  entry: MountEntry | undefined,
  mountpoint: string | undefined,
): Promise<MountStatus> {
  const waiting = await readWaiting(connection);
  const facts = {
    connection,
    waiting,
    mountpoint: entry?.mountpoint ?? mountpoint ?? `connection ${connection}`,
    source: entry?.source,
    type: entry?.type,
  };
  try {
    const report = readStatusReport(await ask(path, "status"));
    if (entry !== undefined) return { ...facts, state: "answering", report, problem: undefined };
    const problem = "its server answers, but the mount table does not show it: it was unmounted while in use, or is " +
      "mounted in another namespace";
    return { ...facts, mountpoint: report.mountpoint, state: "not mounted", report, problem };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const problem = entry === undefined ? `${error.message}, and the mount table does not show it` : error.message;
    return { ...facts, state: FAILED[error.code as keyof typeof FAILED] ?? "refusing", report: undefined, problem };
  }
}

const FAILED = { silent: "not answering", gone: "gone" } as const;

async function describeWithoutSocket({ mountpoint, device, source, type, options }: MountEntry): Promise<MountStatus> {
  const owner = options.find((option) => option.startsWith("user_id="))?.slice("user_id=".length);
  const problem = owner !== undefined && owner !== `${Deno.uid()}`
    ? `user ${owner} mounted it (${type}), and only that user's sockets can say more`
    : `it is mounted (${type}), and no server has a control socket for it`;
  const connection = connectionNumber(device);
  const waiting = await readWaiting(connection);
  return { mountpoint, source, type, state: "no control socket", connection, waiting, report: undefined, problem };
}

/** The kernel tells only the mount's owner, and only where /sys/fs/fuse/connections is mounted. */
async function readWaiting(connection: number): Promise<number | undefined> {
  const text = await Deno.readTextFile(`/sys/fs/fuse/connections/${connection}/waiting`).catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}
