/**
 * The filesystems whose files may be handed to the kernel as backing files: those that keep a file's bytes on this
 * machine and ask nobody's rights again once it is open, because the kernel opens a backing file anew, for each open of
 * the mount's, with credentials that are not the caller's.
 *
 * Not those of the kernel itself (proc, sysfs, …), whose files have no size and show what the opener may see, nor those
 * that ask a server (NFS, CIFS, FUSE, …). Stacked ones (overlayfs) the kernel would refuse.
 */

// statfs(2), linux/magic.h and the filesystems' own headers: f_type.
const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x01021994, "tmpfs"],
  [0x58465342, "XFS"],
  [0x9123683e, "Btrfs"],
  [0xf2f52010, "F2FS"],
  [0xca451a4e, "bcachefs"],
  [0x2fc12fc1, "ZFS"],
  [0x858458f6, "ramfs"],
  [0x4d44, "FAT"],
  [0x2011bab0, "exFAT"],
  [0x7366746e, "NTFS"],
  [0x9660, "ISO 9660"],
  [0x15013346, "UDF"],
  [0x73717368, "SquashFS"],
  [0xe0f5e1e2, "EROFS"],
]);

/** Whether files of a filesystem may be backing files; `type` is its `f_type`, a number of 32 bits. */
export function isLocal(type: number): boolean {
  return NAMES.has(type >>> 0);
}

/** All of them, for people. */
export function localFilesystems(): string[] {
  return [...NAMES.values()];
}
