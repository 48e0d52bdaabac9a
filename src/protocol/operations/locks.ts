/** Operations on locks: POSIX record locks and flock. */
import * as KERNEL from "../../../ffi/kernel.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import { FsError } from "../../fs/errors.ts";
import type { FileLock } from "../../fs/filesystem.ts";
import type { RequestView } from "../request.ts";
import { nothing, type Operation } from "./row.ts";

const LK = STRUCT.fuse_lk_in;

const LOCK = STRUCT.fuse_file_lock;

/** F_RDLCK, F_WRLCK, F_UNLCK of asm-generic/fcntl.h. */
const LOCK_TYPES: readonly FileLock["type"][] = ["read", "write", "unlock"];

function fileLock(request: RequestView): FileLock {
  return {
    type: lockType(request),
    start: request.u64(LK.lk + LOCK.start),
    end: request.u64(LK.lk + LOCK.end),
    pid: request.u32(LK.lk + LOCK.pid),
  };
}

function lockType(request: RequestView): FileLock["type"] {
  const type = LOCK_TYPES[request.u32(LK.lk + LOCK.type)];
  if (type === undefined) throw new FsError("EINVAL", "Unknown type of lock");
  return type;
}

export const getlk: Operation<FileLock | undefined> = {
  method: "getLock",
  size: LK.SIZE,
  call: (filesystem, request, context) =>
    filesystem.getLock(request.node, request.u64(LK.fh), request.big(LK.owner), fileLock(request), context),
  reply(result, host) {
    if (result === undefined) return host.body.putLock(LOCK_TYPES.indexOf("unlock"), 0, 0, 0);
    return host.body.putLock(LOCK_TYPES.indexOf(result.type), result.start, lastByte(result.end), result.pid);
  },
};

/** OFFSET_MAX, 2^63 - 1, has no number of its own: what is beyond 2^53 means "to the end". */
function lastByte(end: number): number | bigint {
  return end > Number.MAX_SAFE_INTEGER ? 0x7fff_ffff_ffff_ffffn : end;
}

export function setlkOperation(wait: boolean): Operation<void> {
  return {
    method: "setLock",
    size: LK.SIZE,
    call(filesystem, request, context) {
      const handle = request.u64(LK.fh);
      const owner = request.big(LK.owner);
      if (request.u32(LK.lk_flags) & KERNEL.FUSE_LK_FLOCK) {
        // The kernel sends these only when the filesystem has the method: it alone asks for FUSE_FLOCK_LOCKS.
        return filesystem.setWholeFileLock(request.node, handle, owner, lockType(request), wait, context);
      }
      return filesystem.setLock(request.node, handle, owner, fileLock(request), wait, context);
    },
    ...nothing,
  };
}
