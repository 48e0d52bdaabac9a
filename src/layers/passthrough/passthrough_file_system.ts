/** A directory of the host as a filesystem: the operations of one loop, put together. */
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { attributeOperations } from "./attribute_operations.ts";
import { directoryOperations } from "./directory_operations.ts";
import { extendedAttributeOperations } from "./extended_attribute_operations.ts";
import { FileOpening } from "./file_opening.ts";
import { fileOperations } from "./file_operations.ts";
import { lockOperations } from "./lock_operations.ts";
import { nameOperations } from "./name_operations.ts";
import type { CheckedOptions } from "./options.ts";
import { PassthroughLoop } from "./passthrough_loop.ts";
import type { Source } from "./source.ts";

/**
 * Features that are always asked for:
 *
 * - `posix-acl`: the kernel checks permissions in front of the mount, ACLs among them (and so `default_permissions` is
 *   on): else what it has cached of a directory would open it for everybody.
 * - `dont-mask`: the umask is the source's to apply, which leaves it out in directories with a default ACL.
 * - `handle-killpriv-v2`: the source clears setuid and setgid bits; the kernel says for whom, and asks for nothing.
 *
 * But not `atomic-o-trunc`: with it the source is truncated before the kernel finds that the file is a running program
 * (ETXTBSY).
 */
const FEATURES = ["posix-acl", "dont-mask", "handle-killpriv-v2"];

export type PassthroughFileSystem = ReturnType<typeof makePassthroughFileSystem>;

/** Makes the filesystem of one loop, in the thread that is to serve it. All its methods answer at once. */
export function makePassthroughFileSystem(options: CheckedOptions, source: Source, loopNumber: number) {
  const loop = new PassthroughLoop(options, source, loopNumber);
  const opening = new FileOpening(loop);
  const { seek, ...files } = fileOperations(loop, opening);
  const { getLock, setLock, setWholeFileLock, ...closing } = lockOperations(loop);
  return {
    features: [
      ...FEATURES,
      ...(options.writeback ? ["writeback-cache"] : []),
      // Without it files that bypass the cache could not be mapped shared.
      ...(options.cache === "never" ? ["direct-io-allow-mmap"] : []),
      ...(source.kernelPassthrough ? ["passthrough"] : []),
      // Only the mount changes the source, so that a new mtime is no reason to drop pages: the mount's own write set it.
      ...(options.cache === "always" ? ["cache-symlinks", "explicit-inval-data"] : []),
    ] as readonly string[],

    initialize({ features, notifier }: ConnectionInfo): void {
      loop.notifier = notifier;
      loop.writeback = features.has("writeback-cache");
      loop.maskByKernel = !features.has("dont-mask");
      // In a tree another source may have asked for it.
      loop.kernelPassthrough.agreed = source.kernelPassthrough && features.has("passthrough");
    },

    destroy(): void {
      loop.identity.restore();
    },

    ...nameOperations(loop, opening),
    ...files,
    // The kernel asks for holes without writing back what it has cached, and the source would call that a hole. Without
    // an answer a file is one piece of data, which is always true.
    ...(options.writeback ? {} : { seek }),
    ...directoryOperations(loop),
    ...attributeOperations(loop),
    ...extendedAttributeOperations(loop),
    // Without these the kernel keeps the locks itself.
    ...(options.remotePosixLock ? { getLock, setLock } : {}),
    ...(options.remoteFlock ? { setWholeFileLock } : {}),
    ...closing,
  } satisfies FileSystem;
}
