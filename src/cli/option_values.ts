/** Reads the values of mount options: each says what it wants when it is given something else. */
import { Failure } from "./failure.ts";

function badValue(option: string, expected: string): Failure {
  return new Failure("USAGE", `Cannot read the mount option "${option}": ${expected}`);
}

/** Seconds, such as `1` or `0.5`. */
export function readSeconds(value: string, option: string): number {
  if (!/^(?:\d+\.?\d*|\.\d+)$/.test(value)) throw badValue(option, "expected seconds, such as 1 or 0.5");
  return Number(value);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A number with K, M, G or T, and with % when there is a `whole` for it to be a part of. */
export function readSize(value: string, option: string, whole?: number): number {
  const found = /^(\d+)([kmgt%]?)$/i.exec(value);
  const unit = found?.[2]?.toLowerCase();
  const factor = unit === "%" ? whole && whole / 100 : UNITS[unit ?? "none"];
  const size = Math.floor(Number(found?.[1]) * (factor ?? NaN));
  if (!Number.isSafeInteger(size)) {
    throw badValue(option, `expected a number, such as 512, 64K, 100M, 2G${whole === undefined ? "" : " or 50%"}`);
  }
  return size;
}

/** A whole number between bounds, which may be written as a size. */
export function readCount(
  value: string,
  option: string,
  [least, most]: readonly [least: number, most: number],
): number {
  const count = readSize(value, option);
  if (count < least || count > most) throw badValue(option, `expected a number from ${least} to ${most}`);
  return count;
}

/** Permissions in octal. */
export function readMode(value: string, option: string): number {
  if (!/^[0-7]{1,5}$/.test(value) || parseInt(value, 8) > 0o7777) {
    throw badValue(option, "expected permissions in octal, such as 755 or 1777");
  }
  return parseInt(value, 8);
}

/** The largest user or group id: 2^32 - 1 means "no id" to the kernel. */
const MAX_ID = 2 ** 32 - 2;

/** The number of a user or group. */
export function readId(value: string, option: string): number {
  if (!/^\d+$/.test(value) || Number(value) > MAX_ID) throw badValue(option, "expected the number of a user or group");
  return Number(value);
}

/** One of a few words. */
export function readWord<Word extends string>(value: string, option: string, words: readonly Word[]): Word {
  const word = words.find((word) => word === value);
  if (word === undefined) throw badValue(option, `expected one of ${words.join(", ")}`);
  return word;
}
