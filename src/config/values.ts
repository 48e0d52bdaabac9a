/** How sizes, durations, permissions and ids are written: one reading for -o, trellis.toml and the environment. */

/** What each kind of value looks like, to end a sentence that begins with "expected". */
export const EXPECTED = {
  seconds: "seconds, such as 1 or 0.5",
  duration: "a duration with its unit, such as 500ms, 1s, 5m, 2h or 1d, or 0",
  size: "a number, such as 512, 64K, 100M, 2G",
  sizeOrPart: "a number, such as 512, 64K, 100M, 2G or 50%",
  mode: "permissions in octal, such as 755 or 1777",
  id: "the number of a user or group",
} as const;

/** How sizes are spelled. Written without flags, so that a JSON Schema can have them. */
export const SIZE_PATTERN = /^\d+[KMGTkmgt]?$/;
/** How sizes are spelled that may be a part of a whole. */
export const SIZE_OR_PART_PATTERN = /^\d+[KMGTkmgt%]?$/;
/** How durations are spelled. */
export const DURATION_PATTERN = /^(?:0|(?:\d+|\d*\.\d+)(?:ms|s|m|h|d))$/;
/** How permissions are spelled. */
export const MODE_PATTERN = /^[0-7]{1,4}$|^0[0-7]{4}$/;

/** The least and the most loops of a mount. */
export const LOOPS: readonly [number, number] = [1, 16];
/** How many loops a mount has at most unless said: more take from the clients the cores that they need. */
export const MOST_LOOPS_UNASKED = 4;
/** The most handlers beside the loops of a mount. */
export const MOST_HANDLERS = 16;
/** The bounds of the passthrough layer's own check, which messages about options say better. */
export const DESCRIPTORS: readonly [number, number] = [16, 2 ** 24];
/** How many servers that died may be replaced within a minute. */
export const RESTARTS: readonly [number, number] = [0, 1000];
/** The bytes that the kernel takes as max_read: fsparam_u32 in fs/fuse/inode.c. */
export const MAX_READ: readonly [number, number] = [0, 2 ** 32 - 1];
/** The largest user or group id: 2^32 - 1 means "no id" to the kernel. */
export const MAX_ID = 2 ** 32 - 2;

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const SECONDS: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 };

/** Bytes; `%` is understood when there is a `whole` for it to be a part of. Undefined when it is no size. */
export function parseSize(text: string, whole?: number): number | undefined {
  if (!(whole === undefined ? SIZE_PATTERN : SIZE_OR_PART_PATTERN).test(text)) return undefined;
  const unit = /\D?$/.exec(text)![0].toLowerCase();
  const factor = unit === "%" ? whole! / 100 : SIZE_UNITS[unit]!;
  const size = Math.floor(parseInt(text) * factor);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Seconds, of a duration that has its unit. Undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  const unit = /[a-z]*$/.exec(text)![0];
  return parseFloat(text) * (SECONDS[unit] ?? 0);
}

/** Seconds, of a bare number. Undefined when it is none. */
export function parseSeconds(text: string): number | undefined {
  return /^(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

/** Permission bits, of octal digits. Undefined when they are none. */
export function parseMode(text: string): number | undefined {
  return MODE_PATTERN.test(text) ? parseInt(text, 8) : undefined;
}

/** The number of a user or group. Undefined when it is none. */
export function parseId(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}
