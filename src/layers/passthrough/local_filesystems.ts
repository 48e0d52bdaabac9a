/**
 * The filesystems that keep a file's bytes on this machine and ask nobody's rights again once it is open. Their files may
 * be handed to the kernel as backing files, which it opens anew, for each open of the mount's, with credentials that are
 * not the caller's; and closing one of their files does nothing that could fail (only F2FS has a `flush` of
 * file_operations, for transactions of its own).
 *
 * Not those of the kernel itself (proc, sysfs, …), whose files have no size and show what the opener may see, nor those
 * that ask a server (NFS, CIFS, FUSE, …). Stacked ones (overlayfs) the kernel would refuse.
 */
import type { Files } from "../../../ffi/symbols/files.ts";

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

/** `sizeof(struct statfs)` where a long has 64 bits; its first word is `f_type`. */
const STATFS_BYTES = 120;

/** Whether files are local, as one loop asks for each that it opens or closes. */
export class LocalFiles {
  readonly #files: Files;
  readonly #homeDevice: number;
  readonly #statistics = new Uint32Array(STATFS_BYTES / 4);
  readonly #statisticsBytes = new Uint8Array(this.#statistics.buffer);
  /** Whether the source's own filesystem is local, once that is known: it stays mounted as long as the source is open. */
  #homeIsLocal: boolean | undefined;

  /** `homeDevice`: the source's own. */
  constructor(files: Files, homeDevice: number) {
    this.#files = files;
    this.#homeDevice = homeDevice;
  }

  /** Whether the file behind `descriptor`, on `device`, is local. */
  has(descriptor: number, device: number): boolean {
    if (device !== this.#homeDevice) return this.#looksLocal(descriptor);
    return this.#homeIsLocal ??= this.#looksLocal(descriptor);
  }

  #looksLocal(descriptor: number): boolean {
    return this.#files.fstatfs(descriptor, this.#statisticsBytes) >= 0 && isLocal(this.#statistics[0]!);
  }
}
