/** The model test on directories of this machine: two filesystems known to be right must not differ. */
import { assertRejects } from "./deps.ts";
import { checkModel } from "./model/mod.ts";

/** A directory open to all, removed again at the end. */
async function makeOpenDirectory(parent?: string): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "trellis-model-", ...(parent && { dir: parent }) });
  await Deno.chmod(path, 0o777);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const root = Deno.uid() === 0;
const ordinary = { uid: 1000, gid: 1000 };

Deno.test("random operations have the same results in the temporary directory and in /dev/shm", async () => {
  await using directory = await makeOpenDirectory();
  await using reference = await makeOpenDirectory("/dev/shm");
  await checkModel(directory.path, reference.path, { runs: 300, commandsPerRun: 150 });
});

Deno.test({
  name: `random operations of an ordinary user have the same results${root ? "" : " (skipped: needs root)"}`,
  ignore: !root,
  fn: async () => {
    await using directory = await makeOpenDirectory();
    await using reference = await makeOpenDirectory("/dev/shm");
    await checkModel(directory.path, reference.path, { runs: 300, commandsPerRun: 150, user: ordinary });
  },
});

Deno.test({
  name: `a difference is found and shortened${root ? "" : " (skipped: needs root)"}`,
  ignore: !root,
  fn: async () => {
    await using directory = await makeOpenDirectory();
    await using reference = await makeOpenDirectory();
    // With the setgid bit everything made inside belongs to another group.
    await Deno.chown(directory.path, 0, 1);
    await Deno.chmod(directory.path, 0o2777);
    await assertRejects(
      () => checkModel(directory.path, reference.path, { runs: 20, commandsPerRun: 50, seed: 1 }),
      Error,
      "differs from",
    );
  },
});
