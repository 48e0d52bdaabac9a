/** Reads the values of mount options: each says what it wants when it is given something else. */
import { EXPECTED, parseId, parseMode, parseSeconds, parseSize } from "./values.ts";

/** A mount option that cannot be used; the message says why and what could be. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

function badValue(option: string, expected: string): OptionError {
  return new OptionError(`Cannot read the mount option "${option}": expected ${expected}`);
}

function required<Value>(value: Value | undefined, option: string, expected: string): Value {
  if (value === undefined) throw badValue(option, expected);
  return value;
}

/** Seconds, such as `1` or `0.5`. */
export function readSeconds(value: string, option: string): number {
  return required(parseSeconds(value), option, EXPECTED.seconds);
}

/** Seconds above 0, and at most so many. */
export function readSomeSeconds(value: string, option: string, most: number): number {
  const seconds = readSeconds(value, option);
  if (seconds === 0 || seconds > most) throw badValue(option, `seconds above 0, and at most ${most}`);
  return seconds;
}

/** A number with K, M, G or T, and with % when there is a `whole` for it to be a part of. */
export function readSize(value: string, option: string, whole?: number): number {
  return required(parseSize(value, whole), option, whole === undefined ? EXPECTED.size : EXPECTED.sizeOrPart);
}

/** A whole number between bounds, which may be written as a size. */
export function readCount(
  value: string,
  option: string,
  [least, most]: readonly [least: number, most: number],
): number {
  const count = readSize(value, option);
  if (count < least || count > most) throw badValue(option, `a number from ${least} to ${most}`);
  return count;
}

/** Permissions in octal. */
export function readMode(value: string, option: string): number {
  return required(parseMode(value), option, EXPECTED.mode);
}

/** The number of a user or group. */
export function readId(value: string, option: string): number {
  return required(parseId(value), option, EXPECTED.id);
}

/** One of a few words. */
export function readWord<Word extends string>(value: string, option: string, words: readonly Word[]): Word {
  return required(words.find((word) => word === value), option, `one of ${words.join(", ")}`);
}
