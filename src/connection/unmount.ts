/** Takes mounts away by path: as root with umount2(2), otherwise through fusermount3, which may do it for their owner. */
import { MNT_DETACH, MNT_FORCE } from "../../ffi/libc.ts";
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { errnoName } from "../fs/errors.ts";

/** An unmount that did not happen; `code` is the errno's name where one is known. */
export class UnmountError extends Error {
  override readonly name = "UnmountError";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Unmounts `mountpoint`. @throws {UnmountError} with code `EBUSY` while it is in use. */
export function unmount(mountpoint: string): Promise<void> {
  return Deno.uid() === 0 ? unmountAsRoot(mountpoint, 0) : unmountAsUser(mountpoint, []);
}

/** Takes `mountpoint` out of the tree at once; what is in use lives until it is closed. */
export function unmountLazily(mountpoint: string): Promise<void> {
  return Deno.uid() === 0 ? unmountAsRoot(mountpoint, MNT_DETACH) : unmountAsUser(mountpoint, ["-z"]);
}

/** As {@linkcode unmountLazily}, and root ends its connection too: who waits there gets an error, whatever its server does. */
export function unmountAtOnce(mountpoint: string): Promise<void> {
  return Deno.uid() === 0 ? unmountAsRoot(mountpoint, MNT_FORCE | MNT_DETACH) : unmountAsUser(mountpoint, ["-z"]);
}

async function unmountAsRoot(mountpoint: string, flags: number): Promise<void> {
  const { symbols } = openLibc();
  // A nonblocking call runs on a thread of its own, whose errno this thread cannot see: the second try, on this
  // thread's own terms, is fusermount3's, which says why.
  if (await symbols.umount2(cString(mountpoint), flags) === 0) return;
  await unmountAsUser(mountpoint, (flags & MNT_DETACH) !== 0 ? ["-z"] : []);
}

async function unmountAsUser(mountpoint: string, flags: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("fusermount3", {
    args: ["-u", ...flags, "--", mountpoint],
    // Deno starts no program where the user may not enter the current folder, such as one in root's home.
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { LC_ALL: "C" },
  }).output();
  if (success) return;
  const text = new TextDecoder().decode(stderr).trim();
  throw new UnmountError(
    `Cannot unmount "${mountpoint}": ${text}`,
    /busy/i.test(text) ? "EBUSY" : /not (found|mounted)|Invalid argument/i.test(text) ? errnoName(22) : undefined,
  );
}
