/** The real-project test on directories of this machine: filesystems known to be right must pass. */
import { realProject, type RealProjectOptions } from "./real_project/mod.ts";

const root = Deno.uid() === 0;

async function check(t: Deno.TestContext, parent: string | undefined, options: RealProjectOptions): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "trellis-project-", ...(parent && { dir: parent }) });
  if (options.user) await Deno.chown(directory, options.user.uid, options.user.gid);
  try {
    await realProject(t, directory, options);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a real project lives in the temporary directory", (t) => check(t, undefined, { root }));

Deno.test({
  name: `a real project of an ordinary user lives in /dev/shm${root ? "" : " (skipped: needs root)"}`,
  ignore: !root,
  fn: (t) => check(t, "/dev/shm", { root: false, user: { uid: 1000, gid: 1000 } }),
});
