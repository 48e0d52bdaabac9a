/** What the kernel has read of a source's files is kept over their next open, and dropped when they have changed. */
import { assertEquals } from "../deps.ts";
import type { PassthroughOptions } from "../../src/layers/passthrough/options.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { PosixClient } from "../support/posix_client.ts";

const MODULE = new URL("../../src/layers/passthrough/module.ts", import.meta.url);

async function mountFile(options: Partial<PassthroughOptions> = {}) {
  await using resources = new AsyncDisposableStack();
  // On a local filesystem, wherever the tests run.
  const source = resources.use(await temporaryFolder("/dev/shm")).path;
  await Deno.writeTextFile(`${source}/file`, "before");
  const mounted = resources.use(await mountTemporarily({ module: MODULE, loops: 1, options: { ...options, source } }));
  const client = resources.use(await PosixClient.start());
  const path = `${mounted.path}/file`;
  const owned = resources.move();
  return {
    source: `${source}/file`,
    /** Opens and overwrites the beginning, and closes it. */
    async write(text: string): Promise<void> {
      const file = await client.open(path, "O_WRONLY");
      await client.pwrite(file, text, 0);
      await client.close(file);
    },
    /** Opens, reads and closes it: what is read, and whether a READ came. */
    async read(): Promise<[text: string, asked: boolean]> {
      const reads = () => mounted.session.metrics()["READ"]?.count ?? 0;
      const before = reads();
      const file = await client.open(path, "O_RDONLY");
      const text = await client.pread(file, 100, 0);
      await client.close(file);
      // The loop has counted what was answered when it has answered another request.
      await client.statfs(mounted.path);
      return [new TextDecoder().decode(text), reads() > before];
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

Deno.test("a file that has not changed is read from the page cache by who opens it again", async () => {
  await using mount = await mountFile();
  assertEquals(await mount.read(), ["before", true]);
  // From a few seconds after its last change on.
  await waitFor("an open that keeps the pages", async () => !(await mount.read())[1]);
  assertEquals(await mount.read(), ["before", false]);
});

Deno.test("a file that was changed in the source is read anew by who opens it next", async () => {
  await using mount = await mountFile();
  await waitFor("an open that keeps the pages", async () => !(await mount.read())[1]);
  const { mtime } = await Deno.stat(mount.source);
  await Deno.writeTextFile(mount.source, "after!");
  await Deno.utime(mount.source, mtime!, mtime!);
  assertEquals(await mount.read(), ["after!", true]);
});

Deno.test("with cache=always what was read stays, and what the mount writes does not drop it", async () => {
  await using mount = await mountFile({ cache: "always", kernelPassthrough: false });
  assertEquals(await mount.read(), ["before", true]);
  await mount.write("AFTER");
  assertEquals(await mount.read(), ["AFTERe", false]);
});

Deno.test("with cache=always what the kernel writes by itself is read, not what was read before", async () => {
  await using mount = await mountFile({ cache: "always" });
  assertEquals((await mount.read())[0], "before");
  // As root the kernel writes the source's file, without a request; for others this is the test above.
  await mount.write("AFTER");
  assertEquals((await mount.read())[0], "AFTERe");
});
