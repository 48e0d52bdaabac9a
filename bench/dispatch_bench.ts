/**
 * What one request costs between its bytes and its answer's bytes, without a kernel: nanoseconds per request. And what a
 * system call costs as the passthrough layer makes it, from a call site that has seen all calls since the first.
 */
import { OPCODE } from "../ffi/kernel.ts";
import { STRUCT } from "../ffi/structs.ts";
import { openFiles } from "../ffi/symbols/files.ts";
import { MemoryFileSystem } from "../src/layers/memory/mod.ts";
import { HeaderContext } from "../src/protocol/context.ts";
import { Dispatcher } from "../src/protocol/dispatch.ts";
import { ReplyBody } from "../src/protocol/reply.ts";
import { RequestView } from "../src/protocol/request.ts";

const bytes = new Uint8Array(8192);
const words = new Uint32Array(bytes.buffer);
const reply = new Uint8Array(1 << 17);
const request = RequestView.over(bytes);
const context = new HeaderContext({
  allocate: (size) => reply.subarray(0, size),
  signal: () => AbortSignal.abort(),
});
const defaults = { entryTimeout: 0, attributesTimeout: 0, negativeTimeout: 0, uid: 0, gid: 0 };
let answered = 0;
const filesystem = new MemoryFileSystem({});
const dispatcher = new Dispatcher({
  filesystem,
  body: new ReplyBody(reply, defaults),
  answer: () => (answered++, true),
  log: (message) => {
    throw new Error(message);
  },
  cacheNegative: false,
  extendedSetxattr: true,
  later: () => {},
  mustAnswerAtOnce: true,
});
for (let index = 0; index < 100; index++) filesystem.makeNode(1, `file-${index}`, 0o100644, 0, context);
filesystem.write(2, 0, 0, new Uint8Array(4096), { cached: false, killPrivileges: false });

function prepare(opcode: number, node: number, size: number, name = ""): void {
  bytes.fill(0, 0, 256);
  words[STRUCT.fuse_in_header.opcode >> 2] = opcode;
  words[STRUCT.fuse_in_header.nodeid >> 2] = node;
  const end = STRUCT.fuse_in_header.SIZE + size;
  bytes.set(new TextEncoder().encode(name + "\0"), end);
  words[0] = end + name.length + 1;
}

function bench(name: string, opcode: number, node: number, size: number, entry = ""): void {
  Deno.bench(name, { baseline: name === "GETATTR" }, (b) => {
    prepare(opcode, node, size, entry);
    if (opcode === OPCODE.READ) words[(STRUCT.fuse_in_header.SIZE + STRUCT.fuse_read_in.size) >> 2] = 4096;
    b.start();
    for (let round = 0; round < 1000; round++) void dispatcher.dispatch(request, context);
    b.end();
  });
}

bench("GETATTR", OPCODE.GETATTR, 2, STRUCT.fuse_getattr_in.SIZE);
bench("LOOKUP", OPCODE.LOOKUP, 1, 0, "file-42");
bench("LOOKUP of a name that is not there", OPCODE.LOOKUP, 1, 0, "no-such-file");
bench("OPEN", OPCODE.OPEN, 2, STRUCT.fuse_open_in.SIZE);
bench("READ of 4 KiB", OPCODE.READ, 2, STRUCT.fuse_read_in.SIZE);

const files = openFiles();
const name = new TextEncoder().encode("no-such-file\0");
const status = new Uint8Array(256);
const lookAtNothing = () => files.statx(-1, name, 0, 0, status);
Deno.bench("statx that fails at once", (b) => {
  b.start();
  for (let round = 0; round < 1000; round++) lookAtNothing();
  b.end();
});
