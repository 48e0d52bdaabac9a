/** The third-party code that Trellis uses, with its versions: nothing else names a package. Each file by itself: they load fast. */
export { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";
export { basename } from "npm:deno-std@1.4.0/path/posix/basename.js";
export { dirname } from "npm:deno-std@1.4.0/path/posix/dirname.js";
export { join } from "npm:deno-std@1.4.0/path/posix/join.js";
// Without Deno.cwd() as what comes first it would ask Node's process, for which Deno loads Node's modules.
export { resolve } from "npm:deno-std@1.4.0/path/posix/resolve.js";
export { closestString } from "npm:deno-std@1.4.0/text/closest_string.js";
export { levenshteinDistance } from "npm:deno-std@1.4.0/text/levenshtein_distance.js";
