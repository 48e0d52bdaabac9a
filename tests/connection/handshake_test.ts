/** INIT, from the kernel's words to ours, without a kernel. */
import { assert, assertEquals, assertThrows } from "../deps.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { decodeFeatures, encodeFeatures, wantedFeatures } from "../../src/connection/features.ts";
import { agree, decodeInit, encodeInit } from "../../src/connection/handshake.ts";

/** An INIT request as a kernel with this minor and these flags sends it. */
function init({ minor = 45, flags = 0, flags2 = 0, opcode = 26, length = 104 } = {}): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(STRUCT.fuse_in_header.opcode, opcode, true);
  view.setBigUint64(STRUCT.fuse_in_header.unique, 0x1122334455667788n, true);
  const at = STRUCT.fuse_in_header.SIZE;
  view.setUint32(at + STRUCT.fuse_init_in.major, 7, true);
  view.setUint32(at + STRUCT.fuse_init_in.minor, minor, true);
  view.setUint32(at + STRUCT.fuse_init_in.max_readahead, 131072, true);
  view.setUint32(at + STRUCT.fuse_init_in.flags, flags, true);
  if (length > 56) view.setUint32(at + STRUCT.fuse_init_in.flags2, flags2, true);
  return new Uint8Array(view.buffer);
}

const INIT_EXT = 1 << 30;

Deno.test("features have plain names in both flag words", () => {
  const names = ["async-read", "handle-killpriv-v2", "init-ext", "passthrough", "has-resend"];
  const { flags, flags2 } = encodeFeatures(names);
  assertEquals([flags, flags2], [(1 | (1 << 28) | INIT_EXT) >>> 0, (1 << 5) | (1 << 7)]);
  assertEquals([...decodeFeatures(flags, flags2)].sort(), names.toSorted());
  assertThrows(() => encodeFeatures(["warp-drive"]), TypeError, "warp-drive");
});

Deno.test("methods bring the features that they need", () => {
  const wanted = wantedFeatures(new Set(["readDirectoryPlus", "setLock"]), ["posix-acl"]);
  for (const name of ["do-readdirplus", "posix-locks", "posix-acl", "big-writes"]) assert(wanted.has(name), name);
  assert(!wanted.has("flock-locks"));
  const explicit = wantedFeatures(new Set(), ["explicit-inval-data"]);
  assert(explicit.has("explicit-inval-data") && !explicit.has("auto-inval-data"));
});

Deno.test("the second flag word counts only when the kernel says that it is there", () => {
  assert(decodeInit(init({ flags: INIT_EXT, flags2: 1 << 5 })).features.has("passthrough"));
  assert(!decodeInit(init({ flags: 0, flags2: 1 << 5 })).features.has("passthrough"));
  assertEquals(decodeInit(init({ minor: 31, flags: 1, length: 56 })).features, new Set(["async-read"]));
});

Deno.test("what is no INIT, or too old, is refused by name", () => {
  assertThrows(() => decodeInit(init({ opcode: 1 })), Error, "expected INIT");
  assertThrows(() => decodeInit(init({ minor: 12 })), Error, "7.12");
});

Deno.test("the answer has what both want, the kernel's unique, and never writeback with passthrough", () => {
  const request = init({ flags: (INIT_EXT | (1 << 16) | 1) >>> 0, flags2: 1 << 5 });
  const offer = decodeInit(request);
  const agreement = agree(offer, new Set(["async-read", "init-ext", "writeback-cache", "passthrough", "posix-acl"]));
  assertEquals(agreement.features, new Set(["async-read", "init-ext", "writeback-cache"]));
  const reply = new DataView(encodeInit(request, offer, agreement).buffer);
  assertEquals(reply.getUint32(STRUCT.fuse_out_header.len, true), 80);
  assertEquals(reply.getBigUint64(STRUCT.fuse_out_header.unique, true), 0x1122334455667788n);
  const at = STRUCT.fuse_out_header.SIZE;
  assertEquals(reply.getUint32(at + STRUCT.fuse_init_out.minor, true), 45);
  assertEquals(reply.getUint32(at + STRUCT.fuse_init_out.max_write, true), 1 << 20);
  assertEquals(reply.getUint16(at + STRUCT.fuse_init_out.max_pages, true), 256);
  assertEquals(reply.getUint32(at + STRUCT.fuse_init_out.max_stack_depth, true), 0);
});
