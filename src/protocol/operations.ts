/**
 * The table of operations: for each opcode the size of its struct, how it is decoded into a method's parameters, which
 * reply it takes, and what the kernel is told when the filesystem has no such method. A new operation is a new row.
 *
 * `ENOSYS` is a promise that the kernel remembers for the life of the mount, and for most operations it then does the
 * usual thing by itself (fs/fuse/file.c, dir.c). Where it would not, the row says what is answered instead, as libfuse
 * does for null callbacks (lib/fuse_lowlevel.c, do_open, do_release, do_statfs).
 */
import { OPCODE } from "../../ffi/kernel.ts";
import { link, lookup, mkdir, mknod, readlink, rename, rename2, rmdir, symlink, unlink } from "./operations/names.ts";
import { access, getattr, setattr, statx } from "./operations/attributes.ts";
import { create, flush, fsync, open, poll, read, release, tmpfile, write } from "./operations/files.ts";
import { bmap, copyFileRange, copyFileRange64, fallocate, lseek } from "./operations/ranges.ts";
import { fsyncdir, opendir, readdir, readdirplus, releasedir } from "./operations/directories.ts";
import { getxattr, listxattr, removexattr, setxattr } from "./operations/extended_attributes.ts";
import { getlk, setlkOperation } from "./operations/locks.ts";
import { ioctl, statfs, syncfs } from "./operations/others.ts";
import type { Operation } from "./operations/row.ts";

/** Rows by opcode. What is not here (INIT, FORGET, INTERRUPT, NOTIFY_REPLY, …) is the session's own business. */
// deno-lint-ignore no-explicit-any -- rows of different results share one table; each row agrees with itself.
export const OPERATIONS: ReadonlyMap<number, Operation<any>> = new Map<number, Operation<any>>([
  [OPCODE.LOOKUP, lookup],
  [OPCODE.GETATTR, getattr],
  [OPCODE.SETATTR, setattr],
  [OPCODE.READLINK, readlink],
  [OPCODE.SYMLINK, symlink],
  [OPCODE.MKNOD, mknod],
  [OPCODE.MKDIR, mkdir],
  [OPCODE.UNLINK, unlink],
  [OPCODE.RMDIR, rmdir],
  [OPCODE.RENAME, rename],
  [OPCODE.RENAME2, rename2],
  [OPCODE.LINK, link],
  [OPCODE.OPEN, open],
  [OPCODE.CREATE, create],
  [OPCODE.TMPFILE, tmpfile],
  [OPCODE.READ, read],
  [OPCODE.WRITE, write],
  [OPCODE.FLUSH, flush],
  [OPCODE.RELEASE, release],
  [OPCODE.FSYNC, fsync],
  [OPCODE.OPENDIR, opendir],
  [OPCODE.READDIR, readdir],
  [OPCODE.READDIRPLUS, readdirplus],
  [OPCODE.RELEASEDIR, releasedir],
  [OPCODE.FSYNCDIR, fsyncdir],
  [OPCODE.STATFS, statfs],
  [OPCODE.SETXATTR, setxattr],
  [OPCODE.GETXATTR, getxattr],
  [OPCODE.LISTXATTR, listxattr],
  [OPCODE.REMOVEXATTR, removexattr],
  [OPCODE.ACCESS, access],
  [OPCODE.GETLK, getlk],
  [OPCODE.SETLK, setlkOperation(false)],
  [OPCODE.SETLKW, setlkOperation(true)],
  [OPCODE.BMAP, bmap],
  [OPCODE.IOCTL, ioctl],
  [OPCODE.POLL, poll],
  [OPCODE.FALLOCATE, fallocate],
  [OPCODE.COPY_FILE_RANGE, copyFileRange],
  [OPCODE.COPY_FILE_RANGE_64, copyFileRange64],
  [OPCODE.LSEEK, lseek],
  [OPCODE.STATX, statx],
  [OPCODE.SYNCFS, syncfs],
]);

/** Whether the kernel waits for an answer; else it only tells something. */
export function wantsAnswer(opcode: number): boolean {
  return opcode !== OPCODE.FORGET && opcode !== OPCODE.BATCH_FORGET && opcode !== OPCODE.NOTIFY_REPLY;
}
