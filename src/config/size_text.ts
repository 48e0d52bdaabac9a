/** Sizes as people read them. */

const UNITS = ["", "K", "M", "G", "T"];

/** Bytes in the largest unit that they fill, such as `64M` or `1.5G`; rounded down to a tenth. */
export function formatSize(bytes: number): string {
  let unit = 0;
  while (unit + 1 < UNITS.length && bytes >= 1024 ** (unit + 1)) unit++;
  return Math.floor(bytes / 1024 ** unit * 10) / 10 + UNITS[unit]!;
}
