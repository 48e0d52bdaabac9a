/**
 * Locks that both sides of the mount see.
 *
 * flock(2) locks belong to an open file, as our handles do: they go straight through.
 *
 * POSIX record locks belong to a process, whatever it opened the file as; in the source all of them would be ours. So
 * each owner of a file (`lockOwner`, the kernel's name for the process) gets a descriptor of its own for it, and its
 * locks are open file description locks there (fcntl_locking(2), F_OFD_SETLK), which conflict with each other, and with
 * the POSIX locks of the source's own programs, just as processes do. When the process closes any descriptor of the
 * file (`flush`), that descriptor is closed and the locks are gone. Open file description locks of the mount's programs
 * come the same way, with the open file as owner; nothing announces their end but `release`. The owners of a node are a
 * chain of cells that hangs from it, under the node's lock.
 *
 * A loop cannot wait: the request that ends the wait may be its own next one. So a lock that somebody waits for
 * (F_SETLKW, flock without LOCK_NB) is tried again and again (`Later`). Who waits first need not get it first.
 */
import { F_DUPFD_CLOEXEC } from "../../../ffi/libc.ts";
import { FsError, Later } from "../../fs/errors.ts";
import type { FileLock, FileSystem, Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { O_RDONLY, O_RDWR, O_WRONLY } from "../../fs/flags.ts";
import { LOCK_OWNER } from "./descriptor_register.ts";
import { LockWaits } from "./lock_waits.ts";
import { FD, LOCK_OWNERS } from "./node_table.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";

// fcntl.h, asm-generic.
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const TYPES = ["read", "write", "unlock"] as const;
const F_UNLCK = 2;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_UN = 8;
const LOCK_NB = 4;
const FLOCK = { read: LOCK_SH, write: LOCK_EX, unlock: LOCK_UN };

/** The end of a lock to the end of the file, as the kernel sends it: 2^63 - 1, here rounded. */
const TO_THE_END = 2 ** 63;

// Words of a cell that is a lock owner. That of a node's descriptor is empty in it.
export const LOCK_OWNER_NEXT = 0;
const NEXT = LOCK_OWNER_NEXT;
const OWNER_LOW = 4;
const OWNER_HIGH = 5;
export const LOCK_OWNER_DESCRIPTOR = 6;
const OWNED = LOCK_OWNER_DESCRIPTOR;
/** The handle that the owner first locked through. */
const THROUGH = 7;
/** Its process, for F_GETLK. */
const PID = 8;

/** One of our owners of locks on a node. */
interface LockOwner {
  readonly owner: bigint;
  readonly descriptor: number;
  readonly pid: number;
}

export function lockOperations(loop: PassthroughLoop) {
  const { calls, descriptors, identity, register, table } = loop;
  const { files } = calls;
  const { cells, words } = table;
  const waits = new LockWaits(loop.source.lockWaits);
  // struct flock: type and whence in 16 bits, start at 8, length at 16, pid at 24.
  const lock = new Uint8Array(32);
  const view = new DataView(lock.buffer);

  descriptors.closeLockOwners = (first) => {
    for (let cell = first; cell !== 0;) {
      const at = cells.at(cell);
      const next = words[at + NEXT]!;
      register.close(words[at + OWNED]!);
      cells.give(cell);
      cell = next;
    }
  };

  /** Where the link to the first fitting cell stands (its word is 0 at the chain's end). Under the node's lock. */
  function findLink(node: number, fits: (at: number) => boolean): number {
    let link = node + LOCK_OWNERS;
    while (words[link] !== 0 && !fits(cells.at(words[link]!))) link = cells.at(words[link]!) + NEXT;
    return link;
  }

  function isOwner(owner: bigint): (at: number) => boolean {
    const [low, high] = halves(owner);
    return (at) => words[at + OWNER_LOW] === low && words[at + OWNER_HIGH] === high;
  }

  function findOwned(node: NodeId, owner: bigint): number | undefined {
    return table.locked(table.cellOf(node), (at) => {
      const cell = words[findLink(at, isOwner(owner))]!;
      return cell === 0 ? undefined : words[cells.at(cell) + OWNED]!;
    });
  }

  /** The owner's descriptor, opened if it has none. */
  function own(node: NodeId, handle: Handle, owner: bigint, pid: number, context: RequestContext): number {
    const owned = findOwned(node, owner);
    if (owned !== undefined) return owned;
    const opened = register.addOpened(openForLocks(handle), LOCK_OWNER, context);
    const winner = table.locked(table.cellOf(node), (at) => {
      const link = findLink(at, isOwner(owner));
      if (words[link] === 0) words[link] = makeOwner(owner, opened, handle, pid);
      return words[cells.at(words[link]!) + OWNED]!;
    });
    if (winner !== opened) register.close(opened);
    return winner;
  }

  function makeOwner(owner: bigint, descriptor: number, handle: Handle, pid: number): number {
    const cell = cells.take();
    const at = cells.at(cell);
    const [low, high] = halves(owner);
    words[at + NEXT] = 0;
    words[at + FD] = 0;
    words[at + OWNER_LOW] = low;
    words[at + OWNER_HIGH] = high;
    words[at + OWNED] = descriptor;
    words[at + THROUGH] = handle;
    words[at + PID] = pid;
    return cell;
  }

  /** A read lock needs a descriptor for reading, a write lock one for writing: both if the server may. */
  function openForLocks(handle: Handle): number {
    return identity.asServer(() => {
      for (const flags of [O_RDWR, O_RDONLY]) {
        try {
          return loop.reopen(handle, flags);
        } catch (error) {
          if (!(error instanceof FsError)) throw error;
        }
      }
      return loop.reopen(handle, O_WRONLY);
    });
  }

  /** Closes the descriptors of the owners that fit, which ends their locks. */
  function disown(node: NodeId, fits: (at: number) => boolean): void {
    const cellOfNode = table.cellOf(node);
    if (words[cells.at(cellOfNode) + LOCK_OWNERS] === 0) return;
    const removed = table.locked(cellOfNode, (at) => {
      let removed = 0;
      for (let link = findLink(at, fits); words[link] !== 0; link = findLink(at, fits)) {
        const cell = words[link]!;
        words[link] = words[cells.at(cell) + NEXT]!;
        words[cells.at(cell) + NEXT] = removed;
        removed = cell;
      }
      return removed;
    });
    descriptors.closeLockOwners(removed);
  }

  /**
   * Whose the lock is that stood in the way of `asking`: for the source it is an open file's, which has no process. Each
   * of our other owners is asked whether the lock is in its way too; the one for whom it is not holds it. None when it is
   * none of ours, or when it was given back meanwhile, which shows as several for whom nothing is in the way.
   */
  function findHolder(node: NodeId, asking: bigint, found: FileLock): LockOwner | undefined {
    const owners = table.locked(table.cellOf(node), (at) => ownersOf(at));
    const holders = owners.filter(({ owner, descriptor }) => {
      if (owner === asking) return false;
      putLock({ ...found, type: "write" });
      if (files.fcntl_lock(descriptor, F_OFD_GETLK, lock) < 0) return false;
      const other = view.getInt16(0, true) === F_UNLCK ? undefined : takeLock();
      return other === undefined || other.start !== found.start || other.end !== found.end;
    });
    return holders.length === 1 ? holders[0] : undefined;
  }

  function ownersOf(node: number): LockOwner[] {
    const owners = [];
    for (let cell = words[node + LOCK_OWNERS]!; cell !== 0; cell = words[cells.at(cell) + NEXT]!) {
      const at = cells.at(cell);
      const owner = whole(words[at + OWNER_LOW]!, words[at + OWNER_HIGH]!);
      owners.push({ owner, descriptor: words[at + OWNED]!, pid: words[at + PID]! });
    }
    return owners;
  }

  /** What a caller is told who waits for a lock that is taken: to wait on, or that the wait would never end. */
  function refuseWait(node: NodeId, owner: bigint, owned: number, wanted: FileLock): Error {
    putLock(wanted);
    calls.check(files.fcntl_lock(owned, F_OFD_GETLK, lock), "test a lock");
    const holder = view.getInt16(0, true) === F_UNLCK ? undefined : findHolder(node, owner, takeLock());
    if (holder === undefined || !waits.closesCircle(owner, holder.owner)) return new Later(FIRST_WAIT);
    return new FsError("EDEADLK", "Cannot wait for a lock whose holder waits for this process");
  }

  /** Has the source's filesystem do at this close what it does at a program's: NFS sends what it has, and may fail. */
  function closeDuplicate(handle: Handle): void {
    const duplicate = loop.retry(() => files.fcntl(handle, F_DUPFD_CLOEXEC, 0));
    calls.check(duplicate, "close a file");
    calls.check(files.close(duplicate), "close a file");
  }

  function putLock({ type, start, end }: FileLock): void {
    lock.fill(0);
    view.setInt16(0, TYPES.indexOf(type), true);
    view.setBigInt64(8, BigInt(start), true);
    view.setBigInt64(16, end >= TO_THE_END ? 0n : BigInt(end) - BigInt(start) + 1n, true);
  }

  function takeLock(): FileLock {
    const start = Number(view.getBigInt64(8, true));
    const length = Number(view.getBigInt64(16, true));
    return {
      type: TYPES[view.getInt16(0, true)] ?? "write",
      start,
      end: length === 0 ? TO_THE_END : start + length - 1,
      // A lock of an open file has no process: -1.
      pid: Math.max(0, view.getInt32(24, true)),
    };
  }

  return {
    getLock(
      node: NodeId,
      handle: Handle,
      owner: bigint,
      wanted: FileLock,
      _context: RequestContext,
    ): FileLock | undefined {
      putLock(wanted);
      // The handle itself never holds a lock, so it stands for an owner that has none yet.
      calls.check(files.fcntl_lock(findOwned(node, owner) ?? handle, F_OFD_GETLK, lock), "test a lock");
      if (view.getInt16(0, true) === F_UNLCK) return undefined;
      const found = takeLock();
      return found.pid === 0 ? { ...found, pid: findHolder(node, owner, found)?.pid ?? 0 } : found;
    },

    setLock(
      node: NodeId,
      handle: Handle,
      owner: bigint,
      wanted: FileLock,
      wait: boolean,
      context: RequestContext,
    ): void {
      if (wanted.type === "unlock" && findOwned(node, owner) === undefined) return;
      const owned = own(node, handle, owner, wanted.pid, context);
      putLock(wanted);
      try {
        calls.check(files.fcntl_lock(owned, F_OFD_SETLK, lock), "take a lock");
      } catch (error) {
        throw wait && isTaken(error) ? refuseWait(node, owner, owned, wanted) : error;
      }
      // One that gives a lock back waits for none: a wait that a signal ended is forgotten here at the latest.
      if (wait || wanted.type === "unlock") waits.end(owner);
    },

    setWholeFileLock(
      _node: NodeId,
      handle: Handle,
      _owner: bigint,
      type: FileLock["type"],
      wait: boolean,
      _context: RequestContext,
    ): void {
      try {
        calls.check(files.flock(handle, FLOCK[type] | LOCK_NB), "lock a whole file");
      } catch (error) {
        throw wait && isTaken(error) ? new Later(FIRST_WAIT) : error;
      }
    },

    release(node: NodeId, handle: Handle, _flags?: number, context?: RequestContext): void {
      disown(node, (at) => words[at + THROUGH] === handle);
      register.closeHandle(handle, context);
    },

    flush(node: NodeId, handle: Handle, lockOwner: bigint): void {
      disown(node, isOwner(lockOwner));
      if (!loop.localFiles.has(handle, loop.deviceOf(node))) closeDuplicate(handle);
    },
  } satisfies FileSystem;
}

/** How long to leave a taken lock alone at first, in milliseconds. */
const FIRST_WAIT = 1;

function isTaken(error: unknown): boolean {
  return error instanceof FsError && error.code === "EAGAIN";
}

function halves(owner: bigint): [low: number, high: number] {
  return [Number(BigInt.asIntN(32, owner)), Number(BigInt.asIntN(32, owner >> 32n))];
}

function whole(low: number, high: number): bigint {
  return BigInt.asUintN(32, BigInt(low)) | BigInt.asUintN(32, BigInt(high)) << 32n;
}
