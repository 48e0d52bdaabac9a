/**
 * Finds and opens the shared libraries: libfuse3 by its sonames, libc. Nothing is opened on import; each isolate opens
 * what it needs once and keeps it for its life, since the code may be in use by a thread until the very end.
 */
import { errnoView, stringAt } from "./memory.ts";
import { openSymbols } from "./open_symbols.ts";
import { LIBC } from "./symbols/libc.ts";
import { PROCESS } from "./symbols/process.ts";
import { SESSION } from "./symbols/session.ts";
import { URING } from "./symbols/uring.ts";

/** The oldest libfuse that is known to work, as `fuse_version()` counts. */
const OLDEST_LIBFUSE = 310;

/** `.so.4` is libfuse 3.17 and newer, `.so.3` everything before. The unversioned name exists only with -dev packages. */
const SONAMES = ["libfuse3.so.4", "libfuse3.so.3"];

/** libfuse as it was found. */
export interface Libfuse {
  readonly symbols: Deno.DynamicLibrary<typeof SESSION>["symbols"];
  /** The soname or path that opened. */
  readonly path: string;
  /** As in "3.14.0". */
  readonly version: string;
}

/** libc, with the errno of the isolate's thread. */
export interface Libc {
  readonly symbols: Deno.DynamicLibrary<typeof LIBC>["symbols"];
  /** `errno[0]` is what the last failed call of this thread left. Read it at once. */
  readonly errno: Int32Array;
}

/** libfuse cannot be used; the message says every name that was tried and what came of it. */
export class LibraryError extends Error {
  /** The name of the class. */
  override readonly name = "LibraryError";
}

/** libc's part for io_uring, with the errno of the isolate's thread. */
export interface LibcUring {
  readonly symbols: Deno.DynamicLibrary<typeof URING>["symbols"];
  readonly errno: Int32Array;
}

let libfuse: Libfuse | undefined;
let libc: Libc | undefined;
let libcUring: LibcUring | undefined;
let libcProcess: Deno.DynamicLibrary<typeof PROCESS>["symbols"] | undefined;

/** The names that `openLibfuse` tries, in order: `TRELLIS_LIBFUSE` alone when it is set. */
export function libfuseNames(): readonly string[] {
  const named = Deno.env.get("TRELLIS_LIBFUSE");
  return named === undefined || named === "" ? SONAMES : [named];
}

/**
 * Opens libfuse3, once per isolate.
 *
 * @throws {LibraryError} when none of the names opens or the one that does is older than {@linkcode OLDEST_LIBFUSE}.
 */
export function openLibfuse(): Libfuse {
  if (libfuse !== undefined) return libfuse;
  const tried: string[] = [];
  for (const path of libfuseNames()) {
    try {
      const { symbols } = Deno.dlopen(path, SESSION);
      const number = symbols.fuse_version();
      const version = stringAt(symbols.fuse_pkgversion());
      if (number < OLDEST_LIBFUSE) {
        throw new LibraryError(`Cannot use libfuse ${version} (${path}): Trellis needs 3.10 or newer`);
      }
      return libfuse = { symbols, path, version };
    } catch (error) {
      if (error instanceof LibraryError || error instanceof Deno.errors.NotCapable) throw error;
      tried.push(`  ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new LibraryError(
    `Cannot open libfuse3. Tried:\n${tried.join("\n")}\n` +
      "Install it (Debian and Ubuntu: apt-get install fuse3; or sh setup.sh), or name it with TRELLIS_LIBFUSE",
  );
}

/** Opens libc, once per isolate. */
export function openLibc(): Libc {
  if (libc === undefined) {
    const symbols = openSymbols("libc.so.6", LIBC);
    libc = { symbols, errno: errnoView(symbols.__errno_location()) };
  }
  return libc;
}

/** Opens what io_uring needs of libc, once per isolate. */
export function openLibcUring(): LibcUring {
  if (libcUring === undefined) {
    const symbols = openSymbols("libc.so.6", URING);
    libcUring = { symbols, errno: errnoView(symbols.__errno_location()) };
  }
  return libcUring;
}

/** Opens what processes need of libc, once per isolate. */
export function openLibcProcess(): Deno.DynamicLibrary<typeof PROCESS>["symbols"] {
  return libcProcess ??= openSymbols("libc.so.6", PROCESS);
}
