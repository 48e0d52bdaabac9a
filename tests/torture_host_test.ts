/** The torture on directories of this machine: filesystems known to be right must pass. */
import { checkThatChangingSourceNotices, tortureChangingSource } from "./torture/changing_source.ts";
import { checkThatFsxNotices, torture, tortureSizes } from "./torture/mod.ts";

async function makeDirectory(parent?: string): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "trellis-torture-", ...(parent && { dir: parent }) });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("the temporary directory survives the torture", async (t) => {
  await using directory = await makeDirectory();
  await torture(t, directory.path, tortureSizes());
});

Deno.test("/dev/shm survives the torture", async (t) => {
  await using directory = await makeDirectory("/dev/shm");
  await torture(t, directory.path, tortureSizes());
});

Deno.test("the torture of one file notices a byte that a write lost", async () => {
  await using directory = await makeDirectory();
  await checkThatFsxNotices(directory.path);
});

Deno.test("a directory survives the torture of a mount whose source changes, being both", async (t) => {
  for (const parent of [undefined, "/dev/shm"]) {
    await t.step(parent ?? "the temporary directory", async () => {
      await using directory = await makeDirectory(parent);
      await tortureChangingSource(directory.path, directory.path, { operations: 10_000, settle: 0 });
    });
  }
});

Deno.test("the torture of a changing source notices misplaced writes, and a mount that is not its source", async () => {
  await using directory = await makeDirectory();
  await checkThatChangingSourceNotices(directory.path);
});
