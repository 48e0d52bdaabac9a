/** A filesystem that knows every answer: what is measured with it is the library alone. */
import type { FileSystem } from "../mod.ts";

const directory = { mode: 0o40755, links: 2 };
const folder = { node: 3, attributes: directory };
const entry = { node: 2, attributes: { mode: 0o100644, size: 4096 } };

/** Serves as a module of loops and, made by hand, as an object. */
export default function makeConstant(): FileSystem {
  return {
    // The client works in a folder with a number for a name.
    lookup: (_parent, name) => name < ":" ? folder : entry,
    getAttributes: (node) => node === 2 ? entry.attributes : directory,
  };
}
