/** What a close of a file brings to a source: its own filesystem's errors, the end of locks, and how many requests. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import { FsError } from "../../src/fs/errors.ts";
import { assertEquals } from "../deps.ts";
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { mountTemporarily } from "../support/mounted.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";

/** A filesystem of one file, "file", which takes what is written and says at close that there is no room for it. */
function fullAtClose(): FileSystem {
  const attributes = { mode: 0o100666, size: 0 };
  return {
    getAttributes: (node) => node === 1 ? { mode: 0o40777 } : attributes,
    setAttributes: () => attributes,
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes } : undefined,
    open: () => ({ directIo: true }),
    read: () => new Uint8Array(),
    write: (_node, _handle, _offset, data) => data.length,
    flush() {
      throw new FsError("EDQUOT", "No room for what was written");
    },
  };
}

for (const options of ["loops=1", "loops=1,cache=never"]) {
  Deno.test(`what a close of the source's file reports is what the program's close reports (${options})`, async () => {
    await using source = await mountTemporarily(fullAtClose());
    await using folder = await temporaryFolder();
    await using shown = await MountProcess.start([source.path, `${folder.path}/mnt`], ["-o", options]);
    await using client = await PosixClient.start();
    const file = await client.open(`${shown.mountpoint}/file`, "O_WRONLY");
    await client.pwrite(file, "too much", 0);
    const reported = await client.close(file).then(() => "nothing", (error: PosixError) => error.code);
    assertEquals(reported, "EDQUOT");
  });
}
