/** Positions in files: what requests say of them, and what methods are given. */
import { assert, assertEquals } from "../deps.ts";
import * as KERNEL from "../../ffi/kernel.ts";
import { ERRNO } from "../../src/fs/errors.ts";
import { FakeKernel, struct } from "./fake_kernel.ts";

Deno.test("positions in files are exact, or refused", async () => {
  const given: unknown[] = [];
  const kernel = new FakeKernel({
    read: (_node, _handle, offset) => (given.push(offset), new Uint8Array()),
    write: (_node, _handle, offset, data) => (given.push(offset + data.length), data.length),
    setAttributes: (_node, { size }) => (given.push(size), { mode: 0o100644 }),
    allocate: (_node, _handle, _mode, offset, length) => void given.push(offset + length),
    copyFileRange: (from, to, length) => (given.push(Math.max(from.offset, to.offset) + length), length),
    seek: (_node, _handle, offset) => (given.push(offset), offset),
  });
  const data = new Uint8Array(4);
  const copy = (off_in: bigint, off_out: bigint) =>
    kernel.send("COPY_FILE_RANGE", 7, struct("fuse_copy_file_range_in", { off_in, off_out, len: 1n }));
  const ways: Record<string, (end: bigint) => ReturnType<FakeKernel["send"]>> = {
    EFBIG: (end) => kernel.send("WRITE", 7, struct("fuse_write_in", { offset: end - 4n, size: 4 }), data),
    "EFBIG of a size": (size) =>
      kernel.send("SETATTR", 7, struct("fuse_setattr_in", { valid: KERNEL.FATTR_SIZE, size })),
    "EFBIG of an allocation": (end) =>
      kernel.send("FALLOCATE", 7, struct("fuse_fallocate_in", { offset: 2n, length: end - 2n })),
    "EFBIG of a copy from there": (end) => copy(end - 1n, 0n),
    "EFBIG of a copy to there": (end) => copy(0n, end - 1n),
    EOVERFLOW: (offset) => kernel.send("READ", 7, struct("fuse_read_in", { offset, size: 4 })),
    "EOVERFLOW of a seek": (offset) => kernel.send("LSEEK", 7, struct("fuse_lseek_in", { offset, whence: 3 })),
  };
  const last = BigInt(Number.MAX_SAFE_INTEGER);
  for (const [what, send] of Object.entries(ways)) {
    assert((await send(last))!.length >= 0, what);
    assertEquals(given.splice(0), [Number.MAX_SAFE_INTEGER], what);
    const errno = ERRNO[what.split(" ")[0] as "EFBIG" | "EOVERFLOW"];
    for (const beyond of [last + 1n, last + 2n, 2n ** 63n - 1n]) {
      assertEquals([(await send(beyond))!.length, given], [-errno, []], `${what} at ${beyond}`);
    }
  }
});
