/**
 * What the kernel reads and writes itself where servers end: it goes on without them, and all opens of a file agree.
 * `TRELLIS_DEATHS` says how many servers die (default 10; 200 take some minutes).
 */
import type { Libc } from "../../ffi/library.ts";
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { Connection } from "../../src/connection/connection.ts";
import { wantedFeatures } from "../../src/connection/features.ts";
import { O_CREAT, O_RDWR } from "../../src/fs/flags.ts";
import { KeptOpenNodes, openKeptNodes } from "../../src/keeper/kept_open_nodes.ts";
import { createKept } from "../../src/kept/kept_memory.ts";
import { BackingFiles } from "../../src/transport/backing_files.ts";
import { BackingIds } from "../../src/transport/backing_ids.ts";
import { OpenNodes } from "../../src/transport/open_nodes.ts";
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { temporaryFolder } from "../support/cli_process.ts";
import { compile, run } from "../support/command.ts";
import { keepSource, NO_STORE, testKept } from "../support/kept_source.ts";
import { waitFor } from "../support/mounted.ts";
import { readStart } from "../support/open_file.ts";
import { NO_ORDINARY_USER } from "../support/ordinary_user.ts";
import { PosixClient } from "../support/posix_client.ts";
import { killServer, replaceServer, replaceServerOf, serversOf } from "../support/server_killer.ts";
import { mountTmpfs } from "../support/temporary_filesystem.ts";
import { mountSource } from "./mounted_source.ts";

const DEATHS = Number(Deno.env.get("TRELLIS_DEATHS") ?? 10);
const NEEDS_ROOT = NO_ORDINARY_USER === undefined ? undefined : "passing through needs CAP_SYS_ADMIN";
const WHY = NO_STORE ?? NEEDS_ROOT;

const text = new TextEncoder();
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

testKept(
  "reads and writes of an open file need no server, and those who open it later see the same pages",
  async () => {
    await using mounted = await keepSource();
    const { path, source, kept } = mounted;
    assertEquals(kept.features.has("passthrough"), true);
    await using client = await PosixClient.start();
    const file = await client.open(`${path}/file`, "O_RDWR|O_CREAT");
    // The first write asks for security.capability.
    await client.pwrite(file, "first", 0);
    const [server] = serversOf(kept.keeper);
    Deno.kill(server!, "SIGSTOP");
    await client.pwrite(file, ", then more", 5);
    assertEquals(decode(await client.pread(file, 100, 0)), "first, then more");
    await replaceServer(mounted);
    // Were it opened with another backing file, or with none, the kernel would answer EIO.
    const other = await client.open(`${path}/file`, "O_RDWR");
    await client.pwrite(other, "FIRST", 0);
    assertEquals(decode(await client.pread(file, 100, 0)), "FIRST, then more");
    assertEquals(await Deno.readTextFile(`${source}/file`), "FIRST, then more");
  },
  WHY,
);

testKept(
  "of files that went on being written what the next server knows counts, and not what the last one said",
  async () => {
    await using mounted = await keepSource({ timeout: 10_000 });
    const { path, source } = mounted;
    await using client = await PosixClient.start();
    const file = await client.open(`${path}/file`, "O_WRONLY|O_CREAT");
    await client.pwrite(file, "first", 0);
    assertEquals((await Deno.stat(`${path}/file`)).size, 5);
    await Deno.writeTextFile(`${source}/file`, "and more", { append: true });
    assertEquals((await Deno.stat(`${path}/file`)).size, 5);
    await replaceServer(mounted);
    await waitFor("its length", async () => (await Deno.stat(`${path}/file`)).size === 13);
  },
  WHY,
);

testKept("a file that was first opened without a backing file has none in the next server either", async () => {
  await using mounted = await keepSource();
  const { path, source } = mounted;
  await Deno.writeTextFile(`${source}/small`, "small");
  using reading = await Deno.open(`${path}/small`);
  assertEquals(await readStart(reading), "small");
  await replaceServer(mounted);
  using writing = await Deno.open(`${path}/small`, { read: true, write: true });
  await writing.write(text.encode("SMALL"));
  assertEquals(await readStart(reading), "SMALL");
}, WHY);

testKept("whether root or a stranger was the first to open a file is known to the next server", async () => {
  await using mounted = await mountSource("loops=2,process=separate");
  const [shown, source] = [mounted.shown("program"), mounted.source("program")];
  await Deno.writeTextFile(source, "");
  await Deno.chmod(source, 0o777);
  await using root = await PosixClient.start();
  await using stranger = await PosixClient.start({ uid: 65533, gid: 65533 });
  for (const [first, second] of [[root, stranger], [stranger, root]] as const) {
    const files = new Map([[first, await first.open(shown, "O_WRONLY")]]);
    await replaceServerOf(mounted.mount.pid);
    files.set(second, await second.open(shown, "O_WRONLY"));
    for (const [client, file] of files) {
      await root.chmod(shown, 0o4777);
      await client.pwrite(file, "written", 0);
      assertEquals((await Deno.stat(source)).mode! & 0o7777, client === root ? 0o4777 : 0o777);
      await client.close(file);
    }
  }
}, WHY);

testKept("the keeper closes an id that a server got and did not live to write down", async () => {
  await using tmpfs = await mountTmpfs();
  await using folder = await temporaryFolder();
  using connection = Connection.mount(folder.path, []);
  await using _mounted = { [Symbol.asyncDispose]: () => connection.unmount() };
  connection.handshake(wantedFeatures(new Set(), ["passthrough"]));
  const memory = createKept("trellis-test");
  const { symbols, errno } = openLibc();
  const register = (libc: Libc, loop: number, node: number) => {
    const file = symbols.open(cString(`${tmpfs.path}/${node}`), O_RDWR | O_CREAT, 0o600);
    const files = new BackingFiles(new BackingIds(libc, connection.device), new OpenNodes(openKeptNodes(memory), loop));
    try {
      files.opened(node, { backing: file }, true, node);
    } finally {
      symbols.close(file);
      Deno.removeSync(`${tmpfs.path}/${node}`);
    }
  };
  const dyingIoctl: Libc["symbols"]["ioctl"] = (...given) => {
    assert(symbols.ioctl(...given) > 0);
    throw new Error("died");
  };
  const dying = { symbols: { ioctl: dyingIoctl }, errno } as unknown as Libc;
  register(openLibc(), 1, 2);
  assertThrows(() => register(dying, 0, 3), Error, "died");
  register(openLibc(), 1, 4);
  assertEquals(await tmpfs.countFiles(), 1 + 3);
  // The others were answered.
  new KeptOpenNodes(memory, connection.device).settle([3, null]);
  await waitFor("the lost file to be gone", async () => await tmpfs.countFiles() === 1 + 2);
  symbols.close(memory);
}, WHY);

/** Four processes that open files of their own, and common ones, three times and until a file is there: arguments. */
const OPENS = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define CHECK(what) do { if (!(what)) { perror(#what); exit(1); } } while (0)
static void check_file(int fd, int other, int process, int round) {
  char written[8192], found[8192];
  off_t at = process * sizeof written;
  memset(written, 'a' + (process + round) % 26, sizeof written);
  CHECK(pwrite(fd, written, sizeof written, at) == sizeof written);
  CHECK(pread(other, found, sizeof found, at) == sizeof found);
  CHECK(memcmp(written, found, sizeof found) == 0);
}
int main(int argc, char **argv) {
  CHECK(argc == 3);
  for (int process = 0; process < 4; process++) {
    if (fork() != 0) continue;
    for (int round = 0; round < 3 || access(argv[2], F_OK) != 0; round++) {
      char own[4096], common[4096];
      snprintf(own, sizeof own, "%s/own-%d", argv[1], process);
      snprintf(common, sizeof common, "%s/common-%d", argv[1], round % 3);
      int fd = open(own, O_RDWR | O_CREAT | O_EXCL, 0600), other = open(own, O_RDWR), third;
      CHECK(fd >= 0 && other >= 0);
      check_file(fd, other, process, round);
      CHECK(unlink(own) == 0);
      check_file(other, fd, process, round + 1);
      CHECK(close(fd) == 0 && close(other) == 0);
      CHECK((fd = open(common, O_RDWR | O_CREAT, 0600)) >= 0 && (third = open(common, O_RDWR)) >= 0);
      check_file(fd, third, process, round);
      CHECK(close(fd) == 0 && close(third) == 0);
    }
    exit(0);
  }
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status;
  return failed != 0;
}`;

testKept(`${DEATHS} servers that die while files are opened and closed leave no backing file behind`, async () => {
  await using tmpfs = await mountTmpfs();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/opens.c`, OPENS);
  await using program = await compile([new URL(`file://${folder}/opens.c`)]);
  const stop = `${folder}/stop`;
  {
    await using mounted = await keepSource({ source: tmpfs.path });
    const working = run([program.path, mounted.path, stop], { accept: [0, 1], deadline: 60 + 5 * DEATHS });
    for (let death = 0; death < DEATHS; death++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      if (Math.random() < 0.2) killServer(mounted.kept.keeper);
      await replaceServer(mounted);
    }
    await Deno.writeTextFile(stop, "");
    const { code, stderr } = await working;
    assertEquals([code, stderr], [0, ""]);
    for (const name of [0, 1, 2]) await Deno.remove(`${mounted.path}/common-${name}`);
    // The next server has nothing of what nobody has open, so that only the kernel could hold it.
    await mounted.kept.restart();
    await waitFor("deleted files to be gone", async () => await tmpfs.countFiles() === 1);
  }
  await Deno.remove(folder, { recursive: true });
  await waitFor("the source to be free", () => tmpfs.isFree());
}, WHY);
