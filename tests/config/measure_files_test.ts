/** What files count for a branch's size limit. */
import { measureFiles } from "../../src/config/measure_files.ts";
import { assertEquals } from "../deps.ts";

Deno.test("files count in pages: each path once, each file once, and nothing but files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const path of ["one/d", "two/d"]) await Deno.mkdir(`${folder}/${path}`, { recursive: true });
    const write = (path: string, size: number) => Deno.writeFile(`${folder}/${path}`, new Uint8Array(size));
    await write("one/empty", 0);
    await write("one/small", 1);
    await write("one/d/big", 4097);
    await Deno.link(`${folder}/one/d/big`, `${folder}/one/twin`);
    await Deno.symlink("d/big", `${folder}/one/link`);
    await write("two/d/big", 5 * 4096);
    await write("two/own", 4096);
    assertEquals(await measureFiles([`${folder}/one`]), 3);
    assertEquals(await measureFiles([`${folder}/one`, `${folder}/two`]), 4);
    assertEquals(await measureFiles([]), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
