/** What to say of a name that is not known. */
import { closestString, levenshteinDistance } from "../deps.ts";

/** The one of `known` that was probably meant: at most a third of `name` is wrong, in whatever case. Undefined when none is like it. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const nearest = closestString(name, [...known]);
  const distance = levenshteinDistance(name.toLowerCase(), nearest.toLowerCase());
  return distance <= Math.ceil(name.length / 3) ? nearest : undefined;
}

/** The rest of a sentence that begins with the unknown name. */
export function describeKnown(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? `known are ${known.join(", ")}` : `the nearest known one is "${nearest}"`;
}
