/** A filesystem that cannot be changed through this side of it: `EROFS`, as on a read-only mount. */
import { FsError } from "../../fs/errors.ts";
import type { FileSystem } from "../../fs/filesystem.ts";
import { O_ACCMODE, O_NOATIME, O_RDONLY, O_TRUNC, W_OK } from "../../fs/flags.ts";
import { orElse } from "../support/awaitable.ts";
import { wrapFileSystem } from "../support/wrapping.ts";

/** asm-generic/ioctl.h: the two bits of direction in a command. */
const IOC_DIRECTION = 30;
const IOC_READ = 2;

/**
 * Wraps `filesystem`: whatever would change it is `EROFS`, opening for writing and `O_TRUNC` too, `access` with `W_OK`, and
 * ioctls other than those that only bring something back (`_IOR`). Files are opened with `O_NOATIME`, so that reading them
 * moves no access time where the filesystem heeds that and the server may ask for it. That statvfs(3) does not say
 * `ST_RDONLY` is FUSE's: its answer has no room for it.
 */
export function readOnly(filesystem: FileSystem): FileSystem {
  const refuse = (): never => {
    throw new FsError("EROFS", "Cannot change a filesystem that is shown read-only");
  };
  return wrapFileSystem(filesystem, ({ open = () => ({}), access, ioctl }) => ({
    setAttributes: refuse,
    makeNode: refuse,
    makeDirectory: refuse,
    makeSymbolicLink: refuse,
    unlink: refuse,
    removeDirectory: refuse,
    rename: refuse,
    link: refuse,
    create: refuse,
    makeTemporaryFile: refuse,
    write: refuse,
    setExtendedAttribute: refuse,
    removeExtendedAttribute: refuse,
    allocate: refuse,
    copyFileRange: refuse,

    open(node, flags, context) {
      if ((flags & O_ACCMODE) !== O_RDONLY || flags & O_TRUNC) refuse();
      return orElse(() => open(node, flags | O_NOATIME, context), (error) => {
        // open(2): only the file's owner may ask for O_NOATIME.
        if (error instanceof FsError && error.code === "EPERM") return open(node, flags, context);
        throw error;
      });
    },

    access(node, mask, context) {
      if (mask & W_OK) refuse();
      return access?.(node, mask, context);
    },

    ioctl: ioctl && ((node, handle, request, context) => {
      if (request.command >>> IOC_DIRECTION !== IOC_READ) refuse();
      return ioctl(node, handle, request, context);
    }),
  }));
}
