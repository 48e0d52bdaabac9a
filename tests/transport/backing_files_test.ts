/** Which backing id each open is answered with, and whether the kernel may write for it. */
import { FUSE_DEV_IOC_BACKING_CLOSE, FUSE_DEV_IOC_BACKING_OPEN } from "../../ffi/kernel.ts";
import type { Libc } from "../../ffi/library.ts";
import { assertEquals } from "../deps.ts";
import { BackingFiles } from "../../src/transport/backing_files.ts";
import { makeOpenNodes } from "../../src/transport/open_nodes.ts";

/** A kernel whose ids are 1, 2, …, and which of them are registered. */
function makeKernel() {
  const registered = new Set<number>();
  let last = 0;
  function ioctl(_device: number, request: number, argument: Uint8Array): number {
    const id = new Int32Array(argument.buffer)[0]!;
    if (request === FUSE_DEV_IOC_BACKING_OPEN) registered.add(++last);
    else if (request === FUSE_DEV_IOC_BACKING_CLOSE && registered.delete(id)) return 0;
    else throw new Error(`ioctl ${request} of ${id}`);
    return last;
  }
  return { registered, libc: { symbols: { ioctl }, errno: [0] } as unknown as Libc };
}

const OF_ROOT = { backing: 5, backingAsRoot: true };
const OF_OTHERS = { backing: 5, backingAsRoot: false };
const NODE = 7;

Deno.test("an open that may write with other rights than the first one's may use its file for mappings only", () => {
  for (const [first, other] of [[OF_ROOT, OF_OTHERS], [OF_OTHERS, OF_ROOT]] as const) {
    for (const firstMayWrite of [true, false]) {
      const { libc, registered } = makeKernel();
      const files = new BackingFiles(libc, 3, makeOpenNodes(8));
      assertEquals(files.opened(NODE, first, firstMayWrite), 1);
      assertEquals([files.opened(NODE, first, true), files.opened(NODE, first, false)], [1, 1]);
      assertEquals([files.opened(NODE, other, true), files.opened(NODE, other, false)], [-1, 1]);
      for (let open = 0; open < 5; open++) files.released(NODE);
      assertEquals([...registered], []);
      assertEquals(files.opened(NODE, other, true), 2);
    }
  }
});

Deno.test("a node that was first opened without a descriptor has no backing id, whoever opens it", () => {
  const { libc, registered } = makeKernel();
  const files = new BackingFiles(libc, 3, makeOpenNodes(8));
  assertEquals([{}, OF_ROOT, OF_OTHERS].map((opened) => files.opened(NODE, opened, true)), [0, 0, 0]);
  assertEquals([...registered], []);
});
