/** statfs(2): what a filesystem says of itself. */

import { assert, assertEquals } from "../deps.ts";
import { expectError, type Subject, test, writeFile } from "./subject.ts";

export const statistics: Subject = {
  "the numbers fit together": test(async ({ client }) => {
    const statistics = await client.statfs(".");
    assert(statistics.blockSize > 0);
    assert(statistics.blocks >= statistics.free, "more free than there is");
    assert(statistics.free >= statistics.available, "more available than free");
    assert(statistics.files >= statistics.filesFree, "more free files than there are");
  }),

  "names have at least 255 bytes": test(async ({ client }) => {
    assert((await client.statfs(".")).nameLength >= 255);
  }),

  "any path below tells the same": test(async ({ client }) => {
    await writeFile(client, "file", "data");
    await client.mkdir("directory");
    const [here, file, directory] = [
      await client.statfs("."),
      await client.statfs("file"),
      await client.statfs("directory"),
    ];
    for (const other of [file, directory]) {
      assertEquals([other.blockSize, other.blocks, other.nameLength], [here.blockSize, here.blocks, here.nameLength]);
    }
    await expectError("ENOENT", client.statfs("missing"));
  }),
};
