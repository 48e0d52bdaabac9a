/** The torture on directories of this machine: filesystems known to be right must pass. */
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
