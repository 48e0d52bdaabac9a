/** libc as one loop uses it: the open table, this thread's errno, C strings made in place, and errors with names. */
import { errnoView } from "../../../ffi/memory.ts";
import { type Files, openFiles } from "../../../ffi/symbols/files.ts";
import { ERRNO, errnoName, FsError } from "../../fs/errors.ts";
import { encodeNameInto } from "../../fs/names.ts";

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EACCESS = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;

/** The empty path: with `AT_EMPTY_PATH` a call means the descriptor itself. */
export const EMPTY = new Uint8Array(1);

/** The longest path or symbolic link, with its zero (linux/limits.h: PATH_MAX). */
export const PATH_MAX = 4096;

const SLASH = 0x2f;
const DOT = 0x2e;

/** Belongs to the thread that made it: errno is a thread's own. */
export class SystemCalls {
  readonly files: Files = openFiles();
  readonly #errno: Int32Array = errnoView(this.files.__errno_location());

  /** What the last failed call left; to be read before the next one. */
  get errno(): number {
    return this.#errno[0]!;
  }

  /** Turns a call's -1 into the error that `errno` names. */
  check(result: number, attempt: string): number {
    if (result < 0) throw this.failure(attempt);
    return result;
  }

  /** The error that `errno` names. */
  failure(attempt: string): FsError {
    const errno = this.errno;
    return new FsError(errnoName(errno) ?? "EIO", `Cannot ${attempt}: ${errnoName(errno) ?? `errno ${errno}`}`);
  }

  /** Closes a descriptor; what it answers does not matter, the descriptor is gone in any case (close(2)). */
  close(descriptor: number): void {
    this.files.close(descriptor);
  }
}

/** Bytes that are written again and again, and made when they are first needed: many sources never do. */
export class Scratch {
  readonly #size: number;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= new Uint8Array(this.#size);
  }
}

/** A C string that is written again and again. */
export class StringBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Without the zero. */
  length = 0;

  constructor(size: number = PATH_MAX + 1) {
    this.bytes = new Uint8Array(size);
  }

  /** Takes any string but one with a zero inside. */
  put(text: string): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    const length = encodeNameInto(text, bytes, 0);
    if (length < 0 || length >= bytes.length) throw new FsError("ENAMETOOLONG", `Cannot use ${text.length} characters`);
    for (let at = 0; at < length; at++) {
      if (bytes[at] === 0) throw new FsError("EINVAL", "Cannot use a string with a zero byte inside");
    }
    bytes[length] = 0;
    this.length = length;
    return bytes;
  }

  /**
   * Takes one component of a path, and nothing that is more: with `O_NOFOLLOW` (or a call that does not follow) a
   * single name that is neither "." nor ".." cannot lead out of its directory, so no walk needs `openat2`.
   */
  putName(name: string): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    const length = encodeNameInto(name, bytes, 0);
    if (length < 0 || length >= bytes.length) throw new FsError("ENAMETOOLONG", `Name of ${name.length} characters`);
    let safe = length > 0 && !(bytes[0] === DOT && (length === 1 || (length === 2 && bytes[1] === DOT)));
    for (let at = 0; at < length; at++) {
      const byte = bytes[at];
      if (byte === SLASH || byte === 0) safe = false;
    }
    if (!safe) throw new FsError("EINVAL", `Cannot use ${JSON.stringify(name)} as a file name`);
    bytes[length] = 0;
    this.length = length;
    return bytes;
  }

  /** Writes a number after `start` bytes that stay. */
  putNumber(value: number, start = 0): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    let digits = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits++;
    let rest = value;
    for (let at = start + digits - 1; at >= start; at--) {
      bytes[at] = 0x30 + rest % 10;
      rest = (rest / 10) | 0;
    }
    bytes[start + digits] = 0;
    return bytes;
  }
}

const PROC = "/proc/self/fd/";

/** A descriptor's path in /proc, for calls that take nothing but a path: its link leads to the very inode. */
export class ProcPath {
  readonly #buffer = new StringBuffer(32);

  constructor() {
    this.#buffer.put(PROC);
  }

  of(descriptor: number): Uint8Array<ArrayBuffer> {
    return this.#buffer.putNumber(descriptor, PROC.length);
  }
}

/** The errno numbers that are looked at by number. */
export const { EEXIST, EINVAL, EMFILE, ENFILE, ENODATA, ENOENT, ENOTDIR, ESTALE } = ERRNO;
