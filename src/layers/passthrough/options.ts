/** The options of a passthrough mount, checked, and what each caching mode promises. */

/**
 * How far the kernel may trust what it has seen, when the source may change behind the mount:
 *
 * - `never`: nothing is kept. Every stat, lookup, read and write reaches the source.
 * - `auto`: what the kernel knows is at most a second old; data that changed is read again. An open keeps what was read of
 *   a file of a local filesystem, up to a minute ago, if its change time is the same: see `UnchangedFiles`.
 * - `always`: for a source that nobody else changes. The kernel keeps names, attributes and data as long as it likes.
 */
export type CacheMode = "never" | "auto" | "always";

/** Options of the layer; they survive a structured clone. */
export interface PassthroughOptions {
  /** The directory to show. */
  source: string;
  /** Default `auto`. The mount's timeouts are to be those of `CACHE_TIMEOUTS`, or what the user asked for. */
  cache?: CacheMode;
  /**
   * The kernel gathers writes and sends them later (feature `writeback-cache`). Size and times are then the kernel's
   * own: changes of an open file from behind are not seen, and blocks count when they have been sent. Not with `cache:
   * "never"`. Default false.
   */
  writeback?: boolean;
  /**
   * Whether the kernel itself reads, writes and maps files where it can: as root, on local filesystems (see
   * `local_filesystems.ts`), without `writeback`. What is read is then the source's own, at once; elsewhere nothing changes.
   * Default true.
   */
  kernelPassthrough?: boolean;
  /**
   * Whether POSIX record locks are taken in the source too, so that its own programs see them. If not, the kernel keeps
   * them among the users of the mount, and most closes are a request less: see `FileOpening`. Default true.
   */
  remotePosixLock?: boolean;
  /** The same of flock(2), but for the closes. Default true. */
  remoteFlock?: boolean;
  /** Whether other filesystems mounted below the source are shown; if not, entering one is `EXDEV`. Default true. */
  crossMounts?: boolean;
  /** How many descriptors may be kept for files that nobody has open. Default: half of the process's limit. */
  maxDescriptors?: number;
  /** How many files the kernel may know at a time; memory for them is taken only as needed. Default 4,194,304. */
  maxNodes?: number;
}

/** The same with everything said. */
export type CheckedOptions = Required<Omit<PassthroughOptions, "maxDescriptors">> & { maxDescriptors?: number };

/** Seconds that names and attributes may be cached, for the mount's options of the same names. */
export const CACHE_TIMEOUTS: Readonly<Record<CacheMode, number>> = { never: 0, auto: 1, always: 86_400 };

const MODES = Object.keys(CACHE_TIMEOUTS) as CacheMode[];

/** Node ids hold 24 bits of place. */
const MOST_NODES = 1 << 24;

/** Fills in the defaults. @throws {TypeError} that says what is wrong and what would be right. */
export function checkOptions(options: PassthroughOptions): CheckedOptions {
  const { source, cache = "auto", writeback = false, kernelPassthrough = true, crossMounts = true } = options;
  const { remotePosixLock = true, remoteFlock = true, maxNodes = 1 << 22 } = options;
  if (typeof source !== "string" || source === "" || source.includes("\0")) {
    throw new TypeError(`Cannot use ${JSON.stringify(source)} as source: name a directory`);
  }
  if (!MODES.includes(cache)) {
    throw new TypeError(`Cannot use "${cache}" as cache: choose one of ${MODES.join(", ")}`);
  }
  if (writeback && cache === "never") {
    throw new TypeError('Cannot use writeback with cache "never": it is a cache; choose "auto" or "always"');
  }
  checkCount("maxNodes", maxNodes, 64, MOST_NODES);
  const checked: CheckedOptions = {
    ...{ source, cache, writeback, kernelPassthrough, remotePosixLock, remoteFlock, crossMounts, maxNodes },
  };
  if (options.maxDescriptors !== undefined) {
    checkCount("maxDescriptors", options.maxDescriptors, 16, MOST_NODES);
    checked.maxDescriptors = options.maxDescriptors;
  }
  return checked;
}

function checkCount(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new TypeError(`Cannot use ${value} as ${name}: choose a whole number from ${least} to ${most}`);
  }
}
