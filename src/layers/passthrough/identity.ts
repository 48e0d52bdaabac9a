/**
 * Whose rights the source sees. As root every call that the source's rules decide runs with the caller's filesystem
 * uid, gid and supplementary groups, so that new files belong to the caller and permissions, sticky bits, setgid
 * directories and quotas are the source's own. The kernel drops and restores the filesystem capabilities
 * (CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD) with the filesystem uid
 * (capabilities(7)); all else that root has stays, so the file calls that ask for other capabilities are left to the
 * kernel's checks in front of the mount.
 *
 * It is this thread's identity alone: the raw system calls, since glibc's setgroups changes all threads. A switch costs
 * two to four microseconds, so the thread keeps the last caller's identity until somebody else needs another. Calls
 * that go by descriptor and that no permission decides (fstat, read, close, …) run with whatever there is.
 *
 * What Trellis does for itself (open a file again by handle, take a lock) it does as the server.
 *
 * Without root there is nothing to switch: everything happens as the user that serves.
 */
import { SYS_setfsgid, SYS_setfsuid, SYS_setgroups } from "../../../ffi/abi/mod.ts";
import { FsError } from "../../fs/errors.ts";
import { O_CLOEXEC, O_RDONLY } from "../../fs/flags.ts";
import type { RequestContext } from "../../fs/filesystem.ts";
import { onBecomeServer } from "../../threads/server_identity.ts";
import { AT_FDCWD, StringBuffer, type SystemCalls } from "./system_calls.ts";

/**
 * Milliseconds for which a process's groups are believed. A process may change its groups, but hardly ever with the
 * same uid and gid; and what it lost with them the kernel refuses in front of the mount at once, by its own credentials.
 */
const GROUPS_LIFETIME = 100;

/** Private umask and working directory for the thread (linux/sched.h). */
const CLONE_FS = 0x200;

const decoder = new TextDecoder();

/** What the thread acts as. An isolate has one thread, and several sources served from it must not each remember their own. */
class ThreadIdentity {
  uid = 0;
  gid = 0;
  pid = 0;
  /** The thread's supplementary groups as text, once it has others than the server's. */
  groups: string | undefined;
  groupsUntil = 0;
  umask: number | undefined;
  umaskBefore = 0;
}

const THREAD = new ThreadIdentity();

/** What a process's /proc/PID/status is read into: at once, and taken out at once. */
const STATUS = new Uint8Array(8192);

export class Identity {
  readonly #calls: SystemCalls;
  readonly #privileged: boolean;
  readonly #path = new StringBuffer(64);

  /** `privileged`: root with CAP_SETUID and CAP_SETGID. */
  constructor(calls: SystemCalls, privileged: boolean) {
    this.#calls = calls;
    this.#privileged = privileged;
    if (privileged) onBecomeServer(() => this.restore());
  }

  /** From here on this thread acts as the caller. */
  assume(context: RequestContext): void {
    if (!this.#privileged) return;
    const { uid, gid, pid } = context;
    if (uid === 0) {
      if (THREAD.uid !== 0) this.#setUser(0);
      if (THREAD.gid !== gid) this.#setGroup(gid);
      return;
    }
    if (uid === THREAD.uid && gid === THREAD.gid && pid === THREAD.pid && performance.now() < THREAD.groupsUntil) {
      return;
    }
    this.#become(uid, gid, pid);
  }

  #become(uid: number, gid: number, pid: number): void {
    // The groups are root's to read (procfs may hide processes) and any thread's with CAP_SETGID to set.
    const groups = this.#readGroups(pid);
    if (groups !== THREAD.groups) this.#setGroups(groups);
    THREAD.pid = pid;
    THREAD.groupsUntil = performance.now() + GROUPS_LIFETIME;
    if (gid !== THREAD.gid) this.#setGroup(gid);
    if (uid !== THREAD.uid) this.#setUser(uid);
  }

  /** From here on this thread acts as the server. */
  assumeServer(): void {
    if (THREAD.uid !== 0) this.#setUser(0);
  }

  /** Does something as the server in the middle of what is done as a caller. */
  asServer<T>(action: () => T): T {
    const uid = THREAD.uid;
    this.assumeServer();
    try {
      return action();
    } finally {
      if (uid !== 0) this.#setUser(uid);
    }
  }

  /**
   * For a change of a file's data: the source clears setuid and setgid when this thread lacks CAP_FSETID. `kill` is
   * the kernel's word that the caller lacks it; without it (root, or pages from the cache) the bits have to stay.
   */
  assumeForWrite(kill: boolean, context: RequestContext): void {
    if (kill) this.assume(context);
    else this.assumeServer();
  }

  /**
   * The umask for what is made next, this thread's alone. The source ignores it in a directory with a default ACL, as
   * it should, which is why it is not applied to the mode beforehand.
   */
  setUmask(umask: number): void {
    if (umask === THREAD.umask) return;
    if (THREAD.umask === undefined) {
      this.#calls.check(this.#calls.files.unshare(CLONE_FS), "give a thread its own umask (unshare CLONE_FS)");
      THREAD.umaskBefore = this.#calls.files.umask(umask);
    } else {
      this.#calls.files.umask(umask);
    }
    THREAD.umask = umask;
  }

  /** Gives the thread back what it had before, but for its supplementary groups, which root does not need. */
  restore(): void {
    this.assumeServer();
    if (THREAD.gid !== 0) this.#setGroup(0);
    if (THREAD.umask !== undefined) this.#calls.files.umask(THREAD.umaskBefore);
    THREAD.umask = THREAD.umask === undefined ? undefined : THREAD.umaskBefore;
  }

  #setUser(uid: number): void {
    this.#setId(SYS_setfsuid, uid, "uid");
    THREAD.uid = uid;
  }

  #setGroup(gid: number): void {
    this.#setId(SYS_setfsgid, gid, "gid");
    THREAD.gid = gid;
  }

  /** setfsuid(2) and setfsgid(2) report no error: the second call tells what the first one did. */
  #setId(call: number, id: number, kind: string): void {
    const { files } = this.#calls;
    files.set_filesystem_id(call, id);
    if (files.set_filesystem_id(call, id) >>> 0 !== id) {
      throw new FsError("EACCES", `Cannot act as ${kind} ${id}: it has no meaning in the server's user namespace`);
    }
  }

  #setGroups(groups: string): void {
    const list = Uint32Array.from(groups.split(" ").filter((group) => group !== ""), Number);
    THREAD.groups = undefined;
    this.#calls.check(
      this.#calls.files.set_thread_groups(SYS_setgroups, list.length, list),
      `act with the caller's groups (${groups})`,
    );
    THREAD.groups = groups;
  }

  /** The groups of a thread; none when it is gone or not visible from here (then `pid` is 0). */
  #readGroups(pid: number): string {
    const text = pid === 0 ? "" : this.#readStatus(pid);
    const start = text.indexOf("\nGroups:");
    return start < 0 ? "" : text.slice(start + 8, text.indexOf("\n", start + 1)).trim();
  }

  #readStatus(pid: number): string {
    const { files } = this.#calls;
    const descriptor = files.openat(AT_FDCWD, this.#path.put(`/proc/${pid}/status`), O_RDONLY | O_CLOEXEC, 0);
    if (descriptor < 0) return "";
    let length = 0;
    for (let read = 1; read > 0 && length < STATUS.length; length += Math.max(read, 0)) {
      read = files.read(descriptor, STATUS.subarray(length), STATUS.length - length);
    }
    files.close(descriptor);
    return decoder.decode(STATUS.subarray(0, length));
  }
}
