/** The suites on a union of a writable and a read-only directory of the host. */
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { mountTemporarily } from "../support/mounted.ts";
import { runSuites } from "./suites.ts";

Deno.test({
  name: `a union${NO_ORDINARY_USER === undefined ? "" : ` (skipped: ${NO_ORDINARY_USER})`}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "trellis-union-" });
    try {
      const branches = [{ source: `${folder}/upper`, writable: true }, { source: `${folder}/lower`, writable: false }];
      for (const { source } of branches) await Deno.mkdir(source);
      const module = new URL("../support/union_module.ts", import.meta.url);
      const options = { defaultPermissions: true, allowOther: true };
      await using union = await mountTemporarily({ module, options: { branches } }, options);
      const skip = [{ test: "the device node 0/0 is one like others", reason: "it is a whiteout, as in overlayfs" }];
      await runSuites(t, union.path, { skip });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
