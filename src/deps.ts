/** The third-party code that Trellis uses, with its versions: nothing else names a package. */
export { Command, CommanderError, InvalidArgumentError, Option } from "npm:commander@15.1.0";
export { closestString, levenshteinDistance } from "npm:deno-std@1.4.0/text/mod.js";
