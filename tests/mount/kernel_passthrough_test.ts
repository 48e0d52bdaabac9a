/** Reads and writes that the kernel sends straight to a backing file: who never sees them, and that nothing is left. */
import { O_PATH } from "../../src/fs/flags.ts";
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import type { FileSystem, Opened } from "../../src/fs/filesystem.ts";
import { assert, assertEquals } from "../deps.ts";
import { MountProcess, run, temporaryFolder } from "../support/cli_process.ts";
import { mountTemporarily, waitFor } from "../support/mounted.ts";
import { NO_ORDINARY_USER, prepareOrdinaryUser } from "../support/ordinary_user.ts";
import { mountTmpfs } from "../support/temporary_filesystem.ts";
import { PosixClient, PosixError } from "../support/posix_client.ts";
import { runC } from "../support/run_c.ts";
import type { BackedOptions } from "./backed_module.ts";
import { mountSource } from "./mounted_source.ts";

const NEEDS_ROOT = NO_ORDINARY_USER === undefined ? undefined : "passing through needs CAP_SYS_ADMIN";
const SKIPPED = NEEDS_ROOT ? ` (skipped: ${NEEDS_ROOT})` : "";

/** A test that needs the kernel to pass through. */
function privileged(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name: `${name}${SKIPPED}`, ignore: NEEDS_ROOT !== undefined, fn });
}

const PAGE = 4096;
const STRANGER = { uid: 65533, gid: 65533 };
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** An object whose one file, "file", is `path`, opened as `opens` says; it keeps what arrives. */
function backed(path: string, opens: (descriptor: number) => Opened, features = ["passthrough"]) {
  const { symbols } = openLibc();
  const arrived: string[] = [];
  const attributes = { mode: 0o100666, size: PAGE, timeout: 0 };
  const filesystem: FileSystem = {
    features,
    getAttributes: (node) => node === 1 ? { mode: 0o40777 } : attributes,
    setAttributes: () => attributes,
    lookup: (_parent, name) => name === "file" ? { node: 2, attributes } : undefined,
    open() {
      const descriptor = symbols.open(cString(path), O_PATH, 0);
      return { handle: descriptor, ...opens(descriptor) };
    },
    async read(_node, _handle, _offset, size) {
      arrived.push("read");
      return (await Deno.readFile(path)).subarray(0, size);
    },
    async write(_node, _handle, offset, data) {
      arrived.push("write");
      using file = await Deno.open(path, { write: true });
      await file.seek(offset, Deno.SeekMode.Start);
      return await file.write(data);
    },
    release: (_node, handle) => void symbols.close(handle),
  };
  return { filesystem, arrived };
}

for (const features of [["passthrough"], []]) {
  const passes = features.length > 0;
  const whose = passes ? "a file with a backing descriptor" : "an object that did not ask for the feature";
  privileged(
    `of ${whose} ${passes ? "no" : "every"} read and write arrives`,
    async () => {
      await using tmpfs = await mountTmpfs();
      const path = `${tmpfs.path}/behind`;
      await Deno.writeTextFile(path, "behind");
      const { filesystem, arrived } = backed(path, (backing) => ({ backing }), features);
      await using mounted = await mountTemporarily(filesystem);
      await using client = await PosixClient.start();
      const file = await client.open(`${mounted.path}/file`, "O_RDWR");
      assertEquals(decode(await client.pread(file, 6, 0)), "behind");
      await client.pwrite(file, "changed", 0);
      assertEquals(await Deno.readTextFile(path), "changed");
      assertEquals(decode(await client.pread(file, 7, 0)), "changed");
      await client.close(file);
      assertEquals(arrived.length > 0, !passes, arrived.join());
      await waitFor("the release of the file", () => tmpfs.isFree());
    },
  );
}

privileged("all opens of a node agree, whatever the object says of each", async (t) => {
  await using tmpfs = await mountTmpfs();
  const path = `${tmpfs.path}/behind`;
  await Deno.writeTextFile(path, "behind");
  let answer: (descriptor: number) => Opened = () => ({});
  const { filesystem, arrived } = backed(path, (descriptor) => answer(descriptor));
  await using mounted = await mountTemporarily(filesystem);
  await using client = await PosixClient.start();
  /** Opens as `next` says and reads; tells how many reads reached the object. */
  const openAndRead = async (next: typeof answer) => {
    answer = next;
    arrived.length = 0;
    const file = await client.open(`${mounted.path}/file`, "O_RDWR");
    assertEquals(decode(await client.pread(file, 6, 0)), "behind");
    return { file, reads: arrived.length };
  };
  const WITH = (backing: number) => ({ backing });
  const WITHOUT = () => ({});
  await t.step("first with a descriptor: later ones without read by way of the object", async () => {
    const first = await openAndRead(WITH);
    const second = await openAndRead(WITHOUT);
    const third = await openAndRead((backing) => ({ backing, backingMapsOnly: true }));
    assertEquals([first.reads, second.reads, third.reads], [0, 1, 1]);
    // Mappings are the backing file's, also of those.
    const mapping = await client.mmap(second.file, 0, PAGE, "PROT_READ|PROT_WRITE", "MAP_SHARED");
    await client.poke(mapping, 0, "BEHIND");
    assertEquals(decode(await client.pread(first.file, 6, 0)), "BEHIND");
    await client.poke(mapping, 0, "behind");
    await client.munmap(mapping);
    for (const { file } of [first, second, third]) await client.close(file);
  });
  await t.step("first without: later ones have none either, until all are released", async () => {
    const first = await openAndRead(WITHOUT);
    const second = await openAndRead(WITH);
    assertEquals([first.reads, second.reads], [1, 1]);
    await client.close(first.file);
    await client.close(second.file);
    await waitFor("an open that is passed through", async () => {
      const { file, reads } = await openAndRead(WITH);
      await client.close(file);
      return reads === 0;
    });
  });
});

/** Opens files of PLACE in all orders, two at a time, and reads and writes each; any failure ends it with 1. */
const OPENS = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  for (int process = 0; process < 4; process++) {
    if (fork() != 0) continue;
    srandom(process);
    int before = -1;
    for (int i = 0; i < COUNT / 4; i++) {
      char path[4096], byte = 'x';
      snprintf(path, sizeof path, "%s/%ld", PLACE, random() % 10);
      int fd = open(path, O_RDWR);
      if (fd < 0) { perror(path); exit(1); }
      if (pwrite(fd, &byte, 1, i % 4096) != 1 || pread(fd, &byte, 1, 0) != 1) { perror("pwrite, pread"); exit(1); }
      close(before);
      before = fd;
    }
    exit(0);
  }
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status;
  if (!failed) puts("done");
  return failed != 0;
}`;

privileged("100,000 opens by four processes over four loops leave no descriptor and no backing id", async () => {
  await using tmpfs = await mountTmpfs();
  for (let file = 0; file < 10; file++) await Deno.writeFile(`${tmpfs.path}/${file}`, new Uint8Array(PAGE));
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const options: BackedOptions = { source: tmpfs.path, counts };
  const module = new URL("backed_module.ts", import.meta.url);
  // Over io_uring loops open descriptors of their own a moment after the mount.
  await using mounted = await mountTemporarily({ module, options, loops: 4 }, { transport: "device" });
  await using client = await PosixClient.start();
  const before = await descriptors();
  const kept = await client.open(`${mounted.path}/0`, "O_RDWR");
  assertEquals(await runC(OPENS, [`-DPLACE="${mounted.path}"`, "-DCOUNT=100000"]), "done\n");
  assertEquals([...counts], [0, 0]);
  // So it would show: one open file, and so one backing id.
  assertEquals(await tmpfs.isFree(), false);
  await client.close(kept);
  await waitFor("the last release", () => tmpfs.isFree());
  await waitFor("no descriptor more than before", async () => await descriptors() <= before);
});

/** How many descriptors this process has open. */
async function descriptors(): Promise<number> {
  return (await Array.fromAsync(Deno.readDir("/proc/self/fd"))).length;
}

/** What a request becomes whose server dies; the last over io_uring, on its way to the loop. */
const KILLED = ["ECONNABORTED", "ENOTCONN", "ECANCELED"];

privileged("the kernel lets go of backing files when the session ends, and when its process dies", async (t) => {
  const endings: Record<string, (mount: MountProcess) => Promise<unknown>> = {
    "unmounted while a file is open": (mount) => run("umount", "-l", mount.mountpoint),
    "killed while a file is open": (mount) => run("kill", "-KILL", `${mount.pid}`),
  };
  for (const [name, end] of Object.entries(endings)) {
    await t.step(name, async () => {
      await using tmpfs = await mountTmpfs();
      await using folder = await temporaryFolder();
      await Deno.writeTextFile(`${tmpfs.path}/file`, "text");
      await using mount = await MountProcess.start([tmpfs.path, `${folder.path}/mnt`], ["-o", "process=same"]);
      await using client = await PosixClient.start();
      const file = await client.open(`${mount.mountpoint}/file`, "O_RDWR");
      await client.pread(file, 4, 0);
      await end(mount);
      // After a kill the descriptor is gone with an error: nobody answered its flush.
      await client.close(file).catch((error) => assert(KILLED.includes(error.code), error));
      await mount.ended();
      // The kernel keeps what belongs to a connection as long as it is mounted, also without a server.
      await run("umount", mount.mountpoint);
      await waitFor("the source to be free", () => tmpfs.isFree());
    });
  }
});

/** Mounts a source with "file" in it and shows each request, reads it, writes it, and tells which of both arrived. */
async function arrivals(options: string): Promise<string[]> {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/source`);
  await Deno.writeTextFile(`${folder.path}/source/file`, "text");
  await using mount = await MountProcess.start([`${folder.path}/source`, `${folder.path}/mnt`], [
    "-o",
    `debug,${options}`,
  ]);
  await using client = await PosixClient.start();
  const file = await client.open(`${mount.mountpoint}/file`, "O_RDWR");
  assertEquals(decode(await client.read(file, 4)), "text");
  await client.write(file, "more");
  await client.close(file);
  await run("umount", mount.mountpoint);
  const { stderr } = await mount.ended();
  return ["READ", "WRITE"].filter((operation) => stderr.includes(` ${operation} node`));
}

privileged("the passthrough layer passes through by default, and not with its options against it", async (t) => {
  const BOTH = ["READ", "WRITE"];
  const expected: Record<string, string[]> = {
    "loops=2": [],
    "cache=never": [],
    "cache=always": [],
    "no_kernel_passthrough": BOTH,
    "no_kernel_passthrough,cache=never": BOTH,
    "writeback": BOTH,
  };
  for (const [options, which] of Object.entries(expected)) {
    await t.step(options, async () => assertEquals(await arrivals(options), which));
  }
});

Deno.test({
  name: "an ordinary user's mount is read and written the ordinary way" +
    (NO_ORDINARY_USER ? ` (skipped: ${NO_ORDINARY_USER})` : ""),
  ignore: NO_ORDINARY_USER !== undefined,
  async fn() {
    await using user = await prepareOrdinaryUser();
    const identity = { uid: user.uid, gid: user.uid };
    const source = `${user.folder}/source`;
    await Deno.mkdir(source);
    await Deno.chown(source, user.uid, user.uid);
    await using mount = await MountProcess.start(
      [source, `${user.folder}/mnt`],
      ["-o", "debug,kernel_passthrough"],
      user.invocation,
    );
    await using client = await PosixClient.start(identity);
    const file = await client.open(`${mount.mountpoint}/file`, "O_RDWR|O_CREAT");
    await client.write(file, "text");
    assertEquals(decode(await client.pread(file, 4, 0)), "text");
    await client.close(file);
    await run("umount", mount.mountpoint);
    const { code, stderr } = await mount.ended();
    assertEquals(code, 0, stderr);
    assert(stderr.includes(" WRITE node"), stderr);
  },
});

interface Sides {
  readonly client: PosixClient;
  /** The file through the mount, open for reading and writing, and its path there and in the source. */
  readonly file: number;
  readonly shown: string;
  readonly source: string;
}

/** What holds with the kernel's passthrough and without it. */
const SEMANTICS: Record<string, (sides: Sides) => Promise<void>> = {
  "appending goes to the end that the source has": async ({ client, shown, source }) => {
    const file = await client.open(shown, "O_WRONLY|O_APPEND");
    await Deno.writeTextFile(source, "0123456789 and more");
    await client.write(file, "!");
    assertEquals(await Deno.readTextFile(source), "0123456789 and more!");
    assertEquals((await client.fstat(file)).size, 20);
  },
  "O_DIRECT takes any buffer and offset": async ({ client, shown, file }) => {
    const direct = await client.open(shown, "O_RDWR|O_DIRECT");
    await client.pwrite(direct, "direct", 3);
    assertEquals(decode(await client.pread(direct, 9, 0)), "012direct");
    assertEquals(decode(await client.pread(file, 9, 0)), "012direct");
  },
  "truncating and growing are seen at once": async ({ client, shown, file }) => {
    await client.ftruncate(file, 3);
    assertEquals(decode(await client.pread(file, 100, 0)), "012");
    await client.truncate(shown, 5);
    assertEquals(decode(await client.pread(file, 100, 0)), "012\0\0");
    assertEquals(await client.lseek(file, 0, "SEEK_END"), 5);
    await client.close(await client.open(shown, "O_WRONLY|O_TRUNC"));
    assertEquals(decode(await client.pread(file, 100, 0)), "");
  },
  "copy_file_range copies what was just written, and what it copied is read": async ({ client, shown, file }) => {
    const other = await client.open(`${shown}-copy`, "O_RDWR|O_CREAT");
    await client.pwrite(other, "before", 0);
    assertEquals(decode(await client.pread(other, 6, 0)), "before");
    await client.pwrite(file, "ABC", 0);
    assertEquals(await client.copyFileRange(file, 0, other, 0, 10), 10);
    assertEquals(decode(await client.pread(other, 10, 0)), "ABC3456789");
    assertEquals((await client.fstat(other)).size, 10);
  },
  "a hole that is punched is zeros, also in a mapping": async ({ client, file }) => {
    await client.pwrite(file, "x".repeat(2 * PAGE), 0);
    const mapping = await client.mmap(file, 0, 2 * PAGE, "PROT_READ|PROT_WRITE", "MAP_SHARED");
    assertEquals(decode(await client.peek(mapping, PAGE, 1)), "x");
    await client.fallocate(file, "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", PAGE, PAGE);
    assertEquals(decode(await client.peek(mapping, PAGE, 1)), "\0");
    assertEquals(await client.lseek(file, 0, "SEEK_HOLE"), PAGE);
  },
  "what a mapping changes is read, and what is written the mapping sees": async ({ client, file }) => {
    await client.ftruncate(file, PAGE);
    const mapping = await client.mmap(file, 0, PAGE, "PROT_READ|PROT_WRITE", "MAP_SHARED");
    await client.poke(mapping, 0, "mapped");
    assertEquals(decode(await client.pread(file, 6, 0)), "mapped");
    await client.pwrite(file, "written", 0);
    assertEquals(decode(await client.peek(mapping, 0, 7)), "written");
  },
  "a program that runs cannot be written, and one that is written cannot run": async ({ client, shown }) => {
    const program = `${shown}-program`;
    await run("cp", "/bin/sleep", program);
    const pid = await client.spawn(program, "1000");
    await expectCode("ETXTBSY", client.open(program, "O_WRONLY"));
    await client.killProcess(pid);
    await client.waitpid(pid);
    const writer = await client.open(program, "O_WRONLY");
    await expectCode("ETXTBSY", client.spawn(program, "1000"));
    await client.close(writer);
  },
  "a lock ends with the open that took it, though the file is open elsewhere": async ({ client, shown, file }) => {
    const other = await client.open(shown, "O_RDWR");
    const third = await client.open(shown, "O_RDWR");
    await client.flock(file, "LOCK_EX");
    await expectCode("EAGAIN", client.flock(other, "LOCK_EX|LOCK_NB"));
    await client.close(file);
    await client.flock(other, "LOCK_EX");
    await client.close(third);
  },
  "a stranger's write clears setuid and root's keeps it, root opens first": (sides) => checkSetuid(sides, EVERYBODY),
  "a stranger's write clears setuid and root's keeps it, the stranger opens first": (sides) =>
    checkSetuid(sides, EVERYBODY.toReversed()),
  "a stranger to whom root hands an open file clears setuid with its write": async (
    { client, file, shown, source },
  ) => {
    await client.chmod(shown, 0o4777);
    const { uid, gid } = STRANGER;
    const identity = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    const pid = await client.spawn("/usr/bin/setpriv", ...identity, "/bin/sh", "-c", `echo strange >&${file}`);
    assertEquals(await client.waitpid(pid), 0);
    assertEquals((await Deno.readTextFile(source)).slice(0, 7), "strange");
    assertEquals((await Deno.stat(source)).mode! & 0o7777, 0o777);
  },
};

const EVERYBODY = ["root", "stranger"] as const;

/** A file is opened by both in this order, gets setuid while it is open, and is written. */
async function checkSetuid({ client, ...sides }: Sides, order: readonly (typeof EVERYBODY[number])[]): Promise<void> {
  const [shown, source] = [`${sides.shown}-program`, `${sides.source}-program`];
  await Deno.writeTextFile(source, "");
  await Deno.chmod(source, 0o777);
  await using stranger = await PosixClient.start(STRANGER);
  const clients = { root: client, stranger };
  const files = { root: 0, stranger: 0 };
  for (const who of order) files[who] = await clients[who].open(shown, "O_WRONLY");
  const checkWrites = async () => {
    for (const who of EVERYBODY) {
      const modeAfterWrite = async () => {
        await clients[who].pwrite(files[who], who, 0);
        return (await Deno.stat(source)).mode! & 0o7777;
      };
      const expected = who === "root" ? 0o4777 : 0o777;
      await client.chmod(shown, 0o4777);
      assertEquals(await modeAfterWrite(), expected, `${who}, set through the mount`);
      // The kernel knows a mode without setuid and asks nobody.
      await client.chmod(shown, 0o777);
      await Deno.chmod(source, 0o4777);
      assertEquals(await modeAfterWrite(), expected, `${who}, set behind the mount`);
    }
  };
  await checkWrites();
  await client.chmod(shown, 0o4777);
  for (const who of EVERYBODY) files[who] = await clients[who].open(shown, "O_WRONLY");
  await checkWrites();
}

async function expectCode(code: string, call: Promise<unknown>): Promise<void> {
  const outcome = await call.then(() => "done", (error) => error instanceof PosixError ? error.code : error);
  assertEquals(outcome, code);
}

for (const options of ["loops=1", "loops=4,cache=never", "loops=2,no_kernel_passthrough", "loops=2,process=separate"]) {
  privileged(`what programs see of a file is the same (${options})`, async (t) => {
    await using mounted = await mountSource(options);
    for (const [index, [name, check]] of Object.entries(SEMANTICS).entries()) {
      await t.step(name, async () => {
        const [shown, source] = [mounted.shown(`file${index}`), mounted.source(`file${index}`)];
        await Deno.writeTextFile(source, "0123456789");
        await Deno.chmod(source, 0o777);
        await using client = await PosixClient.start();
        await check({ client, file: await client.open(shown, "O_RDWR"), shown, source });
      });
    }
  });
}

privileged("what is changed behind the mount is read at once, also through an open file and a mapping", async () => {
  const before = `before${" ".repeat(1 << 17)}`;
  await using mounted = await mountSource("loops=2", (source) => Deno.writeTextFile(`${source}/file`, before));
  await using client = await PosixClient.start();
  const file = await client.open(mounted.shown("file"), "O_RDONLY");
  const mapping = await client.mmap(file, 0, PAGE, "PROT_READ", "MAP_SHARED");
  assertEquals(decode(await client.pread(file, 6, 0)), "before");
  using behind = await Deno.open(mounted.source("file"), { write: true });
  await behind.write(new TextEncoder().encode("after!"));
  assertEquals(decode(await client.pread(file, 6, 0)), "after!");
  assertEquals(decode(await client.peek(mapping, 0, 6)), "after!");
});

privileged("a small file that is opened to be read has no backing file: its one read is a request", async () => {
  for (const [size, isPassedThrough] of [[(1 << 17) - 1, false], [1 << 17, true]] as const) {
    await using mounted = await mountSource(
      "loops=1,debug",
      (source) => Deno.writeTextFile(`${source}/file`, "x".repeat(size)),
    );
    assertEquals((await Deno.readTextFile(mounted.shown("file"))).length, size);
    await run("umount", mounted.mount.mountpoint);
    const { stderr } = await mounted.mount.ended();
    assertEquals(!stderr.includes(" READ node"), isPassedThrough, `${size} bytes`);
  }
});

privileged("files of the kernel's own filesystems are not passed through", async () => {
  await using folder = await temporaryFolder();
  await using mount = await MountProcess.start(["/sys/kernel", `${folder.path}/mnt`], ["-o", "debug"]);
  await using client = await PosixClient.start();
  const file = await client.open(`${mount.mountpoint}/uevent_seqnum`, "O_RDONLY");
  assert(/^\d+\n/.test(decode(await client.pread(file, 100, 0))));
  await client.close(file);
  await run("umount", mount.mountpoint);
  const { stderr } = await mount.ended();
  assert(stderr.includes(" READ node"), stderr);
});
