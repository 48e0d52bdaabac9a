/** Which backing id each open is answered with, and whether the kernel may write for it. */
import { FUSE_DEV_IOC_BACKING_CLOSE, FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import type { Libc } from "../../ffi/library.ts";
import { assertEquals } from "../deps.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { BackingFiles } from "../../src/transport/backing_files.ts";
import { BackingIds } from "../../src/transport/backing_ids.ts";
import { makeOpenNodes, OpenNodes } from "../../src/transport/open_nodes.ts";

const DEVICE = 3;
const DESCRIPTOR = 5;

/** A kernel whose ids are 1, 2, …: which of them are registered, and what happens before one is. */
function makeKernel() {
  const kernel = { registered: new Set<number>(), asked: 0, before: () => {}, errno: 0, libc: {} as Libc };
  const errno = new Int32Array(1);
  function ioctl(device: number, request: number, argument: Uint8Array): number {
    const [word] = new Int32Array(argument.buffer);
    if (device === DEVICE && request === FUSE_DEV_IOC_BACKING_CLOSE && kernel.registered.delete(word!)) return 0;
    assertEquals([device, request, word], [DEVICE, FUSE_DEV_IOC_BACKING_OPEN, DESCRIPTOR]);
    const id = ++kernel.asked;
    kernel.before();
    errno[0] = kernel.errno;
    if (kernel.errno !== 0) return -1;
    kernel.registered.add(id);
    return id;
  }
  kernel.libc = { symbols: { ioctl }, errno } as unknown as Libc;
  return kernel;
}

function makeFiles(libc: Libc, nodes = makeOpenNodes(8)): BackingFiles {
  return new BackingFiles(new BackingIds(libc, DEVICE), new OpenNodes(nodes));
}

const OF_ROOT = { backing: DESCRIPTOR, backingAsRoot: true };
const OF_OTHERS = { backing: DESCRIPTOR };
const NODE = 7;

Deno.test("an open that may write with other rights than the first one's may use its file for mappings only", () => {
  for (const [first, other] of [[OF_ROOT, OF_OTHERS], [OF_OTHERS, OF_ROOT]] as const) {
    for (const firstMayWrite of [true, false]) {
      const { libc, registered } = makeKernel();
      const files = makeFiles(libc);
      assertEquals(files.opened(NODE, first, firstMayWrite, 0), 1);
      assertEquals([files.opened(NODE, first, true, 0), files.opened(NODE, first, false, 0)], [1, 1]);
      assertEquals([files.opened(NODE, other, true, 0), files.opened(NODE, other, false, 0)], [-1, 1]);
      for (let open = 0; open < 5; open++) files.released(NODE, 0);
      assertEquals([...registered], []);
      assertEquals(files.opened(NODE, other, true, 0), 2);
    }
  }
});

Deno.test("a node that was first opened without a descriptor has no backing id, whoever opens it", () => {
  const { libc, registered } = makeKernel();
  const files = makeFiles(libc);
  assertEquals([{}, OF_ROOT, OF_OTHERS].map((opened) => files.opened(NODE, opened, true, 0)), [0, 0, 0]);
  assertEquals([...registered], []);
});

Deno.test("of two that are first at the same time the slower takes its id back, and minds the other's rights", () => {
  const kernel = makeKernel();
  const nodes = makeOpenNodes(8);
  const [slower, faster] = [makeFiles(kernel.libc, nodes), makeFiles(kernel.libc, nodes)];
  kernel.before = () => {
    kernel.before = () => {};
    assertEquals(faster.opened(NODE, OF_ROOT, true, 0), 2);
  };
  assertEquals(slower.opened(NODE, OF_OTHERS, true, 0), -2);
  assertEquals([...kernel.registered], [2]);
  slower.released(NODE, 0);
  faster.released(NODE, 0);
  assertEquals([...kernel.registered], []);
});

Deno.test("a file that the kernel does not want has no backing id, and who may not register any asks once", () => {
  for (const [errno, asked] of [[ERRNO.ELOOP, 2], [ERRNO.EPERM, 1]] as const) {
    const kernel = makeKernel();
    kernel.errno = errno;
    const files = makeFiles(kernel.libc);
    assertEquals([NODE, NODE + 1].map((node) => files.opened(node, OF_ROOT, true, 0)), [0, 0]);
    assertEquals(kernel.asked, asked);
    files.released(NODE, 0);
  }
});
