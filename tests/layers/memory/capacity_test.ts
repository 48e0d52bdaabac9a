/** The limits of the memory filesystem: space, files, and that both are given back. */
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, RENAME_WHITEOUT } from "../../../src/fs/flags.ts";
import { assertEquals } from "../../deps.ts";
import { assertErrno } from "../../support/assert_errno.ts";
import { MemoryMount } from "./memory_mount.ts";

const PAGE = 4096;

function statistics(mount: MemoryMount): number[] {
  const { blockSize, blocks, blocksFree, blocksAvailable, files, filesFree } = mount.filesystem.getStatistics();
  assertEquals([blockSize, blocksAvailable], [PAGE, blocksFree]);
  return [blocks, blocksFree, files, filesFree];
}

Deno.test("statfs shows the limits and what is left of them", () => {
  const mount = new MemoryMount({ size: 10 * PAGE - 1, inodes: 5 });
  assertEquals(statistics(mount), [10, 10, 5, 4]);
  const file = mount.file("file");
  mount.write(file, 0, new Uint8Array(PAGE + 1));
  assertEquals(statistics(mount), [10, 8, 5, 3]);
  mount.filesystem.unlink(1, "file");
  assertEquals(statistics(mount), [10, 8, 5, 3]);
  mount.filesystem.forget(file);
  assertEquals(statistics(mount), [10, 10, 5, 4]);
});

Deno.test("without limits there are 16 TiB and 16 million files", () => {
  assertEquals(statistics(new MemoryMount()), [2 ** 32, 2 ** 32, 16_000_000, 15_999_999]);
  assertEquals(statistics(new MemoryMount({ size: 0, inodes: 0 })), statistics(new MemoryMount()));
});

Deno.test("a limit that is no whole number is refused", () => {
  for (const size of [-1, 1.5, NaN]) assertErrno("EINVAL", () => new MemoryMount({ size }));
  assertErrno("EINVAL", () => new MemoryMount({ inodes: -1 }));
});

Deno.test("a full filesystem takes the bytes that fit and then answers ENOSPC", () => {
  const mount = new MemoryMount({ size: 50 * PAGE });
  const file = mount.file("file");
  assertEquals(mount.write(file, 10, new Uint8Array(60 * PAGE).fill(1)), 50 * PAGE - 10);
  assertEquals([mount.stat(file).size, mount.stat(file).blocks], [50 * PAGE, 400]);
  assertErrno("ENOSPC", () => mount.write(file, 50 * PAGE, new Uint8Array(1)));
  const aged = mount.age(file);
  assertErrno("ENOSPC", () => mount.write(file, 50 * PAGE, new Uint8Array(1)));
  assertEquals([aged.renewed(), mount.stat(file).size], ["", 50 * PAGE]);
  assertEquals(mount.write(file, 0, new Uint8Array(50 * PAGE)), 50 * PAGE);
});

Deno.test("punching, truncating and removing give space back", () => {
  const mount = new MemoryMount({ size: 50 * PAGE });
  const file = mount.file("file");
  const free = () => mount.filesystem.getStatistics().blocksFree;
  mount.write(file, 0, new Uint8Array(50 * PAGE));
  mount.filesystem.allocate(file, 0, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE);
  assertEquals(free(), 2);
  mount.filesystem.setAttributes(file, { size: 40 * PAGE - 5 });
  assertEquals(free(), 12);
  mount.filesystem.setAttributes(file, { size: 0 });
  assertEquals(free(), 50);
});

Deno.test("fallocate takes all its space or none", () => {
  const mount = new MemoryMount({ size: 50 * PAGE });
  const file = mount.file("file");
  for (const length of [51 * PAGE, 2 ** 50]) {
    assertErrno("ENOSPC", () => mount.filesystem.allocate(file, 0, 0, 0, length));
  }
  assertEquals(statistics(mount).slice(0, 2), [50, 50]);
  mount.filesystem.allocate(file, 0, 0, 0, 50 * PAGE);
  assertErrno("ENOSPC", () => mount.filesystem.allocate(file, 0, 0, PAGE, 50 * PAGE));
  assertEquals(mount.write(file, 0, new Uint8Array(50 * PAGE)), 50 * PAGE);
});

Deno.test("copy_file_range copies what there is space for", () => {
  const mount = new MemoryMount({ size: 50 * PAGE });
  const [from, to] = [mount.file("from"), mount.file("to")];
  mount.write(from, 0, new Uint8Array(40 * PAGE).fill(1));
  const copy = (offset: number) => {
    return mount.filesystem.copyFileRange(
      { node: from, handle: 0, offset },
      { node: to, handle: 0, offset },
      40 * PAGE,
    );
  };
  assertEquals(copy(0), 10 * PAGE);
  assertErrno("ENOSPC", () => copy(10 * PAGE));
});

Deno.test("every kind of file takes an inode, and the one too many changes nothing", () => {
  const mount = new MemoryMount({ inodes: 4 });
  mount.file("one");
  mount.directory("two");
  mount.filesystem.makeSymbolicLink(1, "three", "one", mount.context);
  const aged = mount.age(1);
  assertErrno("ENOSPC", () => mount.file("four"));
  assertErrno("ENOSPC", () => mount.directory("four"));
  assertErrno("ENOSPC", () => mount.filesystem.makeTemporaryFile(1, 0o600, 0, mount.context));
  assertErrno("ENOSPC", () => mount.rename(1, "one", 1, "four", RENAME_WHITEOUT));
  assertEquals([mount.find("four"), mount.stat(1).links, aged.renewed()], [undefined, 3, ""]);
  mount.filesystem.link(mount.find("one")!, 1, "four");
  mount.filesystem.forget(mount.find("two")!);
  assertEquals(statistics(mount).slice(2), [4, 0]);
});
