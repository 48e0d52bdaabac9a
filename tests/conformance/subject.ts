/** What a subject of the conformance suite is made of: tests by name, each with a fresh directory and a client in it. */

import { assertEquals } from "../deps.ts";
import { PATIENCE } from "../support/patience.ts";
import { type DirectoryEntry, type Identity, type Path, PosixClient, PosixError } from "../support/posix_client.ts";

/** Where a test works. The client's working directory is empty and belongs to it; names are relative to it. */
export interface Scene {
  client: PosixClient;
  /** The working directory's own path. */
  directory: string;
  /** Another process in the same directory: of the same user, or (for tests that need root) another. */
  start(identity?: Identity): Promise<PosixClient>;
}

export interface Test {
  /** What the test needs that not every run has. */
  needs?: "root";
  run(scene: Scene): Promise<void>;
}

/** Tests by a sentence that says what holds. */
export type Subject = Readonly<Record<string, Test>>;

export function test(run: (scene: Scene) => Promise<void>): Test {
  return { run };
}

/** A test whose client is root: it makes device nodes, gives files away or starts processes of other users. */
export function testAsRoot(run: (scene: Scene) => Promise<void>): Test {
  return { needs: "root", run };
}

/** Two users that have nothing to do with each other. */
export const ALICE: Identity = { uid: 65534, gid: 65534 };
export const BOB: Identity = { uid: 65533, gid: 65533 };

export const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Checks that `call` fails with one of the errnos `codes`. */
export async function expectError(codes: string | readonly string[], call: Promise<unknown>): Promise<void> {
  const wanted = typeof codes === "string" ? [codes] : codes;
  let result: unknown;
  try {
    result = await call;
  } catch (error) {
    if (error instanceof PosixError && wanted.includes(error.code)) return;
    throw new Error(`Expected ${wanted.join(" or ")}`, { cause: error });
  }
  throw new Error(`Expected ${wanted.join(" or ")}, but the call succeeded with ${String(result)}`);
}

/** Checks that there is nothing called `path`. */
export function expectAbsent(client: PosixClient, path: Path): Promise<void> {
  return expectError("ENOENT", client.lstat(path));
}

export async function writeFile(client: PosixClient, path: Path, data: string | Uint8Array, mode = 0o644) {
  const file = await client.open(path, "O_WRONLY|O_CREAT|O_TRUNC", mode);
  if (data.length > 0) await client.write(file, data);
  await client.close(file);
}

/** The bytes of a file of up to a megabyte, as a string. */
export async function readFile(client: PosixClient, path: Path): Promise<string> {
  const file = await client.open(path, "O_RDONLY");
  const data = await client.pread(file, 1 << 20, 0);
  await client.close(file);
  return decoder.decode(data);
}

export async function expectContent(client: PosixClient, path: Path, content: string): Promise<void> {
  assertEquals(await readFile(client, path), content);
}

export function decode(data: Uint8Array): string {
  return decoder.decode(data);
}

/** All entries that an open directory still has to show, read with buffers of `size` bytes. */
export async function readToEnd(client: PosixClient, directory: number, size = 32_768): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  while (true) {
    const piece = await client.getdents(directory, size);
    if (piece.length === 0) return entries;
    entries.push(...piece);
  }
}

export function isDot(name: string): boolean {
  return name === "." || name === "..";
}

/** The names in a directory without "." and "..", sorted. */
export async function list(client: PosixClient, path: Path): Promise<string[]> {
  const directory = await client.open(path, "O_RDONLY|O_DIRECTORY");
  const entries = await readToEnd(client, directory);
  await client.close(directory);
  return entries.map((entry) => entry.name).filter((name) => !isDot(name)).sort();
}

/** The permissions, without the type. */
export function permissions(mode: number): number {
  return mode & 0o7777;
}

/** One thing of each kind. A client that is not root leaves out device nodes. */
export const KINDS = ["regular", "directory", "symlink", "fifo", "socket", "character device", "block device"] as const;
export type Kind = typeof KINDS[number];
export const KINDS_FOR_ALL = ["regular", "directory", "symlink", "fifo", "socket"] as const;

export function make(client: PosixClient, kind: Kind, path: Path, mode = 0o644): Promise<void> {
  switch (kind) {
    case "regular":
      return client.mknod(path, "S_IFREG", mode);
    case "directory":
      return client.mkdir(path, mode);
    case "symlink":
      return client.symlink("nowhere", path);
    case "fifo":
      return client.mknod(path, "S_IFIFO", mode);
    case "socket":
      return client.mknod(path, "S_IFSOCK", mode);
    case "character device":
      return client.mknod(path, "S_IFCHR", mode, 1, 3);
    case "block device":
      return client.mknod(path, "S_IFBLK", mode, 7, 0);
  }
}

export function remove(client: PosixClient, kind: Kind, path: Path): Promise<void> {
  return kind === "directory" ? client.rmdir(path) : client.unlink(path);
}

/** Waits until the filesystem gives out times later than any it gave out before. */
export async function tick(client: PosixClient): Promise<void> {
  // Beside the working directory: making the probe there would change the directory's own times.
  const probe = "../.tick";
  await writeFile(client, probe, "");
  const before = (await client.stat(probe)).ctime;
  for (const deadline = performance.now() + PATIENCE * 1000;;) {
    await client.chmod(probe, 0o600);
    if ((await client.stat(probe)).ctime > before) break;
    if (performance.now() > deadline) {
      throw new Error(`The clock stands still: chmod set no later ctime in ${PATIENCE} s`);
    }
  }
  await client.unlink(probe);
}

type ChangeTime = "mtime" | "ctime";

/** Checks that `action` moves on exactly the times `changed` of `path` (a link is not followed). */
export async function expectTimes(
  client: PosixClient,
  path: Path,
  changed: readonly ChangeTime[],
  action: () => Promise<unknown>,
): Promise<void> {
  const before = await client.lstat(path);
  await tick(client);
  await action();
  const after = await client.lstat(path);
  const moved = (["mtime", "ctime"] as const).filter((name) => after[name] > before[name]);
  assertEquals(moved, [...changed], `the times of ${String(path)} that moved on`);
}
