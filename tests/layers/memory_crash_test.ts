/**
 * A memory filesystem whose files outlive its server: the server dies at each of its writes, in each kind of request, and the
 * next one finds all of what was done or nothing of it, and finishes it when the request comes again.
 */
import { openLibc } from "../../ffi/library.ts";
import { FsError } from "../../src/fs/errors.ts";
import type { NodeId, RequestContext } from "../../src/fs/filesystem.ts";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  O_RDWR,
  RENAME_EXCHANGE,
  RENAME_WHITEOUT,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../../src/fs/flags.ts";
import { KeptFileParts } from "../../src/kept/kept_extents.ts";
import { KeptFile } from "../../src/kept/kept_file.ts";
import { createKept } from "../../src/kept/kept_memory.ts";
import { KeptMemoryFileSystem } from "../../src/layers/memory/kept_memory.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { requestContext } from "../support/request_context.ts";

class Died extends Error {}

/** A file whose process dies at one of its writes, in the midst of it. */
class DyingFile extends KeptFile {
  /** How many writes there were. */
  writes = 0;
  #point: number | undefined;
  #failing = Infinity;

  constructor(descriptor: number, point?: number) {
    super(new KeptFileParts(descriptor).place("test"));
    this.#point = point;
  }

  /** From here on, as the `point`th write from now. */
  dieAt(point: number | undefined): void {
    this.writes = 0;
    this.#point = point;
  }

  /** From a write on there is no memory for every fourth. */
  failAt(writes: number): void {
    this.writes = 0;
    this.#failing = writes;
  }

  override read(target: Uint8Array, offset: bigint): void {
    if (this.#isDead) throw new Died();
    super.read(target, offset);
  }

  override write(data: Uint8Array, offset: bigint): void {
    // A word is written or not.
    if (this.#dies() && data.length > 8) super.write(data.subarray(0, data.length / 2), offset);
    if (this.#isDead) throw new Died();
    if (this.writes >= this.#failing && (this.writes - this.#failing) % 4 === 0) {
      throw new FsError("ENOSPC", "as a test wants it");
    }
    super.write(data, offset);
  }

  override punch(offset: bigint, length: bigint): void {
    this.#dies();
    if (this.#isDead) throw new Died();
    super.punch(offset, length);
  }

  #dies(): boolean {
    return ++this.writes === this.#point;
  }

  get #isDead(): boolean {
    return this.#point !== undefined && this.writes >= this.#point;
  }
}

/** What outlives servers, and the server that there is. */
class Mount implements Disposable {
  readonly descriptor = createKept("trellis-test");
  counts = new Int32Array(1000);
  restarts = -1;
  readonly #leastLog: number | undefined;
  file!: DyingFile;
  filesystem!: KeptMemoryFileSystem;

  constructor(leastLog?: number) {
    this.#leastLog = leastLog;
    this.start();
  }

  start(point?: number): void {
    this.restarts++;
    this.file = new DyingFile(this.descriptor, point);
    const { file, counts, restarts } = this;
    this.filesystem = new KeptMemoryFileSystem({ size: 1 << 20, inodes: 100, restarts }, {
      ...{ file, counts },
      ...this.#leastLog !== undefined && { leastLog: this.#leastLog },
    });
  }

  find(path: string): NodeId {
    return path.split("/").filter(Boolean).reduce((node, name) => {
      const { node: found } = this.filesystem.lookup(node, name)!;
      return found;
    }, 1);
  }

  make(name: string, text = "", parent = 1): NodeId {
    const { entry: { node } } = this.filesystem.create(parent, name, 0o644, O_RDWR, requestContext());
    if (text !== "") this.write(node, 0, text);
    return node;
  }

  write(node: NodeId, offset: number, text: string): void {
    const data = new TextEncoder().encode(text);
    this.filesystem.write(node, 0, offset, data, { cached: false, killPrivileges: false });
  }

  [Symbol.dispose](): void {
    openLibc().symbols.close(this.descriptor);
  }
}

/** All that programs see, but for times. */
function describe({ filesystem }: Mount, node = 1): unknown {
  const { mode, size, blocks, links, uid, gid, device } = filesystem.getAttributes(node);
  const attributes = filesystem.listExtendedAttributes(node)
    .map((name) => [name, [...filesystem.getExtendedAttribute(node, name)!]]);
  const type = mode & S_IFMT;
  const content = type === S_IFREG
    ? new TextDecoder().decode(filesystem.read(node, 1, 0, 1 << 17, requestContext()))
    : type === S_IFLNK
    ? filesystem.readLink(node)
    : type === S_IFDIR
    ? list(filesystem, node).map(({ name, inode, offset }) => [name, offset, describe({ filesystem } as Mount, inode!)])
    : device;
  return { node, mode, size, blocks, links, uid, gid, attributes, content };
}

function list(filesystem: KeptMemoryFileSystem, node: NodeId) {
  const { handle } = filesystem.openDirectory(node);
  const entries = [...filesystem.readDirectory(node, handle!, 0)].filter(({ name }) => !/^\.\.?$/.test(name));
  filesystem.releaseDirectory(node, handle!);
  return entries;
}

interface Scenario {
  /** What is there before. Returns node ids by what `act` calls them. */
  readonly before?: (mount: Mount) => void;
  readonly act: (mount: Mount, context: RequestContext) => unknown;
  /** Whether a part of it may be seen in between: of contents. */
  readonly inPieces?: true;
}

const LONG = "content ".repeat(2000);

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  mkdir: { act: ({ filesystem }, context) => filesystem.makeDirectory(1, "directory", 0o755, context) },
  create: { act: ({ filesystem }, context) => filesystem.create(1, "file", 0o600, O_RDWR, context) },
  mknod: { act: ({ filesystem }, context) => filesystem.makeNode(1, "fifo", S_IFIFO | 0o600, 0, context) },
  symlink: { act: ({ filesystem }, context) => filesystem.makeSymbolicLink(1, "link", "\udcff/target", context) },
  link: {
    before: (mount) => void mount.make("file", "text"),
    act: (mount, context) => mount.filesystem.link(mount.find("file"), 1, "\udcffother", context),
  },
  unlink: {
    before: (mount) => void mount.make("file", LONG),
    act: ({ filesystem }, context) => filesystem.unlink(1, "file", context),
  },
  rmdir: {
    before: ({ filesystem }) => void filesystem.makeDirectory(1, "directory", 0o755, requestContext()),
    act: ({ filesystem }, context) => filesystem.removeDirectory(1, "directory", context),
  },
  rename: {
    before(mount) {
      mount.filesystem.makeDirectory(1, "directory", 0o755, requestContext());
      mount.make("file", "text");
    },
    act: (mount, context) => mount.filesystem.rename(1, "file", mount.find("directory"), "moved", 0, context),
  },
  "rename over another": {
    before(mount) {
      mount.make("file", "text");
      mount.make("other", LONG);
    },
    act: ({ filesystem }, context) => filesystem.rename(1, "file", 1, "other", 0, context),
  },
  "rename a directory": {
    before(mount) {
      for (const name of ["one", "two"]) mount.filesystem.makeDirectory(1, name, 0o755, requestContext());
      mount.make("file", "text", mount.find("one"));
    },
    act: (mount, context) => mount.filesystem.rename(1, "one", mount.find("two"), "one", 0, context),
  },
  exchange: {
    before(mount) {
      mount.make("file", "text");
      mount.filesystem.makeDirectory(1, "other", 0o755, requestContext());
    },
    act: ({ filesystem }, context) => filesystem.rename(1, "file", 1, "other", RENAME_EXCHANGE, context),
  },
  "rename with a whiteout": {
    before: (mount) => void mount.make("file", "text"),
    act: ({ filesystem }, context) => filesystem.rename(1, "file", 1, "other", RENAME_WHITEOUT, context),
  },
  setxattr: {
    before: (mount) => void mount.make("file"),
    act: (mount, context) =>
      mount.filesystem.setExtendedAttribute(mount.find("file"), "user.a", new Uint8Array([1, 255]), 1, context),
  },
  removexattr: {
    before: (mount) =>
      mount.filesystem.setExtendedAttribute(mount.make("file"), "user.a", new Uint8Array(5), 0, requestContext()),
    act: (mount, context) => mount.filesystem.removeExtendedAttribute(mount.find("file"), "user.a", context),
  },
  chmod: {
    before: (mount) => void mount.make("file"),
    act: (mount) => void mount.filesystem.setAttributes(mount.find("file"), { mode: 0o400, uid: 5 }),
  },
  write: {
    before: (mount) => void mount.make("file", "text"),
    act: (mount) => mount.write(mount.find("file"), 2, LONG),
    inPieces: true,
  },
  "write far away": {
    before: (mount) => void mount.make("file", "text"),
    act: (mount) => mount.write(mount.find("file"), 130_000, LONG),
    inPieces: true,
  },
  "truncate to less": {
    before: (mount) => void mount.make("file", LONG),
    act: (mount) => void mount.filesystem.setAttributes(mount.find("file"), { size: 5000 }),
    inPieces: true,
  },
  "truncate to more": {
    before: (mount) => void mount.make("file", "text"),
    act: (mount) => void mount.filesystem.setAttributes(mount.find("file"), { size: 50_000 }),
  },
  "punch a hole": {
    before: (mount) => void mount.make("file", LONG),
    act(mount) {
      mount.filesystem.allocate(mount.find("file"), 0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 9000);
    },
    inPieces: true,
  },
  fallocate: {
    before: (mount) => void mount.make("file", "text"),
    act: (mount) => mount.filesystem.allocate(mount.find("file"), 0, 0, 2, 20_000),
    inPieces: true,
  },
  "copy a range": {
    before(mount) {
      mount.make("file", LONG);
      mount.make("other", "text");
    },
    act(mount) {
      const [from, to] = ["file", "other"].map((name) => ({ node: mount.find(name), handle: 0, offset: 3 }));
      mount.filesystem.copyFileRange(from!, to!, 9000);
    },
    inPieces: true,
  },
};

const UNIQUE = 4242;

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`a server that dies in ${name} leaves it done or not done, and the next one finishes it`, async (t) => {
    await t.step("while the log is short", () => dieEverywhere(scenario));
    await t.step("while the log is written anew, again and again", () => dieEverywhere(scenario, 0));
  });
}

function dieEverywhere({ before, act, inPieces }: Scenario, leastLog?: number): void {
  using whole = new Mount(leastLog);
  before?.(whole);
  const first = describe(whole);
  act(whole, requestContext({ unique: UNIQUE }));
  const last = describe(whole);
  // And last when all is written, and not answered.
  for (let point = 1, died = true; died; point++) {
    using mount = new Mount(leastLog);
    before?.(mount);
    mount.file.dieAt(point);
    died = dies(() => act(mount, requestContext({ unique: UNIQUE })));
    assert(died || point > 2);
    mount.start();
    const found = JSON.stringify(describe(mount));
    assert(inPieces || [first, last].some((state) => JSON.stringify(state) === found), found);
    // Others come before it, and another server's life.
    mount.filesystem.makeDirectory(1, "between", 0o755, requestContext({ unique: 6000 }));
    mount.start();
    mount.filesystem.removeDirectory(1, "between", requestContext({ unique: 6002 }));
    act(mount, requestContext({ unique: UNIQUE, resent: true }));
    assertEquals(withoutPlaces(describe(mount)), withoutPlaces(last), `after write ${point}`);
    mount.start();
    assertEquals(withoutPlaces(describe(mount)), withoutPlaces(last), `after write ${point}, and a restart`);
  }
}

/** What fails when a file with the attribute "user.a", a directory with a file in it and nothing else are there. */
const FAILURES: Readonly<Record<string, Scenario["act"]>> = {
  ENODATA: (mount, context) => mount.filesystem.removeExtendedAttribute(mount.find("file"), "user.b", context),
  "ENODATA, for want of what is to be replaced": (mount, context) =>
    mount.filesystem.setExtendedAttribute(mount.find("file"), "user.b", new Uint8Array(1), XATTR_REPLACE, context),
  EEXIST: (mount, context) =>
    mount.filesystem.setExtendedAttribute(mount.find("file"), "user.a", new Uint8Array(1), XATTR_CREATE, context),
  EOPNOTSUPP: (mount, context) => mount.filesystem.removeExtendedAttribute(mount.find("file"), "other.a", context),
  "EEXIST, for a name": ({ filesystem }, context) => filesystem.makeDirectory(1, "file", 0o755, context),
  ENOENT: ({ filesystem }, context) => filesystem.unlink(1, "other", context),
  ENOTEMPTY: ({ filesystem }, context) => filesystem.removeDirectory(1, "directory", context),
  ENOTDIR: ({ filesystem }, context) => filesystem.rename(1, "directory", 1, "file", 0, context),
};

for (const [name, act] of Object.entries(FAILURES)) {
  Deno.test(`what fails with ${name} fails again when it comes again`, () => {
    using mount = new Mount();
    mount.filesystem.setExtendedAttribute(mount.make("file"), "user.a", new Uint8Array(5), 0, requestContext());
    mount.filesystem.makeDirectory(1, "directory", 0o755, requestContext());
    mount.make("inner", "", mount.find("directory"));
    const code = name.split(",")[0];
    assertEquals(assertThrows(() => act(mount, requestContext({ unique: UNIQUE })), FsError).code, code);
    mount.start();
    assertEquals(assertThrows(() => act(mount, requestContext({ unique: UNIQUE, resent: true })), FsError).code, code);
  });
}

function dies(serve: () => void): boolean {
  try {
    serve();
    return false;
  } catch (error) {
    if (error instanceof Died) return true;
    throw error;
  }
}

/** What was made between has moved ids and offsets on. */
function withoutPlaces(state: unknown): unknown {
  return JSON.parse(
    JSON.stringify(state),
    (key, value) =>
      key === "node" ? 0 : key === "content" && Array.isArray(value) ? value.map(([n, , d]) => [n, d]) : value,
  );
}

Deno.test("a server that dies while it begins leaves all to the next one", () => {
  using mount = new Mount();
  mount.make("file", LONG);
  mount.filesystem.makeDirectory(1, "directory", 0o700, requestContext());
  mount.make("inner", "text", mount.find("directory"));
  const expected = describe(mount);
  mount.start();
  const points = mount.file.writes;
  assert(points >= 4);
  for (let point = 1; point <= points; point++) {
    assertThrows(() => mount.start(point), Died);
    mount.start();
    assertEquals(describe(mount), expected, `after write ${point}`);
  }
});

Deno.test("a deleted file that is known outlives its server, is gone when it is forgotten, and gives its space back", () => {
  using mount = new Mount();
  const free = () => mount.filesystem.getStatistics();
  const before = free();
  const file = mount.make("file", LONG);
  mount.filesystem.unlink(1, "file", requestContext());
  mount.start();
  assertEquals(mount.filesystem.read(file, 0, 0, 7, requestContext()), new TextEncoder().encode("content"));
  mount.filesystem.forgetLookups(file, 1);
  assertThrows(() => mount.filesystem.getAttributes(file), Error, "gone");
  assertEquals(free(), before);
  mount.start();
  assertEquals(free(), before);
  assert(mount.make("file") > file, "an id was used again");
  assertEquals(mount.filesystem.read(mount.find("file"), 0, 0, 7, requestContext()).length, 0);
});

Deno.test("for a new connection what only the old one knew is gone, and all that has a name is there", () => {
  using mount = new Mount();
  const file = mount.make("file", "text");
  mount.make("deleted", LONG);
  mount.filesystem.unlink(1, "deleted", requestContext());
  mount.counts = new Int32Array(1000);
  mount.start();
  assertEquals(mount.find("file"), file);
  // Numbers of requests mean others now.
  mount.filesystem.makeDirectory(1, "last", 0o755, requestContext({ unique: UNIQUE }));
  mount.counts = new Int32Array(1000);
  mount.start();
  mount.filesystem.removeDirectory(1, "last", requestContext({ unique: UNIQUE, resent: true }));
  assertEquals(mount.filesystem.lookup(1, "last"), undefined);
  mount.counts = new Int32Array(1000);
  mount.start();
  const { files, filesFree } = mount.filesystem.getStatistics();
  assertEquals(files - filesFree, 2);
});

Deno.test("a directory is read on where its reader was", () => {
  using mount = new Mount();
  for (let number = 0; number < 10; number++) mount.make(`file-${number}`);
  const { handle } = mount.filesystem.openDirectory(1);
  const read = (offset: number) => [...mount.filesystem.readDirectory(1, handle!, offset)].map(({ name }) => name);
  const all = [...mount.filesystem.readDirectory(1, handle!, 0)];
  mount.filesystem.unlink(1, "file-2", requestContext());
  mount.start();
  assertEquals(read(all[5]!.offset), all.slice(6).map(({ name }) => name));
});

Deno.test("what could not be written down, for want of memory, is written down later", () => {
  for (let failing = 1; failing <= 12; failing++) {
    using mount = new Mount();
    mount.make("gone", "text");
    mount.filesystem.makeDirectory(1, "directory", 0o755, requestContext());
    mount.file.failAt(failing);
    const attempts = [
      () => void mount.filesystem.setAttributes(1, { mode: 0o711 }),
      () => void mount.filesystem.setAttributes(1, { mode: 0o712 }),
      () => mount.filesystem.unlink(1, "gone", requestContext()),
      () => mount.filesystem.rename(1, "directory", 1, "moved", 0, requestContext()),
      () => void mount.make("file", "text"),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        assert(error instanceof FsError && error.code === "ENOSPC", String(error));
      }
    }
    mount.file.failAt(Infinity);
    mount.filesystem.setAttributes(1, { mode: 0o700 });
    const expected = describe(mount);
    mount.start();
    assertEquals(describe(mount), expected, `after ${failing} writes`);
  }
});

Deno.test("the log is written anew before it takes much more than what there is", async () => {
  using mount = new Mount();
  const file = mount.make("file", "text");
  const taken = async () => (await Deno.stat(`/proc/self/fd/${mount.descriptor}`)).blocks! * 512;
  // The names of parts, and whose the extents are.
  const first = await taken();
  let most = 0;
  for (let change = 0; change < 60_000; change++) {
    mount.filesystem.setAttributes(file, { mode: change & 0o777 });
    if (change % 1000 === 0) most = Math.max(most, await taken() - first);
  }
  assert(most > 2 << 20 && most < 5 << 20, `${most} bytes`);
  mount.start();
  assertEquals(mount.filesystem.getAttributes(file).mode & 0o777, 59_999 & 0o777);
  assert(await taken() - first < 5 << 20, `${await taken()} bytes`);
});
