/** What the kernel's FUSE can do, by plain names: `FUSE_HANDLE_KILLPRIV_V2` is `handle-killpriv-v2`. */
import { INIT_FLAG_BITS } from "../../ffi/kernel.ts";

/** A feature's name: INIT's flag without its prefix, in kebab case. */
export type Feature = string;

const bits = new Map<Feature, number>(
  Object.entries(INIT_FLAG_BITS).map((
    [flag, bit],
  ) => [flag.slice("FUSE_".length).toLowerCase().replaceAll("_", "-"), bit]),
);

/** All names, by bit. */
function allFeatures(): Feature[] {
  return [...bits.keys()];
}

/** The names of the set bits of INIT's two flag words. */
export function decodeFeatures(flags: number, flags2: number): Set<Feature> {
  const set = new Set<Feature>();
  for (const [name, bit] of bits) {
    const word = bit < 32 ? flags : flags2;
    if ((word >>> (bit % 32)) & 1) set.add(name);
  }
  return set;
}

/** INIT's two flag words for these names. */
export function encodeFeatures(features: Iterable<Feature>): { flags: number; flags2: number } {
  let flags = 0;
  let flags2 = 0;
  for (const name of features) {
    const bit = bits.get(name);
    if (bit === undefined) throw new TypeError(`Unknown FUSE feature "${name}": known are ${allFeatures().join(", ")}`);
    if (bit < 32) flags |= 1 << bit;
    else flags2 |= 1 << (bit - 32);
  }
  return { flags: flags >>> 0, flags2: flags2 >>> 0 };
}

/**
 * Asked of every kernel, for every filesystem: what makes requests fewer or larger and means nothing for what files are.
 * `init-ext` is the second flag word itself.
 */
const ALWAYS: readonly Feature[] = [
  "async-read",
  "big-writes",
  "auto-inval-data",
  "async-dio",
  "parallel-dirops",
  "max-pages",
  "init-ext",
  "setxattr-ext",
  "has-ioctl-dir",
  "has-expire-only",
  "has-resend",
  "abort-error",
];

/** Which features a filesystem brings by having a method. */
const BY_METHOD: readonly [string, readonly Feature[]][] = [
  ["readDirectoryPlus", ["do-readdirplus", "readdirplus-auto"]],
  ["setLock", ["posix-locks"]],
  ["setWholeFileLock", ["flock-locks"]],
];

/** What to ask for: the usual, what methods bring, and what the filesystem names itself. */
export function wantedFeatures(methods: ReadonlySet<string>, named: Iterable<Feature>): Set<Feature> {
  const wanted = new Set<Feature>(ALWAYS);
  for (const [method, features] of BY_METHOD) {
    if (methods.has(method)) features.forEach((feature) => wanted.add(feature));
  }
  for (const feature of named) wanted.add(feature);
  // The kernel takes one of the two (process_init_reply in fs/fuse/inode.c); who names the rarer one means it.
  if (wanted.has("explicit-inval-data")) wanted.delete("auto-inval-data");
  return wanted;
}
