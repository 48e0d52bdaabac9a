/**
 * File names between bytes and strings. Linux names are bytes; most are UTF-8. Bytes that are not become lone
 * surrogates U+DC80…U+DCFF, one each, and go back to the same bytes (surrogate escape: PEP 383, as in Python).
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The longest name (linux/limits.h: NAME_MAX). Targets of symbolic links are longer. */
const NAME_MAX = 255;

/**
 * By length: the codes of a name, which `fromCharCode` makes a string of at once. Between bytes and bytes a name of 18
 * characters took 90 ns so, 270 when they were added one by one, and 300 with a TextDecoder.
 */
const codes: (number[] | undefined)[] = [];

/** The string of `bytes[start, end)`. */
export function decodeName(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const length = end - start;
  if (length > NAME_MAX) return decodeWide(bytes.slice(start, end));
  const units = codes[length] ??= new Array(length).fill(0);
  for (let at = 0; at < length; at++) {
    const byte = bytes[start + at]!;
    if (byte >= 0x80) return decodeWide(bytes.slice(start, end));
    units[at] = byte;
  }
  return String.fromCharCode.apply(undefined, units);
}

function decodeWide(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

function decodeEscaped(bytes: Uint8Array): string {
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      name += String.fromCharCode(0xdc00 + bytes[at]!);
      at++;
    } else {
      name += strict.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return name;
}

/** How many bytes the well-formed UTF-8 sequence at `at` has, or 0 (table 3-7 of the Unicode standard). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead <= 0xdf
    ? 2
    : lead >= 0xe0 && lead <= 0xef
    ? 3
    : lead >= 0xf0 && lead <= 0xf4
    ? 4
    : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = 2; next < length; next++) {
    if ((bytes[at + next]! & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/**
 * Writes `name` into `target` at `start` and returns how many bytes it took; -1 when it does not fit.
 * Nothing is written after the name: a C string's closing zero is the caller's.
 */
export function encodeNameInto(name: string, target: Uint8Array, start: number): number {
  const length = name.length;
  if (start + length > target.length) return -1;
  for (let at = 0; at < length; at++) {
    const unit = name.charCodeAt(at);
    if (unit >= 0x80) {
      const bytes = encodeWide(name);
      if (start + bytes.length > target.length) return -1;
      target.set(bytes, start);
      return bytes.length;
    }
    target[start + at] = unit;
  }
  return length;
}

/** The bytes of `name`. */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  return encodeWide(name);
}

function encodeWide(name: string): Uint8Array<ArrayBuffer> {
  if (name.isWellFormed()) return encoder.encode(name);
  const bytes: number[] = [];
  // Iterating by code point leaves lone surrogates, and only those, as single units.
  for (const character of name) {
    const point = character.codePointAt(0)!;
    if (point >= 0xdc80 && point <= 0xdcff) bytes.push(point - 0xdc00);
    else bytes.push(...encoder.encode(character));
  }
  return new Uint8Array(bytes);
}
