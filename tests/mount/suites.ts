/** Every suite that is written over a directory, on one live mount. */
import { conformance } from "../conformance/mod.ts";
import { checkModel } from "../model/mod.ts";
import { realProject } from "../real_project/mod.ts";
import { torture, tortureSizes } from "../torture/mod.ts";
import { run as command, type User } from "../support/command.ts";

export type Suite = "conformance" | "model" | "real project" | "torture";

export interface SuiteOptions {
  /** Only these. Default: all. */
  readonly only?: readonly Suite[];
  /** Whom the suites' processes run as; without one, root. */
  readonly user?: User;
  readonly skip?: readonly { test: string; reason: string }[];
}

/** Runs them in `directory`, which must be writable for the user. */
export async function runSuites(t: Deno.TestContext, directory: string, options: SuiteOptions = {}): Promise<void> {
  const { user, skip = [], only } = options;
  const root = user === undefined;
  const as = root ? {} : { user };
  const step = async (name: Suite, run: (t: Deno.TestContext, path: string) => Promise<void>) => {
    if (only !== undefined && !only.includes(name)) return;
    await t.step(name, async (t) => {
      const path = `${directory}/${name.replaceAll(" ", "-")}`;
      // The mount may be open to the user only.
      await command(["mkdir", "--mode=755", path], as);
      await run(t, path);
    });
  };
  await step("conformance", (t, path) => conformance(t, path, { root, skip }));
  await step("model", async (_t, path) => {
    const reference = await Deno.makeTempDir({ prefix: "trellis-reference-" });
    if (user !== undefined) await Deno.chown(reference, user.uid, user.gid);
    await checkModel(path, reference, { runs: 150, commandsPerRun: 120, ...as });
    await Deno.remove(reference, { recursive: true });
  });
  await step("real project", (t, path) => realProject(t, path, { root, ...as }));
  await step("torture", (t, path) => torture(t, path, { ...tortureSizes(), ...as }));
}
