/** Errors of a filesystem: one class to throw, and one mapper from anything thrown to an errno. */

/** Linux's errno numbers (asm-generic/errno.h), the same on x86_64 and aarch64. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTBLK: 15,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENOMSG: 42,
  EIDRM: 43,
  ECHRNG: 44,
  EL2NSYNC: 45,
  EL3HLT: 46,
  EL3RST: 47,
  ELNRNG: 48,
  EUNATCH: 49,
  ENOCSI: 50,
  EL2HLT: 51,
  EBADE: 52,
  EBADR: 53,
  EXFULL: 54,
  ENOANO: 55,
  EBADRQC: 56,
  EBADSLT: 57,
  EBFONT: 59,
  ENOSTR: 60,
  ENODATA: 61,
  ETIME: 62,
  ENOSR: 63,
  ENONET: 64,
  ENOPKG: 65,
  EREMOTE: 66,
  ENOLINK: 67,
  EADV: 68,
  ESRMNT: 69,
  ECOMM: 70,
  EPROTO: 71,
  EMULTIHOP: 72,
  EDOTDOT: 73,
  EBADMSG: 74,
  EOVERFLOW: 75,
  ENOTUNIQ: 76,
  EBADFD: 77,
  EREMCHG: 78,
  ELIBACC: 79,
  ELIBBAD: 80,
  ELIBSCN: 81,
  ELIBMAX: 82,
  ELIBEXEC: 83,
  EILSEQ: 84,
  ERESTART: 85,
  ESTRPIPE: 86,
  EUSERS: 87,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EPFNOSUPPORT: 96,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENETRESET: 102,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ETOOMANYREFS: 109,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  ESTALE: 116,
  EUCLEAN: 117,
  ENOTNAM: 118,
  ENAVAIL: 119,
  EISNAM: 120,
  EREMOTEIO: 121,
  EDQUOT: 122,
  ENOMEDIUM: 123,
  EMEDIUMTYPE: 124,
  ECANCELED: 125,
  ENOKEY: 126,
  EKEYEXPIRED: 127,
  EKEYREVOKED: 128,
  EKEYREJECTED: 129,
  EOWNERDEAD: 130,
  ENOTRECOVERABLE: 131,
  ERFKILL: 132,
} as const;

/** An errno by its name, such as `"ENOENT"`. */
export type ErrnoName = keyof typeof ERRNO;

const names = new Map<number, ErrnoName>(
  Object.entries(ERRNO).map(([name, number]) => [number, name as ErrnoName]),
);

/** The name of an errno number, or undefined for one that Linux does not have. */
export function errnoName(errno: number): ErrnoName | undefined {
  return names.get(errno);
}

const stacks: { stackTraceLimit: number | undefined } = Error;

/**
 * What is thrown as an ordinary answer, and so has no stack, which saves a quarter of what it costs (1 µs of 4). A limit
 * of 0 saves nothing: then there is a stack, without calls.
 */
class Answer extends Error {
  constructor(message: string, options?: ErrorOptions) {
    const limit = stacks.stackTraceLimit;
    stacks.stackTraceLimit = undefined;
    super(message, options);
    stacks.stackTraceLimit = limit;
  }
}

/**
 * What a filesystem throws to refuse an operation. The caller gets `code` as its errno; the message is for people.
 *
 * ```ts
 * import { FsError } from "../../mod.ts";
 * const refusal = new FsError("EROFS", "The archive cannot be changed");
 * console.assert(refusal.errno === 30);
 * ```
 */
export class FsError extends Answer {
  /** The name of the class. */
  override readonly name = "FsError";
  /** The errno's name. */
  readonly code: ErrnoName;

  /** `message` is for people; by default the errno's name. */
  constructor(code: ErrnoName, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The errno's number. */
  get errno(): number {
    return ERRNO[this.code];
  }
}

// Deno's error classes carry no code of their own when they do not come from the system.
const denoErrors: readonly [new () => Error, ErrnoName][] = [
  [Deno.errors.NotFound, "ENOENT"],
  [Deno.errors.AlreadyExists, "EEXIST"],
  [Deno.errors.PermissionDenied, "EACCES"],
  [Deno.errors.NotCapable, "EACCES"],
  [Deno.errors.TimedOut, "ETIMEDOUT"],
  [Deno.errors.WouldBlock, "EAGAIN"],
  [Deno.errors.Interrupted, "EINTR"],
  [Deno.errors.IsADirectory, "EISDIR"],
  [Deno.errors.NotADirectory, "ENOTDIR"],
  [Deno.errors.FilesystemLoop, "ELOOP"],
  [Deno.errors.NotSupported, "EOPNOTSUPP"],
  [Deno.errors.Busy, "EBUSY"],
  [Deno.errors.BrokenPipe, "EPIPE"],
  [Deno.errors.ConnectionRefused, "ECONNREFUSED"],
  [Deno.errors.ConnectionReset, "ECONNRESET"],
  [Deno.errors.AddrInUse, "EADDRINUSE"],
];

/**
 * The errno name for anything thrown, or undefined when it is no error that a filesystem can mean: those are bugs,
 * answered with `EIO` and logged. Known are {@linkcode FsError}, whatever has an errno name as its `code` (Deno's and
 * node's system errors), Deno's error classes, `AbortError` (`EINTR`), `TimeoutError` (`ETIMEDOUT`) and `RangeError`
 * (`EINVAL`).
 */
export function errnoNameOf(thrown: unknown): ErrnoName | undefined {
  if (thrown instanceof FsError) return thrown.code;
  if (!(thrown instanceof Error)) return undefined;
  const code = (thrown as { code?: unknown }).code;
  if (typeof code === "string" && Object.hasOwn(ERRNO, code)) return code as ErrnoName;
  for (const [kind, name] of denoErrors) {
    if (thrown instanceof kind) return name;
  }
  if (thrown.name === "AbortError") return "EINTR";
  if (thrown.name === "TimeoutError") return "ETIMEDOUT";
  if (thrown instanceof RangeError) return "EINVAL";
  return undefined;
}

/** What was thrown, for a log: the stack of an error, other things as text, nothing for nothing. */
export function describeThrown(thrown: unknown): string {
  if (thrown === undefined) return "";
  return thrown instanceof Error ? thrown.stack ?? String(thrown) : String(thrown);
}

/**
 * What a method throws that cannot answer yet and must not wait, such as one that takes a lock inside a loop. The request
 * is kept and the method called again after `milliseconds`, then after ever longer times up to a fiftieth of a second,
 * until it answers; a caller that is interrupted meanwhile gets `EINTR`. Methods that may be async have no need of it.
 */
export class Later extends Answer {
  /** The name of the class. */
  override readonly name = "Later";
  /** Until the method is called again for the first time. */
  readonly milliseconds: number;

  /** From 0 on. */
  constructor(milliseconds: number) {
    super(`Ask again in ${milliseconds} ms`);
    this.milliseconds = milliseconds;
  }
}

/**
 * What a method inside a loop throws when a handler beside the loops is to answer (`LoopPlacement.handlers`): the request
 * is handed on as it came, and nothing else happens to it in the loop. Forgets are handed on one node at a time. Make one
 * for each handler, and throw it again and again.
 */
export class Elsewhere extends Answer {
  /** The name of the class. */
  override readonly name = "Elsewhere";
  /** The handler's number, from 0. */
  readonly handler: number;

  /** For handler number `handler`, from 0. */
  constructor(handler: number) {
    super(`Handler ${handler} answers this`);
    this.handler = handler;
  }
}
