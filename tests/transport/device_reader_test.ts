/** The reader's buffer. */
import { openLibc } from "../../ffi/library.ts";
import { addressOf } from "../../ffi/memory.ts";
import { DeviceReader } from "../../src/transport/device_reader.ts";
import { assert } from "../deps.ts";

const MINCORE = { mincore: { parameters: ["u64", "usize", "buffer"], result: "i32" } } as const;
const PAGE = 4096;

/** How many whole pages of the memory are there (mincore(2)), and how many it has. */
function countPages(memory: Uint8Array<ArrayBuffer>): [present: number, all: number] {
  const libc = Deno.dlopen("libc.so.6", MINCORE);
  const start = (addressOf(memory) + BigInt(PAGE - 1)) / BigInt(PAGE) * BigInt(PAGE);
  const all = Number((addressOf(memory) + BigInt(memory.length) - start) / BigInt(PAGE));
  const pages = new Uint8Array(all);
  assert(libc.symbols.mincore(start, BigInt(all * PAGE), pages) === 0);
  libc.close();
  return [pages.filter((page) => (page & 1) !== 0).length, all];
}

Deno.test("all pages of a reader's buffer are there where its process may be killed and the mount goes on", () => {
  // So large that it is no memory that somebody has given back.
  const reader = new DeviceReader({ libc: openLibc(), device: -1, maxWrite: 1 << 26, present: true });
  const [present, all] = countPages(reader.request.payload as Uint8Array<ArrayBuffer>);
  assert(all >= 1 << 14 && present === all, `${present} of ${all}`);
});
