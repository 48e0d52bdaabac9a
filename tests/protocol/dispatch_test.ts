/** Requests in, answers out, without a kernel. */
import { assert, assertEquals } from "../deps.ts";
import * as KERNEL from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { Elsewhere, ERRNO, FsError } from "../../src/fs/errors.ts";
import type { DirectoryEntry, FileSystem, Opened } from "../../src/fs/filesystem.ts";
import { O_APPEND, O_RDONLY, O_RDWR, O_WRONLY } from "../../src/fs/flags.ts";
import type { OpenFiles } from "../../src/protocol/open_files.ts";
import type { RequestView } from "../../src/protocol/request.ts";
import { FakeKernel, struct } from "./fake_kernel.ts";

const file = { node: 7, attributes: { mode: 0o100640, size: 5000 } };

Deno.test("lookup: the entry is encoded with the mount's timeouts and owner", async () => {
  const kernel = new FakeKernel({ lookup: () => file });
  const { body, length } = (await kernel.send("LOOKUP", 1, "name"))!;
  const { attr, nodeid, entry_valid, entry_valid_nsec, attr_valid, attr_valid_nsec } = STRUCT.fuse_entry_out;
  assertEquals(length, STRUCT.fuse_entry_out.SIZE);
  assertEquals(body.getBigUint64(nodeid, true), 7n);
  assertEquals([body.getUint32(entry_valid, true), body.getUint32(entry_valid_nsec, true)], [1, 500_000_000]);
  assertEquals([body.getUint32(attr_valid, true), body.getUint32(attr_valid_nsec, true)], [2, 250_000_000]);
  assertEquals(body.getBigUint64(attr + STRUCT.fuse_attr.ino, true), 7n);
  assertEquals(body.getBigUint64(attr + STRUCT.fuse_attr.blocks, true), 10n);
  assertEquals(body.getUint32(attr + STRUCT.fuse_attr.uid, true), 1000);
  assertEquals(body.getUint32(attr + STRUCT.fuse_attr.nlink, true), 1);
});

Deno.test("lookup: absence is ENOENT, or a negative entry when that may be cached", async () => {
  const absent: FileSystem = { lookup: () => undefined };
  assertEquals((await new FakeKernel(absent).send("LOOKUP", 1, "x"))!.length, -ERRNO.ENOENT);
  const cached = (await new FakeKernel(absent, { negativeTimeout: 3 }).send("LOOKUP", 1, "x"))!;
  assertEquals(cached.length, STRUCT.fuse_entry_out.SIZE);
  assertEquals(cached.body.getBigUint64(STRUCT.fuse_entry_out.nodeid, true), 0n);
  assertEquals(cached.body.getUint32(STRUCT.fuse_entry_out.entry_valid, true), 3);
});

Deno.test("names that are not UTF-8 reach the filesystem whole", async () => {
  const names: string[] = [];
  const kernel = new FakeKernel({ makeSymbolicLink: (_parent, name, target) => (names.push(name, target), file) });
  await kernel.send("SYMLINK", 1, "caf\udce9", "\udcff/é");
  assertEquals(names, ["caf\udce9", "\udcff/é"]);
});

Deno.test("errors: what is thrown becomes an errno, and what is no error of a filesystem is EIO and a log line", async (t) => {
  const cases: [string, () => never | Promise<never>, keyof typeof ERRNO, number][] = [
    [
      "FsError",
      () => {
        throw new FsError("ENOTEMPTY");
      },
      "ENOTEMPTY",
      0,
    ],
    ["a rejected promise", () => Promise.reject(new FsError("EDQUOT")), "EDQUOT", 0],
    [
      "Deno.errors.NotFound",
      () => {
        throw new Deno.errors.NotFound();
      },
      "ENOENT",
      0,
    ],
    [
      "an error with a code",
      () => {
        throw Object.assign(new Error("x"), { code: "EXDEV" });
      },
      "EXDEV",
      0,
    ],
    [
      "an aborted signal",
      () => {
        throw new DOMException("", "AbortError");
      },
      "EINTR",
      0,
    ],
    [
      "a timeout",
      () => {
        throw new DOMException("", "TimeoutError");
      },
      "ETIMEDOUT",
      0,
    ],
    [
      "a bug",
      () => {
        throw new TypeError("x is undefined");
      },
      "EIO",
      1,
    ],
    [
      "a string",
      () => {
        throw "oops";
      },
      "EIO",
      1,
    ],
  ];
  for (const [name, unlink, code, lines] of cases) {
    await t.step(name, async () => {
      const kernel = new FakeKernel({ unlink });
      assertEquals((await kernel.send("UNLINK", 1, "x"))!.length, -ERRNO[code]);
      assertEquals(kernel.log.length, lines);
    });
  }
});

Deno.test("a result that cannot be encoded is EIO and a log line", async () => {
  const kernel = new FakeKernel({ lookup: () => ({ node: 2 }) as never, read: () => new Uint8Array(9) });
  assertEquals((await kernel.send("LOOKUP", 1, "x"))!.length, -ERRNO.EIO);
  assertEquals((await kernel.send("READ", 2, struct("fuse_read_in", { size: 8 })))!.length, -ERRNO.EIO);
  assertEquals(kernel.log.length, 2);
});

Deno.test('placement "loop": a promise is refused and said', async () => {
  const kernel = new FakeKernel({ lookup: () => Promise.resolve(file) }, { mustAnswerAtOnce: true });
  assertEquals((await kernel.send("LOOKUP", 1, "x"))!.length, -ERRNO.EIO);
  assert(kernel.log[0]!.includes("lookup"));
});

Deno.test("missing methods get the documented answer", async (t) => {
  const kernel = new FakeKernel({});
  const cases: [Parameters<FakeKernel["send"]>[0], number][] = [
    ["LOOKUP", -ERRNO.ENOENT],
    ["GETATTR", STRUCT.fuse_attr_out.SIZE],
    ["OPEN", STRUCT.fuse_open_out.SIZE],
    ["OPENDIR", STRUCT.fuse_open_out.SIZE],
    ["READDIR", 0],
    ["RELEASE", 0],
    ["RELEASEDIR", 0],
    ["STATFS", STRUCT.fuse_statfs_out.SIZE],
    ["FSYNC", -ERRNO.ENOSYS],
    ["READ", -ERRNO.ENOSYS],
    ["CREATE", -ERRNO.ENOSYS],
    ["TMPFILE", -ERRNO.ENOSYS],
    ["READDIRPLUS", -ERRNO.ENOSYS],
    ["IOCTL", -ERRNO.ENOSYS],
    ["SETUPMAPPING", -ERRNO.ENOSYS],
  ];
  for (const [opcode, length] of cases) {
    await t.step(opcode, async () => assertEquals((await kernel.send(opcode, 1))!.length, length));
  }
  await t.step("GETATTR of another node", async () => {
    assertEquals((await kernel.send("GETATTR", 2))!.length, -ERRNO.ENOSYS);
  });
});

Deno.test("forget: the filesystem is told once, when the last lookup is given back", async () => {
  const forgotten: number[] = [];
  const kernel = new FakeKernel({ lookup: () => file, forget: (node) => void forgotten.push(node) });
  for (let round = 0; round < 3; round++) await kernel.send("LOOKUP", 1, "name");
  await kernel.send("FORGET", 7, struct("fuse_forget_in", { nlookup: 2 }));
  assertEquals(forgotten, []);
  const batch = [struct("fuse_batch_forget_in", { count: 2 }), struct("fuse_forget_one", { nodeid: 9n, nlookup: 1n })];
  await kernel.send("BATCH_FORGET", 0, ...batch, struct("fuse_forget_one", { nodeid: 7n, nlookup: 1n }));
  assertEquals(forgotten, [7]);
  assertEquals(kernel.answers.length, 3, "forgets have no answer");
});

Deno.test("an answer that comes too late gives back what it handed out", async () => {
  const calls: string[] = [];
  const kernel = new FakeKernel({
    lookup: () => file,
    open: () => ({ handle: 3 }),
    create: () => ({ entry: file, opened: { handle: 4 } }),
    readDirectoryPlus: () => [{ name: "name", inode: 8, mode: 0, offset: 1, entry: { ...file, node: 8 } }],
    forget: (node) => void calls.push(`forget ${node}`),
    release: (node, handle) => void calls.push(`release ${node} ${handle}`),
  });
  kernel.gone = true;
  await kernel.send("LOOKUP", 1, "name");
  await kernel.send("OPEN", 7, struct("fuse_open_in", {}));
  await kernel.send("CREATE", 1, struct("fuse_create_in", {}), "name");
  await kernel.send("READDIRPLUS", 1, struct("fuse_read_in", { size: 400 }));
  assertEquals(calls, ["forget 7", "release 7 3", "release 7 4", "forget 7", "forget 8"]);
});

/** Counts opens, and has a backing id for those that name a descriptor; it was not registered as root. */
class CountedOpens implements OpenFiles {
  readonly counts = new Map<number, number>();

  opened(node: number, { backing, backingAsRoot }: Opened, mayWrite: boolean): number {
    this.counts.set(node, (this.counts.get(node) ?? 0) + 1);
    return backing === undefined ? 0 : backingAsRoot && mayWrite ? -33 : 33;
  }

  released(node: number): void {
    this.counts.set(node, this.counts.get(node)! - 1);
  }
}

Deno.test("an open that is passed through has its backing id and no flag that the kernel refuses beside it", async () => {
  const { FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE, FOPEN_NOFLUSH, FOPEN_PARALLEL_DIRECT_WRITES, FOPEN_PASSTHROUGH } = KERNEL;
  const ways: [how: number, opened: Opened, flags: number, id: number][] = [
    [
      O_WRONLY,
      { backing: 5, directIo: true, keepCache: true, nonSeekable: true, parallelDirectWrites: true },
      FOPEN_PASSTHROUGH,
      33,
    ],
    [
      O_RDONLY,
      { backing: 5, backingMapsOnly: true, parallelDirectWrites: true, noFlush: true },
      FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH,
      33,
    ],
    [O_RDONLY, { backing: 5, backingAsRoot: true }, FOPEN_PASSTHROUGH, 33],
    [O_WRONLY, { backing: 5, backingAsRoot: true }, FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO, 33],
    [O_RDWR | O_APPEND, { backing: 5, backingAsRoot: true }, FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO, 33],
    [O_RDONLY, { keepCache: true }, FOPEN_KEEP_CACHE, 0],
  ];
  const openFiles = new CountedOpens();
  const { flags: flagsAt, id: idAt } = { flags: STRUCT.fuse_open_out.open_flags, id: STRUCT.fuse_open_out.backing_id };
  for (const [how, opened, flags, id] of ways) {
    const kernel = new FakeKernel({ open: () => opened, create: () => ({ entry: file, opened }) }, { openFiles });
    const { body } = (await kernel.send("OPEN", 7, struct("fuse_open_in", { flags: how })))!;
    assertEquals([body.getUint32(flagsAt, true), body.getUint32(idAt, true)], [flags, id]);
    const made = (await kernel.send("CREATE", 1, struct("fuse_create_in", { flags: how }), "name"))!.body;
    const at = STRUCT.fuse_entry_out.SIZE;
    assertEquals([made.getUint32(at + flagsAt, true), made.getUint32(at + idAt, true)], [flags, id]);
  }
  assertEquals(openFiles.counts, new Map([[7, 2 * ways.length]]));
});

Deno.test("each open is counted once and given back once, whatever becomes of it", async () => {
  const openFiles = new CountedOpens();
  const release = struct("fuse_release_in", {});
  const failing = new FakeKernel({
    open: () => ({ backing: 5 }),
    release: () => {
      throw new FsError("EIO", "Cannot close it");
    },
  }, { openFiles });
  await failing.send("OPEN", 7, struct("fuse_open_in", {}));
  await failing.send("RELEASE", 7, release);
  const bare = new FakeKernel({}, { openFiles });
  await bare.send("OPEN", 8, struct("fuse_open_in", {}));
  await bare.send("RELEASE", 8, release);
  const gone = new FakeKernel({
    open: () => ({ backing: 5 }),
    create: () => ({ entry: { ...file, node: 9 }, opened: { backing: 5 } }),
    makeTemporaryFile: () => ({ entry: { ...file, node: 9 }, opened: { backing: 5 } }),
  }, { openFiles });
  gone.gone = true;
  await gone.send("OPEN", 9, struct("fuse_open_in", {}));
  await gone.send("CREATE", 1, struct("fuse_create_in", {}), "name");
  await gone.send("TMPFILE", 1, struct("fuse_create_in", {}), "");
  const refusing = new FakeKernel({
    open: () => {
      throw new FsError("EACCES", "Cannot open it");
    },
  }, { openFiles });
  await refusing.send("OPEN", 10, struct("fuse_open_in", {}));
  assertEquals(openFiles.counts, new Map([[7, 0], [8, 0], [9, 0]]));
});

Deno.test("setattr: only what is valid is a change", async () => {
  const seen: unknown[] = [];
  const kernel = new FakeKernel({
    setAttributes: (_node, changes, handle) => (seen.push(changes, handle), file.attributes),
  });
  const valid = (1 << 0) | (1 << 3) | (1 << 4) | (1 << 6) | (1 << 8) | (1 << 11);
  const fields = { valid, mode: 0o104755, size: 2n ** 40n, atime: -1n, atimensec: 5, fh: 99n };
  await kernel.send("SETATTR", 7, struct("fuse_setattr_in", fields));
  assertEquals(seen, [
    { mode: 0o4755, size: 2 ** 40, atime: { seconds: -1, nanoseconds: 5 }, mtime: "now", killPrivileges: true },
    99,
  ]);
});

Deno.test("directories: as many entries as fit, each aligned, and lookups counted only for those", async () => {
  const discarded: number[] = [];
  const entries = function* (): Iterable<DirectoryEntry> {
    for (let index = 1; index <= 9; index++) {
      const entry = { node: 100 + index, attributes: { mode: 0o100644 } };
      yield { name: `entry-${index}`, inode: index, mode: 0o100644, offset: index, entry };
    }
  };
  const kernel = new FakeKernel({
    readDirectory: entries,
    readDirectoryPlus: async function* () {
      yield* entries();
    } as never,
    forgetLookups: (node) => void discarded.push(node),
  });
  const plain = (await kernel.send("READDIR", 1, struct("fuse_read_in", { size: 100 })))!;
  assertEquals(plain.length, 96, "two entries of 24 + 16 bytes and not a third of 32");
  const plus = (await kernel.send("READDIRPLUS", 1, struct("fuse_read_in", { size: 400 })))!;
  assertEquals(plus.length, 2 * (152 + 8));
  assertEquals(discarded, [103, 104, 105, 106, 107, 108, 109], "what did not fit was taken back");
});

Deno.test("readdirplus: of entries that came with time, or as an array, all that do not fit are taken back", async () => {
  const entries = [101, 102, 103, 104, 105].map((node, index): DirectoryEntry => {
    return { name: "n", inode: node, mode: 0, offset: index + 1, entry: { ...file, node } };
  });
  const later = async function* () {
    yield* entries;
  };
  for (const readDirectoryPlus of [() => entries, later]) {
    const discarded: number[] = [];
    const kernel = new FakeKernel({ readDirectoryPlus, forgetLookups: (node) => void discarded.push(node) });
    await kernel.send("READDIRPLUS", 1, struct("fuse_read_in", { size: 400 }));
    assertEquals(discarded, [103, 104, 105]);
  }
});

Deno.test("readdirplus: a listing that fails midway takes back the lookups of what came before", async () => {
  const forgotten: number[] = [];
  const kernel = new FakeKernel({
    *readDirectoryPlus() {
      for (const node of [8, 9]) {
        yield { name: `${node}`, inode: node, mode: 0, offset: node, entry: { ...file, node } };
      }
      throw new FsError("EIO");
    },
    forget: (node) => void forgotten.push(node),
  });
  const { length } = (await kernel.send("READDIRPLUS", 1, struct("fuse_read_in", { size: 4096 })))!;
  assertEquals([length, forgotten], [-ERRNO.EIO, [8, 9]]);
});

Deno.test("extended attributes: size queries, ERANGE and ENODATA are the library's", async () => {
  const value = new Uint8Array([1, 2, 3]);
  const kernel = new FakeKernel({
    getExtendedAttribute: (_node, name) => name === "user.a" ? value : undefined,
    listExtendedAttributes: () => ["user.a", "user.b"],
  });
  const ask = async (size: number, name: string) =>
    (await kernel.send("GETXATTR", 7, struct("fuse_getxattr_in", { size }), name))!;
  assertEquals((await ask(0, "user.a")).body.getUint32(0, true), 3);
  assertEquals((await ask(2, "user.a")).length, -ERRNO.ERANGE);
  assertEquals((await ask(3, "user.a")).length, 3);
  assertEquals((await ask(3, "user.z")).length, -ERRNO.ENODATA);
  const list = (await kernel.send("LISTXATTR", 7, struct("fuse_getxattr_in", { size: 100 })))!;
  assertEquals(new TextDecoder().decode(list.body), "user.a\0user.b\0");
});

Deno.test("locks: the end of the file is 2^63 - 1 both ways", async () => {
  const seen: number[] = [];
  const kernel = new FakeKernel({
    getLock: (_node, _handle, _owner, lock) => (seen.push(lock.start, lock.end), { ...lock, type: "write", pid: 5 }),
  });
  const request = struct("fuse_lk_in", { fh: 1n, owner: 2n });
  const view = new DataView(request.buffer);
  view.setBigUint64(STRUCT.fuse_lk_in.lk + STRUCT.fuse_file_lock.start, 10n, true);
  view.setBigUint64(STRUCT.fuse_lk_in.lk + STRUCT.fuse_file_lock.end, 2n ** 63n - 1n, true);
  const { body } = (await kernel.send("GETLK", 7, request))!;
  assertEquals(seen, [10, 2 ** 63]);
  assertEquals(body.getBigUint64(STRUCT.fuse_file_lock.end, true), 2n ** 63n - 1n);
  assertEquals(body.getUint32(STRUCT.fuse_file_lock.type, true), 1);
});

Deno.test("a filesystem may have whole-file locks and no others", async () => {
  const asked: string[] = [];
  const kernel = new FakeKernel({ setWholeFileLock: (_node, _handle, _owner, type) => void asked.push(type) });
  const request = struct("fuse_lk_in", { fh: 1n, owner: 2n, lk_flags: 1 });
  assertEquals((await kernel.send("SETLK", 7, request))?.length, 0);
  assertEquals(asked, ["read"]);
});

Deno.test("a lock that nobody waits for any more is taken back, but not from an owner that has asked again", async () => {
  const locks: string[] = [];
  const late = Promise.withResolvers<void>();
  const kernel = new FakeKernel({
    async setLock(_node, _handle, owner, { type }) {
      locks.push(`${owner} ${type}`);
      if (locks.length === 1) await late.promise;
    },
  });
  const lock = (owner: bigint) => kernel.send("SETLK", 7, lockOf(owner));
  kernel.gone = true;
  const first = lock(1n);
  await lock(2n);
  assertEquals(locks, ["1 write", "2 write", "2 unlock"]);
  await lock(1n);
  assertEquals(locks.slice(3), ["1 write", "1 unlock"]);
  const again = lock(1n);
  late.resolve();
  await Promise.all([first, again]);
  // The first one was outdated by the second and the third, of which the last was taken back.
  assertEquals(locks.slice(5), ["1 write", "1 unlock"]);
});

/** `fuse_lk_in` of a write lock of the whole file. */
function lockOf(owner: bigint): Uint8Array {
  const bytes = struct("fuse_lk_in", { owner });
  new DataView(bytes.buffer).setUint32(STRUCT.fuse_lk_in.lk + STRUCT.fuse_file_lock.type, 1, true);
  return bytes;
}

Deno.test("what is given back too late and fails is a line in the log", async () => {
  const kernel = new FakeKernel({
    open: () => ({ handle: 3 }),
    release: () => Promise.reject(new Error("no")),
  });
  kernel.gone = true;
  await kernel.send("OPEN", 7, struct("fuse_open_in", {}));
  await Promise.resolve();
  assertEquals(kernel.log, ["open of node 7 was answered too late, and was not taken back"]);
});

Deno.test("what is elsewhere is handed on as it came, and answered by nobody here", async () => {
  const handed: [opcode: number, node: number, name: string, handler: number][] = [];
  const released: number[] = [];
  const openFiles: OpenFiles = { opened: () => 0, released: (node) => released.push(node) };
  const elsewhere = (request: RequestView, handler: number) => {
    request.setArguments(0);
    handed.push([request.opcode, request.node, request.takeName(), handler]);
  };
  const handOn = (): never => {
    throw new Elsewhere(3);
  };
  const kernel = new FakeKernel({ lookup: handOn, release: handOn }, { elsewhere, openFiles, mustAnswerAtOnce: true });
  assertEquals(await kernel.send("LOOKUP", 5, "name"), undefined);
  assertEquals(await kernel.send("RELEASE", 6, struct("fuse_release_in", { fh: 1n })), undefined);
  assertEquals(handed.map(([opcode, node, , handler]) => [opcode, node, handler]), [
    [KERNEL.OPCODE.LOOKUP, 5, 3],
    [KERNEL.OPCODE.RELEASE, 6, 3],
  ]);
  assertEquals(handed[0]![2], "name");
  // The handler counts the release, and nobody else.
  assertEquals([released, kernel.answers, kernel.log], [[], [], []]);
});

Deno.test("without handlers what is elsewhere is EIO and a log line", async () => {
  const kernel = new FakeKernel({
    lookup: () => {
      throw new Elsewhere(0);
    },
  });
  assertEquals((await kernel.send("LOOKUP", 1, "x"))!.length, -ERRNO.EIO);
  assertEquals(kernel.log.length, 1);
});

Deno.test("what cannot be handed on is EIO and a log line, forgets are a log line, and the next request is served", async () => {
  const kernel = new FakeKernel({
    lookup: () => {
      throw new Elsewhere(5);
    },
    forgetLookups: () => {
      throw new Elsewhere(5);
    },
    getAttributes: () => file.attributes,
  }, {
    elsewhere: () => {
      throw new RangeError("there is none of that number");
    },
  });
  assertEquals((await kernel.send("LOOKUP", 1, "x"))!.length, -ERRNO.EIO);
  await kernel.send("FORGET", 2, struct("fuse_forget_in", { nlookup: 1n }));
  assertEquals(kernel.log, [
    "lookup of node 1 cannot be handed on; the caller gets EIO",
    "Forgets of handler 5 cannot be handed on",
  ]);
  assert((await kernel.send("GETATTR", 2, struct("fuse_getattr_in", {})))!.length > 0);
});

Deno.test("forgets are handed on to the handlers that they are for, the others are done here", async () => {
  const here: [number, number][] = [];
  const { SIZE } = STRUCT.fuse_in_header;
  const batches: [handler: number, opcode: number, forgets: number[]][] = [];
  const kernel = new FakeKernel({
    forgetLookups(node, count) {
      if (node > 9) throw new Elsewhere(node % 2);
      here.push([node, count]);
    },
  }, {
    elsewhere(request, handler) {
      const words = request.words.subarray((SIZE + STRUCT.fuse_batch_forget_in.SIZE) / 4, request.length / 4);
      const forgets = Array.from(
        { length: words.length / 2 },
        (_, at) => words[2 * at]! + words[2 * at + 1]! * 2 ** 32,
      );
      assertEquals(request.u32(STRUCT.fuse_batch_forget_in.count), forgets.length / 2);
      batches.push([handler, request.opcode, forgets]);
    },
  });
  const one = (nodeid: bigint, nlookup: bigint) => struct("fuse_forget_one", { nodeid, nlookup });
  const far = 2n ** 40n + 1n;
  const all = [one(1n, 2n), one(11n, 3n), one(12n, 4n), one(far, 5n)];
  await kernel.send("BATCH_FORGET", 0, struct("fuse_batch_forget_in", { count: 4 }), ...all);
  await kernel.send("FORGET", 20, struct("fuse_forget_in", { nlookup: 6n }));
  await kernel.send("FORGET", 2, struct("fuse_forget_in", { nlookup: 7n }));
  const batch = KERNEL.OPCODE.BATCH_FORGET;
  assertEquals(here, [[1, 2], [2, 7]]);
  assertEquals(batches, [[1, batch, [11, 3, Number(far), 5]], [0, batch, [12, 4]], [0, batch, [20, 6]]]);
});
