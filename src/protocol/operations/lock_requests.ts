/**
 * The lock requests that are at work, by the owner of the lock. One that was given up (its caller was told ETIMEDOUT) may
 * be granted late, and is to be taken back; but not when its owner has asked for a lock of that file again meanwhile: it
 * would lose what it was told that it has.
 */
import type { FileSystem } from "../../fs/filesystem.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import type { RequestView } from "../request.ts";

/** The requests of one owner on one file, of which the last one counts. */
interface Pending {
  newest: RequestView;
  count: number;
}

const PENDING = new WeakMap<FileSystem, Map<string, Pending>>();
const OUTDATED = new WeakSet<RequestView>();

/** Notes that `request` is at work until `result` is there; an answer that is there at once only outdates others. */
export function noteLockRequest<Result>(filesystem: FileSystem, request: RequestView, result: Result): Result {
  const byOwner = PENDING.get(filesystem) ?? new Map<string, Pending>();
  const key = `${request.node}:${request.big(STRUCT.fuse_lk_in.owner)}`;
  const pending = byOwner.get(key) ?? { newest: request, count: 0 };
  pending.newest = request;
  if (!(result instanceof Promise)) return result;
  PENDING.set(filesystem, byOwner.set(key, pending));
  pending.count++;
  return result.finally(() => {
    if (pending.newest !== request) OUTDATED.add(request);
    if (--pending.count === 0) byOwner.delete(key);
  }) as Result;
}

/** Whether the owner has asked for another lock of the file after `request` and before it was answered. */
export function isOutdated(request: RequestView): boolean {
  return OUTDATED.has(request);
}
