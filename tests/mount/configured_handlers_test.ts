/** The suites on a configuration's branches in threads of their own: a directory of the host, and a union of two. */
import { mkdir } from "node:fs/promises";
import { loadConfig, planTree } from "../../src/config/mod.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { mountTemporarily } from "../support/mounted.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { runSuites } from "./suites.ts";

const SKIPPED = NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : "";

const CONFIGURATION = `
[mount]
allow_other = true
[[branch]]
path = "/"
type = "passthrough"
source = "root"
[[branch]]
path = "/directory"
type = "passthrough"
source = "directory"
placement = "handler"
[[branch]]
path = "/directory/union"
type = "union"
sources = ["upper", "lower:ro"]
placement = "handler"
`;

Deno.test({
  name: `branches of a configuration in threads of their own${SKIPPED}`,
  ignore: NO_ORDINARY_USER !== undefined,
  fn: async (t) => {
    await using folder = await temporaryFolder();
    for (const name of ["root", "directory", "upper", "lower"]) await mkdir(`${folder.path}/${name}`, { mode: 0o755 });
    await Deno.writeTextFile(`${folder.path}/t.toml`, CONFIGURATION);
    const { placement, settings } = planTree(await loadConfig(`${folder.path}/t.toml`), 2);
    await using mounted = await mountTemporarily(placement, settings);
    const skip = [{ test: "the device node 0/0 is one like others", reason: "it is a whiteout, as in overlayfs" }];
    await t.step("a directory", (t) => runSuites(t, `${mounted.path}/directory`, { only: ["conformance"] }));
    await t.step("a union", (t) => runSuites(t, `${mounted.path}/directory/union`, { only: ["conformance"], skip }));
  },
});
