/** A module of loops whose lookups say `Later`: of "third" until the third try, of "never" for ever. */
import { type FileSystem, Later } from "../../mod.ts";

export default function makeFileSystem(): FileSystem {
  let tries = 0;
  return {
    getAttributes: () => ({ mode: 0o40755 }),
    lookup(_parent, name) {
      if (name === "never" || (name === "third" && ++tries < 3)) throw new Later(1);
      return { node: 2, attributes: { mode: 0o100644, size: tries } };
    },
  };
}
