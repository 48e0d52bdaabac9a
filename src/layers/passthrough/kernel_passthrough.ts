/**
 * Which opens may be passed through by the kernel itself. Where they are, reads, writes and mappings of the mount and of
 * the source are the same pages, and no request of theirs arrives.
 *
 * What stays the server's, by `backingMapsOnly` (so that all opens of a node agree):
 *
 * - `O_DIRECT`: the kernel would open the source so, and fail with EIO where it cannot.
 * - Writing to a file that has setuid or setgid: root's writes keep the bits, everybody else's clear them, and backing
 *   files know neither.
 *
 * **Rights.** The kernel writes with the credentials of the thread that registered the backing file, whoever writes. As
 * the source clears setuid and setgid where they lack CAP_FSETID, this thread acts as the caller when an open is answered,
 * and says whether that is root: an open that may write and disagrees with the first one's is the server's too
 * (`backingAsRoot`).
 */
import { O_ACCMODE, O_DIRECT, O_RDONLY, S_ISGID, S_ISUID } from "../../fs/flags.ts";
import type { CheckedOptions } from "./options.ts";
import type { PassthroughLoop } from "./passthrough_loop.ts";

/** linux/capability.h */
export const CAP_SYS_ADMIN = 21;

/** include/linux/proc_ns.h: PROC_USER_INIT_INO, the first user namespace's inode number. */
const FIRST_USER_NAMESPACE = "user:[4026531837]";

/**
 * A file of fewer bytes that is opened to be read is read here: one request brings all of it (the kernel reads 128 KiB
 * ahead), and costs what the backing file would cost the open. That matters to who reads thousands of small files.
 */
const WORTH_BACKING = 1 << 17;

/** How an open of a file is answered. */
export type OpenMode = "plain" | "backed" | "backed, but read and written here";

/** Whether the mount's options want it. With `writeback` the kernel refuses (process_init_reply in fs/fuse/inode.c). */
export function wantsKernelPassthrough({ kernelPassthrough, writeback }: CheckedOptions): boolean {
  return kernelPassthrough && !writeback;
}

/** Whether this process is in the first user namespace, where its capabilities mean what the kernel asks for. */
export function inFirstUserNamespace(): boolean {
  return Deno.readLinkSync("/proc/self/ns/user") === FIRST_USER_NAMESPACE;
}

export class KernelPassthrough {
  /** Whether the kernel agreed; known from `initialize` on. */
  agreed = false;
  readonly #loop: PassthroughLoop;

  constructor(loop: PassthroughLoop) {
    this.#loop = loop;
  }

  /**
   * How to answer the open of a regular file, which `status` was filled from, with these flags. The same for all opens of
   * a file, but for the last two.
   */
  modeOf(descriptor: number, flags: number): OpenMode {
    if (!this.agreed) return "plain";
    const { status, localFiles } = this.#loop;
    const reads = (flags & O_ACCMODE) === O_RDONLY;
    if (reads && status.size < WORTH_BACKING || !localFiles.has(descriptor, status.device)) return "plain";
    const privileged = !reads && (status.mode & (S_ISUID | S_ISGID)) !== 0;
    return privileged || flags & O_DIRECT ? "backed, but read and written here" : "backed";
  }
}
