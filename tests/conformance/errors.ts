/** The errors that every call with a path shares: what is missing, what is no directory, what goes round in circles. */

import type { PosixClient } from "../support/posix_client.ts";
import { expectError, KINDS_FOR_ALL, make, type Subject, test, writeFile } from "./subject.ts";

/** Calls on a path whose last part need not exist for the error to come. */
const CALLS: Readonly<Record<string, (client: PosixClient, path: string) => Promise<unknown>>> = {
  "open": (client, path) => client.open(path, "O_RDONLY"),
  "open with O_CREAT": (client, path) => client.open(path, "O_WRONLY|O_CREAT"),
  "open with O_TMPFILE": (client, path) => client.open(path, "O_TMPFILE|O_RDWR"),
  "mkdir": (client, path) => client.mkdir(path),
  "rmdir": (client, path) => client.rmdir(path),
  "mkfifo": (client, path) => client.mknod(path, "S_IFIFO"),
  "mknod": (client, path) => client.mknod(path, "S_IFREG"),
  "symlink": (client, path) => client.symlink("target", path),
  "readlink": (client, path) => client.readlink(path),
  "link from": (client, path) => client.link(path, "new"),
  "link to": (client, path) => client.link("file", path),
  "unlink": (client, path) => client.unlink(path),
  "rename from": (client, path) => client.rename(path, "new"),
  "rename to": (client, path) => client.rename("file", path),
  "stat": (client, path) => client.stat(path),
  "lstat": (client, path) => client.lstat(path),
  "statfs": (client, path) => client.statfs(path),
  "truncate": (client, path) => client.truncate(path, 0),
  "chmod": (client, path) => client.chmod(path, 0o600),
  "chown": (client, path) => client.chown(path, -1, -1),
  "lchown": (client, path) => client.lchown(path, -1, -1),
  "utimensat": (client, path) => client.utimensat(path, "UTIME_NOW", "UTIME_NOW"),
  "access": (client, path) => client.access(path, "F_OK"),
  "getxattr": (client, path) => client.getxattr(path, "user.name"),
  "setxattr": (client, path) => client.setxattr(path, "user.name", "x"),
  "listxattr": (client, path) => client.listxattr(path),
  "removexattr": (client, path) => client.removexattr(path, "user.name"),
  "chdir": (client, path) => client.chdir(path),
};

/** Of CALLS, those that make the last part of the path. */
const MAKING = new Set(["open with O_CREAT", "mkdir", "mkfifo", "mknod", "symlink", "link to", "rename to"]);

async function expectFromAll(
  code: string,
  client: PosixClient,
  path: string,
  wanted: (call: string) => boolean = () => true,
): Promise<void> {
  for (const [name, call] of Object.entries(CALLS)) {
    if (!wanted(name)) continue;
    try {
      await expectError(code, call(client, path));
    } catch (error) {
      throw new Error(`${name} of ${path}`, { cause: error });
    }
  }
}

export const errors: Subject = {
  "a missing directory on the way is ENOENT": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectFromAll("ENOENT", client, "missing/name");
    await expectFromAll("ENOENT", client, "missing/deeper/name");
  }),

  "a missing name is ENOENT for all that do not make it": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectFromAll("ENOENT", client, "missing", (call) => !MAKING.has(call));
  }),

  "what is no directory cannot be on the way: ENOTDIR": test(async ({ client }) => {
    await writeFile(client, "file", "");
    for (const kind of KINDS_FOR_ALL) {
      if (kind === "directory" || kind === "symlink") continue;
      await make(client, kind, kind);
      await expectFromAll("ENOTDIR", client, `${kind}/name`);
      await expectFromAll("ENOTDIR", client, `${kind}/`, (call) => !MAKING.has(call) && call !== "rename to");
    }
  }),

  "a symlink to a file cannot be on the way, a dangling one is ENOENT": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.symlink("file", "to-file");
    await client.symlink("nowhere", "dangling");
    await expectFromAll("ENOTDIR", client, "to-file/name");
    await expectFromAll("ENOENT", client, "dangling/name");
  }),

  "a ring of symlinks on the way is ELOOP": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await client.symlink("two", "one");
    await client.symlink("one", "two");
    await expectFromAll("ELOOP", client, "one/name");
  }),

  "more than forty symlinks in a row are ELOOP": test(async ({ client }) => {
    await writeFile(client, "link0", "data");
    for (let index = 1; index <= 41; index++) await client.symlink(`link${index - 1}`, `link${index}`);
    await client.stat("link40");
    await expectError("ELOOP", client.stat("link41"));
  }),

  "a path longer than any is ENAMETOOLONG": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectFromAll("ENAMETOOLONG", client, `${"./".repeat(2048)}name`);
  }),

  "a part longer than any is ENAMETOOLONG": test(async ({ client }) => {
    await writeFile(client, "file", "");
    await expectFromAll("ENAMETOOLONG", client, "n".repeat(256));
    await expectFromAll("ENAMETOOLONG", client, `${"n".repeat(256)}/name`);
  }),

  "a closed or never opened handle is EBADF": test(async ({ client }) => {
    await expectError("EBADF", client.read(77, 1));
    await expectError("EBADF", client.write(77, "x"));
    await expectError("EBADF", client.fstat(77));
    await expectError("EBADF", client.ftruncate(77, 0));
    await expectError("EBADF", client.fchmod(77, 0));
    await expectError("EBADF", client.getdents(77));
    await expectError("EBADF", client.fsync(77));
  }),
};
