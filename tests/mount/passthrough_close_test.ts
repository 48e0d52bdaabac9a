/** What a close of a file brings to a source: its own filesystem's errors, the end of locks, and how many requests. */
import type { FileSystem } from "../../src/fs/filesystem.ts";
import { FsError } from "../../src/fs/errors.ts";
import { assertEquals } from "../deps.ts";
import { MountProcess, temporaryFolder } from "../support/cli_process.ts";
import { mountTemporarily } from "../support/mounted.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import type { PassthroughOptions } from "../../src/layers/passthrough/options.ts";
import { mountSource } from "./mounted_source.ts";

const MODULE = new URL("../../src/layers/passthrough/module.ts", import.meta.url);

/** "done", or the name of the errno that the call failed with. */
function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(() => "done", (error) => error instanceof PosixError ? error.code : Promise.reject(error));
}

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

for (const options of ["loops=1", "cache=never,no_remote_lock"]) {
  Deno.test(`what a close of the source's file reports is what the program's close reports (${options})`, async () => {
    await using source = await mountTemporarily(fullAtClose());
    await using folder = await temporaryFolder();
    await using shown = await MountProcess.start([source.path, `${folder.path}/mnt`], ["-o", options]);
    await using client = await PosixClient.start();
    const file = await client.open(`${shown.mountpoint}/file`, "O_WRONLY");
    await client.pwrite(file, "too much", 0);
    assertEquals(await outcome(client.close(file)), "EDQUOT");
  });
}

/** Whether a close sends a FLUSH, by the flags of the open. */
const FLUSHED: [options: Partial<PassthroughOptions>, flags: Record<string, boolean>][] = [
  [{}, { O_RDONLY: true, O_WRONLY: true, O_RDWR: true }],
  [{ remoteFlock: false }, { O_RDONLY: true, O_WRONLY: true, O_RDWR: true }],
  [{ remotePosixLock: false }, { O_RDONLY: false, O_WRONLY: false, O_RDWR: true }],
  [{ remotePosixLock: false, cache: "never" }, { O_RDONLY: false, O_WRONLY: false, "O_CREAT|O_RDWR": true }],
];

Deno.test("a close sends no FLUSH where it has nothing to do", async (t) => {
  // A local filesystem, wherever the tests run.
  const source = await Deno.makeTempDir({ dir: "/dev/shm" });
  await using _removed = { [Symbol.asyncDispose]: () => Deno.remove(source, { recursive: true }) };
  for (const [options, expected] of FLUSHED) {
    await t.step(JSON.stringify(options), async () => {
      await using mounted = await mountTemporarily({ module: MODULE, loops: 1, options: { source, ...options } });
      await using client = await PosixClient.start();
      for (const [flags, isFlushed] of Object.entries(expected)) {
        const flushes = () => mounted.session.metrics()["FLUSH"]?.count ?? 0;
        const before = flushes();
        await client.close(await client.open(`${mounted.path}/file`, `O_CREAT|${flags}`));
        // The loop has counted what was answered when it has answered another request.
        await client.statfs(mounted.path);
        assertEquals(flushes() - before, isFlushed ? 1 : 0, flags);
      }
    });
  }
});

for (const options of ["no_remote_posix_lock", "no_remote_flock", "no_remote_lock"]) {
  Deno.test(`with ${options} the mount's users see each other's locks, the source does not`, async () => {
    const isLocal = (kind: string) => options === "no_remote_lock" || options === `no_remote_${kind}`;
    await using mounted = await mountSource(`loops=2,${options}`, (source) => Deno.writeTextFile(`${source}/file`, ""));
    await using one = await PosixClient.start();
    await using other = await PosixClient.start();
    const path = mounted.shown("file");
    const held = await one.open(path, "O_RDWR");
    const shown = await other.open(path, "O_RDWR");
    const source = await other.open(mounted.source("file"), "O_RDWR");
    await one.setLock(held, "F_SETLK", "F_WRLCK");
    assertEquals((await other.getLock(shown, "F_GETLK", "F_RDLCK"))?.pid, one.pid);
    assertEquals((await other.getLock(source, "F_GETLK", "F_WRLCK")) === undefined, isLocal("posix_lock"));
    // Any close of the file by the process ends its record locks.
    await one.close(await one.open(path, "O_RDONLY"));
    await other.setLock(shown, "F_SETLK", "F_WRLCK");

    await one.flock(held, "LOCK_EX");
    assertEquals(await outcome(other.flock(shown, "LOCK_EX|LOCK_NB")), "EAGAIN");
    assertEquals(await outcome(other.flock(source, "LOCK_EX|LOCK_NB")), isLocal("flock") ? "done" : "EAGAIN");
    await other.flock(source, "LOCK_UN");
    await one.close(held);
    await other.flock(shown, "LOCK_EX|LOCK_NB");
  });
}
