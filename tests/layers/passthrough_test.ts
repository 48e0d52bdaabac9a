/** The passthrough layer by itself: what it does to the source, and what it lets nobody do. */
import { FsError } from "../../src/fs/errors.ts";
import { ROOT_NODE } from "../../src/fs/filesystem.ts";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_APPEND,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISUID,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../src/fs/flags.ts";
import { prepare, release } from "../../src/layers/passthrough/module.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { assertErrno } from "../support/assert_errno.ts";
import { requestContext } from "../support/request_context.ts";
import { openDescriptors, passthroughSource } from "./passthrough_source.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PLAIN = { cached: false, killPrivileges: false };
const root = Deno.uid() === 0;

Deno.test("prepare refuses what is no usable source and says what to do", () => {
  assertThrows(() => prepare({ source: "/nowhere/at/all" }, 1), FsError, "make it first");
  assertThrows(() => prepare({ source: "/etc/passwd" }, 1), FsError, "not a directory");
  assertThrows(() => prepare({ source: "" }, 1), TypeError, "name a directory");
  assertThrows(() => prepare({ source: "/", cache: "sometimes" as never }, 1), TypeError, "never, auto, always");
  assertThrows(() => prepare({ source: "/", cache: "never", writeback: true }, 1), TypeError, "writeback");
});

Deno.test("a lookup finds files, counts them, and says undefined for what is not there", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("file"), "text");
  const first = filesystem.lookup(ROOT_NODE, "file", context)!.node;
  const second = filesystem.lookup(ROOT_NODE, "file", context)!.node;
  assertEquals(first, second);
  assertEquals(filesystem.lookup(ROOT_NODE, "absent", context), undefined);
  assertEquals(source.counts(), { nodes: 1, open: 2, evicted: 0 });
  filesystem.forgetLookups(first, 1);
  assertEquals(filesystem.getAttributes(first, undefined).size, 4);
  filesystem.forgetLookups(first, 1);
  assertEquals(source.counts(), { nodes: 0, open: 1, evicted: 0 });
  assertErrno("ESTALE", () => filesystem.getAttributes(first, undefined));
});

Deno.test("a place that is used again has another id", () => {
  using source = passthroughSource();
  const ids = new Set<number>();
  for (let round = 0; round < 10; round++) {
    Deno.writeTextFileSync(source.path("file"), "");
    const node = source.find("file");
    ids.add(node);
    assert(node < 2 ** 40);
    source.filesystem.forgetLookups(node, 1);
    Deno.removeSync(source.path("file"));
  }
  assertEquals(ids.size, 10);
});

Deno.test("names that are more than a name are refused", async (t) => {
  using source = passthroughSource();
  await Deno.mkdir(source.path("directory"));
  const directory = source.find("directory");
  for (const name of [".", "..", "", "a/b", "/", "../x", "directory/", "a\0b"]) {
    await t.step(JSON.stringify(name), () => {
      assertErrno("EINVAL", () => source.filesystem.lookup(directory, name, source.context));
      assertErrno("EINVAL", () => source.filesystem.makeDirectory(directory, name, 0o755, source.context));
      assertErrno("EINVAL", () => source.filesystem.unlink(directory, name, source.context));
      assertErrno("EINVAL", () => source.filesystem.rename(ROOT_NODE, "directory", directory, name, 0, source.context));
    });
  }
  assertErrno("ENAMETOOLONG", () => source.filesystem.lookup(directory, "n".repeat(256), source.context));
});

Deno.test("names that are not UTF-8 reach the source as they are", () => {
  using source = passthroughSource();
  const name = "caf\udce9";
  source.filesystem.makeDirectory(ROOT_NODE, name, 0o755, source.context);
  const { handle } = source.filesystem.openDirectory(ROOT_NODE, O_RDONLY, source.context);
  const names = [...source.filesystem.readDirectory(ROOT_NODE, handle!, 0)].map((entry) => entry.name);
  assert(names.length === 3);
  const { handle: again } = source.filesystem.openDirectory(ROOT_NODE, O_RDONLY, source.context);
  let seen = false;
  for (const entry of source.filesystem.readDirectory(ROOT_NODE, again!, 0)) seen ||= entry.name === name;
  assert(seen);
  source.filesystem.removeDirectory(ROOT_NODE, name, source.context);
});

Deno.test("hard links are one node, and renames keep it", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("one"), "");
  const one = source.find("one");
  assertEquals(filesystem.link(one, ROOT_NODE, "two", context).node, one);
  assertEquals(filesystem.getAttributes(one, undefined).links, 2);
  filesystem.rename(ROOT_NODE, "two", ROOT_NODE, "three", 0, context);
  assertEquals(source.find("three"), one);
});

Deno.test("a symbolic link is itself: it is read, linked and given attributes, never followed", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  const made = filesystem.makeSymbolicLink(ROOT_NODE, "link", "/etc/passwd", context);
  const node = made.node;
  assertEquals(made.attributes.mode & S_IFMT, S_IFLNK);
  assertEquals(filesystem.readLink(node), "/etc/passwd");
  assertErrno("ENXIO", () => filesystem.open(node, O_RDONLY, context));
  assertErrno("ENOTDIR", () => filesystem.openDirectory(node, O_RDONLY, context));
  assertEquals(filesystem.link(node, ROOT_NODE, "other", context).node, node);
  assertErrno("EEXIST", () => filesystem.create(ROOT_NODE, "link", 0o644, O_CREAT | O_EXCL | O_WRONLY, context));
  assertErrno("ESTALE", () => filesystem.create(ROOT_NODE, "link", 0o644, O_CREAT | O_WRONLY, context));
  const before = Deno.statSync("/etc/passwd");
  filesystem.setAttributes(node, { mtime: { seconds: 1, nanoseconds: 5 } }, undefined, context);
  assertEquals(Deno.statSync("/etc/passwd").mtime, before.mtime);
  assertEquals(filesystem.getAttributes(node, undefined).mtime, { seconds: 1, nanoseconds: 5 });
});

Deno.test("fifos and devices are never opened here", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  const fifo = filesystem.makeNode(ROOT_NODE, "fifo", S_IFIFO | 0o644, 0, context);
  assertEquals(fifo.attributes.mode & S_IFMT, S_IFIFO);
  assertErrno("ENXIO", () => filesystem.open(fifo.node, O_WRONLY, context));
  assertErrno("ESTALE", () => filesystem.create(ROOT_NODE, "fifo", 0o644, O_CREAT | O_WRONLY, context));
});

Deno.test("a create that finds something else there has the kernel look again, and keeps no node of it", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.mkdirSync(source.path("directory"));
  assertErrno("ESTALE", () => filesystem.create(ROOT_NODE, "directory", 0o644, O_CREAT | O_WRONLY, context));
  assertEquals(source.counts(), { nodes: 0, open: 1, evicted: 0 });
});

Deno.test("a file is made, written, read, truncated, and gone when it is removed and released", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  const created = filesystem.create(ROOT_NODE, "file", 0o640, O_CREAT | O_RDWR, requestContext({ umask: 0o027 }));
  const node = created.entry.node;
  const handle = created.opened.handle!;
  assertEquals(created.entry.attributes.mode, S_IFREG | 0o640);
  assertEquals(filesystem.write(node, handle, 2, encoder.encode("hello"), PLAIN, context), 5);
  assertEquals(decoder.decode(filesystem.read(node, handle, 0, 100, context)), "\0\0hello");
  assertEquals(filesystem.setAttributes(node, { size: 4 }, handle, context).size, 4);
  assertEquals(filesystem.setAttributes(node, { size: 3 }, undefined, context).size, 3);
  filesystem.unlink(ROOT_NODE, "file", context);
  assertEquals(filesystem.getAttributes(node, undefined).links, 0);
  assertEquals(decoder.decode(filesystem.read(node, handle, 2, 100, context)), "h");
  filesystem.release(node, handle);
  assertErrno("EBADF", () => filesystem.release(node, handle));
  filesystem.forgetLookups(node, 1);
  assertEquals(source.counts().nodes, 0);
});

Deno.test("O_TRUNC, O_DIRECT and O_APPEND", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("file"), "before");
  const node = source.find("file");
  const direct = filesystem.open(node, O_RDONLY | O_DIRECT, context).handle!;
  assertEquals(decoder.decode(filesystem.read(node, direct, 1, 3, context)), "efo");
  const appending = filesystem.open(node, O_WRONLY | O_APPEND, context).handle!;
  Deno.writeTextFileSync(source.path("file"), " behind", { append: true });
  // The kernel believes that the file ends at 6; a page from a mapping knows where it belongs.
  filesystem.write(node, appending, 6, encoder.encode(" after"), PLAIN, context);
  filesystem.write(node, appending, 0, encoder.encode("B"), { cached: true, killPrivileges: false }, context);
  assertEquals(Deno.readTextFileSync(source.path("file")), "Before behind after");
  filesystem.release(node, filesystem.open(node, O_WRONLY | O_TRUNC, context).handle!);
  assertEquals(Deno.statSync(source.path("file")).size, 0);
  assertEquals(filesystem.setAttributes(node, { size: 9 }, direct, context).size, 9);
});

Deno.test("a file without a name gets one by link", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  const { entry, opened } = filesystem.makeTemporaryFile(ROOT_NODE, 0o600, O_RDWR, context);
  const node = entry.node;
  filesystem.write(node, opened.handle!, 0, encoder.encode("text"), PLAIN, context);
  assertEquals(filesystem.link(node, ROOT_NODE, "named", context).node, node);
  assertEquals(Deno.readTextFileSync(source.path("named")), "text");
});

Deno.test("rename flags are the source's", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("a"), "a");
  Deno.writeTextFileSync(source.path("b"), "b");
  assertErrno("EEXIST", () => filesystem.rename(ROOT_NODE, "a", ROOT_NODE, "b", RENAME_NOREPLACE, context));
  filesystem.rename(ROOT_NODE, "a", ROOT_NODE, "b", RENAME_EXCHANGE, context);
  assertEquals(Deno.readTextFileSync(source.path("a")), "b");
  assertErrno("EINVAL", () => filesystem.rename(ROOT_NODE, "a", ROOT_NODE, "b", 0x4000, context));
});

Deno.test("holes, allocation and copies", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeFileSync(source.path("file"), new Uint8Array(65_536).fill(1));
  const node = source.find("file");
  const handle = filesystem.open(node, O_RDWR, context).handle!;
  filesystem.allocate(node, handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 16_384, context);
  assertEquals(filesystem.seek!(node, handle, 0, SEEK_HOLE), 8192);
  assertEquals(filesystem.seek!(node, handle, 8192, SEEK_DATA), 24_576);
  assertErrno("ENXIO", () => filesystem.seek!(node, handle, 65_536, SEEK_DATA));
  const copy = filesystem.create(ROOT_NODE, "copy", 0o644, O_CREAT | O_RDWR, context);
  const to = { node: copy.entry.node, handle: copy.opened.handle!, offset: 10 };
  assertEquals(filesystem.copyFileRange({ node, handle, offset: 4 }, to, 100, 0, context), 100);
  assertEquals(Deno.statSync(source.path("copy")).size, 110);
});

Deno.test("attributes change as asked, times to the nanosecond", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("file"), "");
  const node = source.find("file");
  const atime = { seconds: 1_234_567_890, nanoseconds: 123_456_789 };
  const changed = filesystem.setAttributes(node, { mode: 0o604, atime }, undefined, context);
  assertEquals(changed.mode & 0o7777, 0o604);
  assertEquals(changed.atime, atime);
  const mtime = { seconds: -5, nanoseconds: 7 };
  assertEquals(filesystem.setAttributes(node, { mtime }, undefined, context).mtime, mtime);
  assertEquals(filesystem.getAttributes(node, undefined).atime, atime);
  assert(filesystem.setAttributes(node, { mtime: "now" }, undefined, context).mtime!.seconds > 1_700_000_000);
  assert(filesystem.getExtendedStatus(node, undefined).birthTime !== undefined);
});

Deno.test("extended attributes, of files and of symbolic links", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("file"), "");
  const node = source.find("file");
  filesystem.setExtendedAttribute(node, "user.colour", encoder.encode("green"), 0, context);
  assertEquals(decoder.decode(filesystem.getExtendedAttribute(node, "user.colour", context)), "green");
  assertEquals(filesystem.getExtendedAttribute(node, "user.shape", context), undefined);
  assert(filesystem.listExtendedAttributes(node, context).includes("user.colour"));
  filesystem.removeExtendedAttribute(node, "user.colour", context);
  assertErrno("ENODATA", () => filesystem.removeExtendedAttribute(node, "user.colour", context));
  if (!root) return console.log("not root: trusted attributes are left out");
  const link = filesystem.makeSymbolicLink(ROOT_NODE, "link", "file", context).node;
  filesystem.setExtendedAttribute(link, "trusted.t", encoder.encode("x"), 0, context);
  assertEquals(filesystem.listExtendedAttributes(link, context), ["trusted.t"]);
  assertEquals(filesystem.listExtendedAttributes(node, context), []);
  assertEquals(filesystem.listExtendedAttributes(link, requestContext({ uid: 1000, gid: 1000, pid: 0 })), []);
});

Deno.test("a directory is read whole, in pieces, and with entries that are counted", () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  const wanted = new Set([".", ".."]);
  for (let index = 0; index < 500; index++) {
    const name = `file-${index}-${"x".repeat(index % 50)}`;
    wanted.add(name);
    Deno.writeTextFileSync(source.path(name), "");
  }
  const { handle } = filesystem.openDirectory(ROOT_NODE, O_RDONLY, context);
  const seen: string[] = [];
  let offset = 0;
  for (let more = true; more;) {
    more = false;
    let count = 0;
    for (const entry of filesystem.readDirectory(ROOT_NODE, handle!, offset)) {
      // As the library does when the reply is full: the entry that did not fit is asked for again.
      if (++count > 7) break;
      more = true;
      seen.push(entry.name);
      offset = entry.offset;
      assert(Number.isSafeInteger(offset) && offset > 0);
    }
  }
  assertEquals(seen.length, wanted.size);
  assertEquals(new Set(seen), wanted);
  const nodes: number[] = [];
  for (const entry of filesystem.readDirectoryPlus(ROOT_NODE, handle!, 0, context)) {
    assertEquals(entry.entry === undefined, entry.name === "." || entry.name === "..");
    if (entry.entry !== undefined) {
      nodes.push(entry.entry.node);
      assertEquals(entry.entry.attributes.inode, entry.inode);
    }
  }
  assertEquals(source.counts().nodes, 500);
  for (const node of nodes) filesystem.forgetLookups(node, 1);
  assertEquals(source.counts(), { nodes: 0, open: 1, evicted: 0 });
  filesystem.releaseDirectory(ROOT_NODE, handle!);
});

Deno.test("an inode number that is used again is another node", () => {
  // tmpfs and ext4 differ in when they use a number again, so the old node's descriptor is what keeps it taken.
  using source = passthroughSource();
  const { filesystem, context } = source;
  Deno.writeTextFileSync(source.path("old"), "old");
  const old = source.find("old");
  const { inode } = filesystem.getAttributes(old, undefined);
  Deno.removeSync(source.path("old"));
  for (let index = 0; index < 50; index++) {
    Deno.writeTextFileSync(source.path(`new-${index}`), "");
    const entry = filesystem.lookup(ROOT_NODE, `new-${index}`, context)!;
    assert(entry.node !== old && entry.attributes.inode !== inode);
  }
  assertEquals(filesystem.getAttributes(old, undefined).links, 0);
});

Deno.test("record locks belong to their owner and are seen in the source", async () => {
  using source = passthroughSource();
  const { filesystem, context } = source;
  await Deno.writeTextFile(source.path("file"), "0123456789");
  const node = source.find("file");
  const first = filesystem.open(node, O_RDWR, context).handle!;
  const second = filesystem.open(node, O_RDWR, context).handle!;
  const lock = { type: "write", start: 2, end: 5, pid: 77 } as const;
  filesystem.setLock!(node, first, 11n, lock, false, context);
  // The same owner by way of another handle is no conflict; another owner is one, by any handle.
  filesystem.setLock!(node, second, 11n, lock, false, context);
  assertErrno("EAGAIN", () => filesystem.setLock!(node, first, 2n ** 63n + 1n, { ...lock, end: 2 }, false, context));
  assertEquals(filesystem.getLock!(node, second, 22n, { ...lock, start: 0, end: 2 ** 63 }, context)?.start, 2);
  assertEquals(filesystem.getLock!(node, second, 11n, lock, context), undefined);
  assertEquals(await tryLock(source.path("file"), 3), false);
  assertEquals(await tryLock(source.path("file"), 7), true);
  assertEquals(filesystem.getLock!(node, second, 22n, lock, context)?.pid, 77);
  filesystem.flush(node, second, 11n);
  assertEquals(await tryLock(source.path("file"), 3), true);
  filesystem.setWholeFileLock!(node, first, 11n, "write", false, context);
  assertErrno("EAGAIN", () => filesystem.setWholeFileLock!(node, second, 22n, "read", false, context));
  filesystem.setWholeFileLock!(node, first, 11n, "unlock", false, context);
  filesystem.setWholeFileLock!(node, second, 22n, "read", false, context);
});

/** Whether a program of the host could lock one byte of a file. */
async function tryLock(path: string, byte: number): Promise<boolean> {
  const program = `import fcntl,sys
f=open(sys.argv[1],"r+b")
fcntl.lockf(f, fcntl.LOCK_EX|fcntl.LOCK_NB, 1, int(sys.argv[2]))`;
  const { success } = await new Deno.Command("python3", {
    args: ["-c", program, path, String(byte)],
    stderr: "null",
  }).output();
  return success;
}

Deno.test({
  name: "as root, everything is done with the caller's identity",
  ignore: !root,
  async fn(t) {
    using source = passthroughSource({ parent: "/tmp" });
    const { filesystem, context } = source;
    const caller = requestContext({ uid: 12_345, gid: 23_456, pid: 0, umask: 0o022 });
    Deno.chmodSync(source.directory, 0o777);

    await t.step("what it makes is the caller's, under the caller's umask", () => {
      const { attributes } = filesystem.makeDirectory(ROOT_NODE, "directory", 0o777, caller);
      assertEquals([attributes.uid, attributes.gid, attributes.mode & 0o777], [12_345, 23_456, 0o755]);
      const created = filesystem.create(ROOT_NODE, "file", 0o666, O_CREAT | O_RDWR, caller);
      assertEquals([created.entry.attributes.uid, created.entry.attributes.mode & 0o777], [12_345, 0o644]);
      filesystem.release(created.entry.node, created.opened.handle!);
    });

    await t.step("the source refuses what the caller may not", () => {
      const secret = filesystem.create(ROOT_NODE, "secret", 0o600, O_CREAT | O_RDWR, context);
      const node = secret.entry.node;
      filesystem.release(node, secret.opened.handle!);
      assertErrno("EACCES", () => filesystem.open(node, O_RDONLY, caller));
      assertErrno("EPERM", () => filesystem.setAttributes(node, { mode: 0o666 }, undefined, caller));
      assertErrno("EPERM", () => filesystem.setAttributes(node, { uid: 12_345 }, undefined, caller));
      filesystem.open(node, O_RDONLY, context);
    });

    await t.step("a setuid bit goes when somebody writes who may not keep it", () => {
      const created = filesystem.create(ROOT_NODE, "program", 0o777, O_CREAT | O_RDWR, context);
      const { node } = created.entry;
      const handle = created.opened.handle!;
      const arm = () => filesystem.setAttributes(node, { mode: S_ISUID | 0o755 }, undefined, context);
      const mode = () => filesystem.getAttributes(node, undefined).mode & 0o7777;
      arm();
      filesystem.write(node, handle, 0, encoder.encode("x"), { cached: false, killPrivileges: true }, caller);
      assertEquals(mode(), 0o755);
      arm();
      filesystem.write(node, handle, 0, encoder.encode("x"), PLAIN, context);
      assertEquals(mode(), S_ISUID | 0o755);
    });

    await t.step("a program that may be run but not read can be run", () => {
      const created = filesystem.create(ROOT_NODE, "runnable", 0o711, O_CREAT | O_RDWR, context);
      const { node } = created.entry;
      assertErrno("EACCES", () => filesystem.open(node, O_RDONLY, caller));
      const FMODE_EXEC = 0x20;
      filesystem.open(node, O_RDONLY | FMODE_EXEC, caller);
      filesystem.setAttributes(node, { mode: 0o700 }, undefined, context);
      assertErrno("EACCES", () => filesystem.open(node, O_RDONLY | FMODE_EXEC, caller));
    });

    await t.step("supplementary groups count", async () => {
      // This thread is still the caller; the test itself needs root again.
      filesystem.destroy();
      await Deno.mkdir(source.path("shared"));
      await Deno.chown(source.path("shared"), 0, 34_567);
      await Deno.chmod(source.path("shared"), 0o770);
      const shared = source.find("shared");
      assertErrno("EACCES", () => filesystem.makeDirectory(shared, "refused", 0o755, caller));
      await using member = spawnMember(12_345, 23_456, 34_567);
      const withGroup = requestContext({ uid: 12_345, gid: 23_456, pid: await member.ready() });
      filesystem.makeDirectory(shared, "allowed", 0o755, withGroup);
      filesystem.destroy();
    });

    await t.step("a default ACL takes the umask's place", async () => {
      await Deno.mkdir(source.path("inheriting"));
      await run("setfacl", "-d", "-m", "u::rwx,g::rwx,o::---,u:34567:rwx", source.path("inheriting"));
      const inheriting = source.find("inheriting");
      const masked = requestContext({ umask: 0o077 });
      assertEquals(filesystem.makeDirectory(inheriting, "d", 0o777, masked).attributes.mode & 0o777, 0o770);
      assertEquals(filesystem.makeDirectory(ROOT_NODE, "plain", 0o777, masked).attributes.mode & 0o777, 0o700);
      filesystem.destroy();
    });

    await t.step("another filesystem below the source is shown, or refused", async () => {
      await Deno.mkdir(source.path("mounted"));
      await run("mount", "-t", "tmpfs", "none", source.path("mounted"));
      try {
        await Deno.writeTextFile(source.path("mounted/file"), "text");
        const inside = filesystem.getAttributes(source.find("mounted/file"), undefined);
        assertEquals(inside.size, 4);
        assert(inside.inode! > 2 ** 40, "its inode numbers are kept apart");
        using bounded = passthroughSource({ crossMounts: false, existing: source.directory });
        assertErrno("EXDEV", () => bounded.find("mounted"));
        assert(bounded.find("plain") > 1);
      } finally {
        release(source.shared);
        await run("umount", source.path("mounted"));
      }
    });
  },
});

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assert(success, `${command} ${args.join(" ")} failed`);
}

/** A process with a supplementary group, that waits until it is ended. */
function spawnMember(uid: number, gid: number, group: number) {
  const program = `import os,sys
os.setgroups([${group}]); os.setgid(${gid}); os.setuid(${uid})
print("ready", flush=True); sys.stdin.read()`;
  const child = new Deno.Command("python3", { args: ["-c", program], stdin: "piped", stdout: "piped" }).spawn();
  return {
    async ready(): Promise<number> {
      const reader = child.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      return child.pid;
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.stdout.cancel();
      await child.status;
    },
  };
}

Deno.test("when the source is removed, everything says so and nothing breaks", () => {
  using source = passthroughSource();
  Deno.removeSync(source.directory);
  assertEquals(source.filesystem.lookup(ROOT_NODE, "file", source.context), undefined);
  assertErrno("ENOENT", () => source.filesystem.makeDirectory(ROOT_NODE, "directory", 0o755, source.context));
  assertEquals(source.filesystem.getAttributes(ROOT_NODE, undefined).links, 0);
  Deno.mkdirSync(source.directory);
});

Deno.test("release closes everything that was left open", () => {
  let directory: string;
  {
    using source = passthroughSource();
    directory = source.directory;
    for (const name of ["a", "b", "c"]) Deno.writeTextFileSync(source.path(name), name);
    source.filesystem.open(source.find("a"), O_RDONLY, source.context);
    source.filesystem.openDirectory(ROOT_NODE, O_RDONLY, source.context);
    const node = source.find("b");
    const handle = source.filesystem.open(node, O_RDWR, source.context).handle!;
    source.filesystem.setLock!(node, handle, 1n, { type: "read", start: 0, end: 1, pid: 1 }, false, source.context);
    // The root twice, two nodes, two files, a directory, a lock owner.
    assertEquals(openDescriptors(directory), 8);
  }
  assertEquals(openDescriptors(directory), 0);
});
