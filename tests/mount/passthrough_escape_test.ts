/** Attempts to get out of the source through a live mount: each path means what it means on the mount's side. */
import { assert, assertEquals } from "../deps.ts";
import { expectError, readFile } from "../conformance/subject.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import { type MountedSource, mountSource } from "./mounted_source.ts";

/** Beside the source, where the mount must never lead. */
const SECRET = "secret";

/** A source with `directory/deep/file`, beside it a secret; the mount is elsewhere, with a file of its own beside it. */
async function mountBesideSecret(options: string): Promise<MountedSource> {
  return await mountSource(options, async (source) => {
    await Deno.mkdir(`${source}/directory/deep`, { recursive: true });
    await Deno.writeTextFile(`${source}/directory/deep/file`, "text");
    await Deno.mkdir(`${source}/../outside/deep`, { recursive: true });
    await Deno.writeTextFile(`${source}/../outside/${SECRET}`, SECRET);
    await Deno.writeTextFile(`${source}/../outside/deep/file`, SECRET);
  });
}

Deno.test("symlinks are read as they are and followed on the mount's side", async () => {
  await using mounted = await mountBesideSecret("cache=never");
  const { folder, source, shown } = mounted;
  await using client = await PosixClient.start();
  await Deno.mkdir(source("nested"));
  await Deno.writeTextFile(source("inside"), "the source's");
  const links: Record<string, [target: string, name: string]> = {
    "the root": ["/", "root"],
    "the source itself": [source(""), "itself"],
    "a file in the source": [source("inside"), "absolute"],
    "above": ["..", "above"],
  };
  for (const [target, name] of Object.values(links)) {
    await Deno.symlink(target, source(name));
    assertEquals(await client.readlink(shown(name)), target);
  }
  const same = async (one: string, other: string) => {
    const [a, b] = [await client.stat(one), await client.stat(other)];
    assertEquals([a.device, a.inode], [b.device, b.inode], `${one} and ${other}`);
  };
  await same(shown("root"), "/");
  // They lead where the caller may go by itself: to the host's side, and not to the mount's.
  await same(shown("itself/nested"), source("nested"));
  await same(shown("absolute"), source("inside"));
  // Above the mountpoint, and not above the source.
  await same(shown("above"), folder);
  await same(shown(".."), folder);
  await same(shown("nested/../.."), folder);
});

Deno.test("a file that became a symlink behind the mount never shows what it points to", async () => {
  // With the default cache the kernel still believes in the file, and asks for it by its node.
  await using mounted = await mountBesideSecret("cache=auto");
  await using client = await PosixClient.start();
  const path = mounted.shown("directory/deep/file");
  assertEquals(await readFile(client, path), "text");
  await Deno.remove(mounted.source("directory/deep/file"));
  await Deno.symlink(`../../../outside/${SECRET}`, mounted.source("directory/deep/file"));
  for (let count = 0; count < 100; count++) {
    // O_NOFOLLOW: on the mount's side the link leads to <folder>/outside too, where the caller may go by itself.
    const seen = await client.open(path, "O_RDONLY|O_NOFOLLOW").then(
      async (file) => {
        const text = new TextDecoder().decode(await client.pread(file, 100, 0));
        await client.close(file);
        return text;
      },
      (error) => error instanceof PosixError ? error.code : Promise.reject(error),
    );
    assert(["text", "ELOOP"].includes(seen), seen);
  }
});

Deno.test("a directory that became a symlink behind the mount never leads to what it points to", async () => {
  await using mounted = await mountBesideSecret("cache=auto");
  await using client = await PosixClient.start();
  await client.chdir(mounted.shown("directory"));
  assertEquals(await readFile(client, "deep/file"), "text");
  await Deno.rename(mounted.source("directory"), mounted.source("gone"));
  await Deno.symlink("../outside", mounted.source("directory"));
  // The working directory is the one that was entered, wherever its name now leads.
  assertEquals(await readFile(client, "deep/file"), "text");
  await expectError("ENOENT", client.open(SECRET, "O_RDONLY"));
});

Deno.test("a directory moved out of the source leads nobody after it who is in it", async (t) => {
  for (const options of ["cache=auto,loops=1", "cache=never,loops=4"]) {
    await t.step(options, async () => {
      await using mounted = await mountBesideSecret(options);
      const { folder, source, shown } = mounted;
      await using client = await PosixClient.start();
      await client.chdir(shown("directory/deep"));
      assertEquals(await readFile(client, "file"), "text");
      await Deno.rename(source("directory"), `${folder}/outside/directory`);
      // On the host it would now be two directories up; on the mount's side that is the root of the source.
      assertEquals(await Deno.readTextFile(`${folder}/outside/directory/deep/../../${SECRET}`), SECRET);
      for (const path of [`../../${SECRET}`, `../../../${SECRET}`, `../${SECRET}`, `../../deep/file`]) {
        await expectError(["ENOENT", "ESTALE"], client.open(path, "O_RDONLY"));
      }
      await expectError(["ENOENT", "ESTALE"], client.open(`../../${SECRET}2/x`, "O_RDWR|O_CREAT"));
      await Deno.rename(`${folder}/outside/directory`, source("directory"));
      assertEquals(await readFile(client, "file"), "text");
    });
  }
});
