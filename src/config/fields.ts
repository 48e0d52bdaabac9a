/** The kinds of values that a configuration has: each says what it takes, in errors and (by its title) in the reference. */
import { findPatternProblem } from "../layers/wrappers/hidden_names.ts";
import { z } from "./deps.ts";
import {
  DURATION_PATTERN,
  EXPECTED,
  MAX_ID,
  MODE_PATTERN,
  parseDuration,
  parseMode,
  parseSize,
  SIZE_OR_PART_PATTERN,
  SIZE_PATTERN,
} from "./values.ts";

// Not empty, and without "/".
const ONE_NAME = /^[^/]+$/;

/** What zod tells the function that words an error. */
type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

/** Words the errors of a field that expects `what`. */
export function expecting(what: string): (issue: RawIssue) => string {
  return ({ input }) => input === undefined ? `missing; expected ${what}` : `expected ${what}, not ${describe(input)}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** A table with these keys and no others. */
export function table<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: expecting("a table") });
}

/** A text, of a form when there is a pattern, and without NUL, which nothing that the system is told may have. */
export function text(what: string, pattern?: RegExp) {
  const error = expecting(what);
  const string = z.string({ error }).refine((value) => !value.includes("\0"), { error });
  return (pattern === undefined ? string : string.regex(pattern, { error })).meta({ title: "text" });
}

/** A pattern for the names of files that are hidden. */
export function namePattern() {
  const what = "a pattern for names, without /";
  const wellFormed = (value: string, context: z.core.$RefinementCtx<string>) => {
    // What is no single name has been refused by then.
    const problem = ONE_NAME.test(value) ? findPatternProblem(value) : undefined;
    if (problem !== undefined) context.addIssue({ code: "custom", message: `${describe(value)}: ${problem}` });
  };
  return text(what, ONE_NAME).superRefine(wellFormed).meta({ title: "text" });
}

/** A list of `element`s. */
export function list<Element extends z.ZodType>(element: Element, what: string) {
  return z.array(element, { error: expecting(what) });
}

/** `true` or `false`. */
export function flag() {
  return z.boolean({ error: expecting("true or false") });
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: expecting(`one of ${words.join(", ")}`) });
}

/** A whole number between two, both included. */
export function count([least, most]: readonly [least: number, most: number]) {
  const error = expecting(`a whole number from ${least} to ${most}`);
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** The number of a user or group. */
export function id() {
  const error = expecting(EXPECTED.id);
  return z.int({ error }).min(0, { error }).max(MAX_ID, { error });
}

/** Bytes, or another number: an integer, or text with a unit. */
export function size() {
  return written(SIZE_PATTERN, EXPECTED.size, parseSize).meta({ title: "size" });
}

/** The same, or a part of the machine's memory. */
export function sizeOrPart() {
  const parse = (value: string) => parseSize(value, Deno.systemMemoryInfo().total);
  return written(SIZE_OR_PART_PATTERN, EXPECTED.sizeOrPart, parse).meta({ title: "size or %" });
}

function written(pattern: RegExp, what: string, parse: (text: string) => number | undefined) {
  const error = expecting(what);
  const number = z.int({ error }).min(0, { error });
  return z.union([number, text(what, pattern)], { error }).transform((value, context) => {
    const parsed = parse(String(value));
    if (parsed === undefined) context.addIssue({ code: "custom", message: error({ input: value } as RawIssue) });
    return parsed ?? 0;
  });
}

/** Seconds, of text with a unit; a bare number could be milliseconds as well, so only 0 is understood. */
export function duration() {
  const error = expecting(EXPECTED.duration);
  return z.union([z.literal(0, { error }), text(EXPECTED.duration, DURATION_PATTERN)], { error })
    .transform((value) => parseDuration(String(value))!).meta({ title: "duration" });
}

/** Permission bits, of octal digits. An integer is refused: 755 would be 0o1363. */
export function mode() {
  return text(`${EXPECTED.mode}, as text`, MODE_PATTERN).transform((value) => parseMode(value)!).meta({
    title: "octal",
  });
}

/** A path of the host. */
export function hostPath() {
  return text("a path", /\S/).meta({ title: "path" });
}
