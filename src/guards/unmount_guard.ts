/**
 * Sees to it that a mount goes away with the process that made it, also when that is killed. (fusermount3's auto_unmount
 * does the same, but leaves mounts with a subtype in the table.)
 */
import { Guard } from "./guard.ts";

/** What goes with the mount. */
export interface Leftovers {
  /** Folders that are removed when they are empty, in this order. */
  readonly empty: readonly string[];
  /** Folders that are removed with all that is in them. */
  readonly full: readonly string[];
}

// `read` fails at the end of the input: nobody has said that all is well. An ordinary user's mount is fusermount3's to take
// away; umount(8) is for root where there is none.
const SCRIPT = `
read -r word && exit
mountpoint=$1 empty=$2
shift 2
fusermount3 -u -z -- "$mountpoint" || umount -l -- "$mountpoint"
while [ "$empty" -gt 0 ]; do
  rmdir -- "$1"
  shift
  empty=$((empty - 1))
done
[ $# -eq 0 ] || rm -rf -- "$@"
`;

/** Watches until it is disposed of; by then the mount has to be gone. */
export class UnmountGuard extends Guard {
  /** Begins to watch over the mount that is to be made at `mountpoint`, an absolute path. */
  static start(mountpoint: string, { empty = [], full = [] }: Partial<Leftovers> = {}): UnmountGuard {
    return new UnmountGuard("trellis-unmount-guard", SCRIPT, [mountpoint, String(empty.length), ...empty, ...full]);
  }
}
