/** Operations on locks: POSIX record locks and flock. */
import * as KERNEL from "../../../ffi/kernel.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import { FsError } from "../../fs/errors.ts";
import type { Awaitable, FileLock, FileSystem, RequestContext } from "../../fs/filesystem.ts";
import type { RequestView } from "../request.ts";
import { isOutdated, noteLockRequest } from "./lock_requests.ts";
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
    otherMethod: "setWholeFileLock",
    size: LK.SIZE,
    call(filesystem, request, context) {
      return noteLockRequest(filesystem, request, setLock(filesystem, request, undefined, wait, context));
    },
    ...nothing,
    // A lock that nobody knows of would keep out everybody else until its owner closes the file.
    refused(_result, _host, filesystem, request, context) {
      if (lockType(request) === "unlock" || isOutdated(request)) return;
      return setLock(filesystem as Required<FileSystem>, request, "unlock", false, context);
    },
  };
}

/** Sets the lock of the request, or the one of `type` in its place. */
function setLock(
  filesystem: Required<FileSystem>,
  request: RequestView,
  type: FileLock["type"] = lockType(request),
  wait: boolean,
  context: RequestContext,
): Awaitable<void> {
  const handle = request.u64(LK.fh);
  const owner = request.big(LK.owner);
  if (request.u32(LK.lk_flags) & KERNEL.FUSE_LK_FLOCK) {
    // The kernel sends these only when the filesystem has the method: it alone asks for FUSE_FLOCK_LOCKS.
    return filesystem.setWholeFileLock(request.node, handle, owner, type, wait, context);
  }
  return filesystem.setLock(request.node, handle, owner, { ...fileLock(request), type }, wait, context);
}
