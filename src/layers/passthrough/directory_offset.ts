/**
 * Directory positions as numbers. The source's are 63 bits (`d_off` of getdents64); the contract's, like every number
 * here, have 53. Most filesystems count, and positions below 2^52 go through as they are. ext4's are hashes in the
 * order in which it lists: of those the lower 11 bits are cut off, and going on from such a position starts a little
 * earlier, which shows an entry twice only if two names of one directory agree in 52 bits of hash and one of them ends
 * a reply.
 *
 * So a position means the same in every loop, and nothing has to be remembered or cleaned up.
 */

/** From here on a number is a position without its lower bits. */
const CUT = 2 ** 52;
const CUT_BITS = 11;
/** The end of a directory in ext4 and btrfs (2^63 - 1), kept exactly. */
const LAST = Number.MAX_SAFE_INTEGER;

/** A `d_off`, given in two unsigned halves, as an offset of the contract: from 1 to 2^53 - 1. */
export function encodeOffset(low: number, high: number): number {
  if (high < 2 ** 20) return high * 2 ** 32 + low;
  return CUT + (high & 0x7fff_ffff) * 2 ** (32 - CUT_BITS) + (low >>> CUT_BITS);
}

/** The position to seek to for an offset: the `d_off` itself or one shortly before it. */
export function decodeOffset(offset: number): bigint {
  if (offset < CUT) return BigInt(offset);
  return offset === LAST ? (1n << 63n) - 1n : BigInt(offset - CUT) << BigInt(CUT_BITS);
}
