/** How long names may be, in bytes on the wire. The kernel lets a file name of up to 1024 bytes through to FUSE. */
import { FsError } from "../../fs/errors.ts";
import { encodeName } from "../../fs/names.ts";

/** The longest file name (`NAME_MAX` of linux/limits.h). */
export const NAME_MAX = 255;

/** The longest symbolic link target: `PATH_MAX` without the closing zero. */
const TARGET_MAX = 4095;

/** How many bytes one UTF-16 unit of a name takes at most. */
const UNIT_MAX = 3;

/** How many bytes `name` takes on the wire. */
export function byteLength(name: string): number {
  return encodeName(name).length;
}

/** Refuses a file name of more than {@linkcode NAME_MAX} bytes with `ENAMETOOLONG`. */
export function checkName(name: string): void {
  // Nearly every name is short enough to be let through without being encoded.
  if (name.length * UNIT_MAX <= NAME_MAX || byteLength(name) <= NAME_MAX) return;
  throw new FsError("ENAMETOOLONG", `Cannot use a name of ${byteLength(name)} bytes: ${NAME_MAX} is the limit`);
}

/** Refuses a symbolic link's target of more than {@linkcode TARGET_MAX} bytes with `ENAMETOOLONG`. */
export function checkTarget(target: string): void {
  if (target.length * UNIT_MAX <= TARGET_MAX || byteLength(target) <= TARGET_MAX) return;
  throw new FsError(
    "ENAMETOOLONG",
    `Cannot link to a target of ${byteLength(target)} bytes: ${TARGET_MAX} is the limit`,
  );
}
