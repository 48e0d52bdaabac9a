/**
 * Which operations share a bound and a deadline. The kinds are kept apart so that slow reads never hold up a lookup, and
 * neither of them a statfs.
 */
import { OPCODE } from "../../ffi/kernel.ts";
import type { OperationKind } from "../fs/limits.ts";

export type { OperationKind };

/** All kinds. */
export const OPERATION_KINDS: readonly OperationKind[] = ["data", "metadata", "administrative"];

/**
 * The kind of each operation. "none" has neither bound nor deadline:
 * - what has no answer (forgets, interrupts), or is the session's own (INIT, DESTROY, NOTIFY_REPLY);
 * - what gives something back (RELEASE, RELEASEDIR): it comes once, and refused it would be lost;
 * - SETLKW, which waits for another caller by its nature: bounded, the waiting would keep out the unlock they wait for.
 */
const KINDS: Readonly<Record<keyof typeof OPCODE, OperationKind | "none">> = {
  READ: "data",
  WRITE: "data",
  FLUSH: "data",
  FSYNC: "data",
  FALLOCATE: "data",
  LSEEK: "data",
  COPY_FILE_RANGE: "data",
  COPY_FILE_RANGE_64: "data",

  LOOKUP: "metadata",
  GETATTR: "metadata",
  SETATTR: "metadata",
  STATX: "metadata",
  ACCESS: "metadata",
  READLINK: "metadata",
  SYMLINK: "metadata",
  MKNOD: "metadata",
  MKDIR: "metadata",
  UNLINK: "metadata",
  RMDIR: "metadata",
  RENAME: "metadata",
  RENAME2: "metadata",
  LINK: "metadata",
  OPEN: "metadata",
  CREATE: "metadata",
  TMPFILE: "metadata",
  OPENDIR: "metadata",
  READDIR: "metadata",
  READDIRPLUS: "metadata",
  FSYNCDIR: "metadata",
  SETXATTR: "metadata",
  GETXATTR: "metadata",
  LISTXATTR: "metadata",
  REMOVEXATTR: "metadata",
  GETLK: "metadata",
  SETLK: "metadata",

  STATFS: "administrative",
  SYNCFS: "administrative",
  IOCTL: "administrative",
  POLL: "administrative",
  BMAP: "administrative",
  SETUPMAPPING: "administrative",
  REMOVEMAPPING: "administrative",

  INIT: "none",
  DESTROY: "none",
  FORGET: "none",
  BATCH_FORGET: "none",
  INTERRUPT: "none",
  NOTIFY_REPLY: "none",
  RELEASE: "none",
  RELEASEDIR: "none",
  SETLKW: "none",
};

const BY_OPCODE: (OperationKind | undefined)[] = [];
for (const [name, kind] of Object.entries(KINDS)) {
  BY_OPCODE[OPCODE[name as keyof typeof OPCODE]] = kind === "none" ? undefined : kind;
}

/**
 * Whether the bound of its kind holds for an operation. FLUSH is let in at once: it comes once per `close`, and refused it
 * would hide an error of the writes before it and keep the locks that it ends. Its deadline holds.
 */
export function isBounded(opcode: number): boolean {
  return opcode !== OPCODE.FLUSH;
}

/** The kind of an operation; undefined for one without bound and deadline. */
export function operationKind(opcode: number): OperationKind | undefined {
  return BY_OPCODE[opcode];
}
