/**
 * The filesystems that keep a file's bytes on this machine and ask nobody's rights again once it is open. Their files may
 * be handed to the kernel as backing files, which it opens anew, for each open of the mount's, with credentials that are
 * not the caller's; and closing one of their files does nothing that could fail (only F2FS has a `flush` of
 * file_operations, for transactions of its own).
 *
 * Not those of the kernel itself (proc, sysfs, …), whose files have no size and show what the opener may see, nor those
 * that ask a server (NFS, CIFS, FUSE, …). Stacked ones (overlayfs) the kernel would refuse.
 */
import { isKernelFrom } from "../../../ffi/kernel_release.ts";
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

/** Of these, the ones whose types have FS_MGTIME (include/linux/fs.h, Linux 6.13): ext4, tmpfs, XFS, Btrfs. */
const MULTIGRAIN: readonly number[] = [0xef53, 0x01021994, 0x58465342, 0x9123683e];

/**
 * Whether a filesystem gives each change a time of its own that comes after a statx(2) of the change time, as ticks of a
 * clock do not (Documentation/filesystems/multigrain-ts.rst). `release`: the kernel's, as uname(2) says it.
 */
export function isMultigrain(type: number, release: string): boolean {
  return MULTIGRAIN.includes(type >>> 0) && isKernelFrom(6, 13, release);
}

/** All of them, for people. */
export function localFilesystems(): string[] {
  return [...NAMES.values()];
}

/** `sizeof(struct statfs)` where a long has 64 bits; its first word is `f_type`. */
const STATFS_BYTES = 120;

/** What is known of a filesystem. */
interface Known {
  readonly isLocal: boolean;
  readonly isMultigrain: boolean;
}

/** Whether files are local, as one loop asks for each that it opens or closes. */
export class LocalFiles {
  readonly #files: Files;
  readonly #homeDevice: number;
  readonly #release = Deno.osRelease();
  readonly #statistics = new Uint32Array(STATFS_BYTES / 4);
  readonly #statisticsBytes = new Uint8Array(this.#statistics.buffer);
  /** The source's own filesystem, once it is known: it stays mounted as long as the source is open. */
  #home: Known | undefined;

  /** `homeDevice`: the source's own. */
  constructor(files: Files, homeDevice: number) {
    this.#files = files;
    this.#homeDevice = homeDevice;
  }

  /** Whether the file behind `descriptor`, on `device`, is local. */
  has(descriptor: number, device: number): boolean {
    return this.#filesystemOf(descriptor, device).isLocal;
  }

  /** Whether each of its changes has a time of its own: see {@linkcode isMultigrain}. */
  isMultigrain(descriptor: number, device: number): boolean {
    return this.#filesystemOf(descriptor, device).isMultigrain;
  }

  #filesystemOf(descriptor: number, device: number): Known {
    if (device !== this.#homeDevice) return this.#ask(descriptor);
    return this.#home ??= this.#ask(descriptor);
  }

  #ask(descriptor: number): Known {
    if (this.#files.fstatfs(descriptor, this.#statisticsBytes) < 0) return { isLocal: false, isMultigrain: false };
    const type = this.#statistics[0]!;
    return { isLocal: isLocal(type), isMultigrain: isMultigrain(type, this.#release) };
  }
}
