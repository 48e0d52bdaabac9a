/**
 * Memory that outlives the process that uses it: a memfd that the keeper holds, seen as a SharedArrayBuffer. Loops share
 * it with locks and waits as they share any other, and what one of them has written is there for the next server,
 * whichever way this one ends.
 *
 * JavaScript makes its own buffers and takes none, so that a new one is covered: the pages of a WebAssembly memory begin
 * at a page and are never moved, and the memfd is mapped in their place (mmap(2), MAP_FIXED). The buffer lives as long as
 * its process.
 */
import { MAP_FIXED, MAP_SHARED, MFD_CLOEXEC, PROT_READ, PROT_WRITE } from "../../ffi/libc.ts";
import { type Libc, openLibc, openLibcUring } from "../../ffi/library.ts";
import { cString, isMapFailed, pointerTo } from "../../ffi/memory.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { errnoName } from "../fs/errors.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, SEEK_END } from "../fs/flags.ts";

/** A page of WebAssembly memory: a multiple of the machine's pages. In bytes. */
export const PAGE = 1 << 16;

/** What must not be freed: the kernel's memory lies in its place. */
const covered: SharedArrayBuffer[] = [];

/** Makes an empty memfd for {@linkcode mapKept}. Who makes it closes it. */
export function createKept(name: string, libc: Libc = openLibc()): number {
  const descriptor = libc.symbols.memfd_create(cString(name), MFD_CLOEXEC);
  if (descriptor < 0) throw new Error(`Cannot make the memory "${name}": ${errnoName(libc.errno[0]!)}`);
  return descriptor;
}

/**
 * At least `bytes` of a memfd from `start` on, a multiple of {@linkcode PAGE}; it has them from then on.
 *
 * @throws when there is no memory, or no memfd.
 */
export function mapKept(descriptor: number, bytes: number, start = 0): SharedArrayBuffer {
  const pages = Math.ceil(bytes / PAGE);
  const size = BigInt(pages * PAGE);
  reach(descriptor, BigInt(start) + size);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  const { symbols, errno } = openLibcUring();
  const covers = pointerTo(new Uint8Array(buffer as unknown as ArrayBuffer));
  const place = symbols.mmap(covers, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, BigInt(start));
  if (isMapFailed(place)) throw new Error(`Cannot map ${size} bytes of a memfd: ${errnoName(errno[0]!)}`);
  covered.push(buffer);
  return buffer;
}

/** Makes a stretch of a memfd read as zeros, and gives its memory back. Returns a negative number when that failed. */
export function punchKept(descriptor: number, start: bigint, bytes: bigint): number {
  return openFiles().fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, bytes);
}

/** Makes a memfd so long, if it is shorter. */
function reach(descriptor: number, size: bigint): void {
  const { ftruncate, lseek } = openFiles();
  if (lseek(descriptor, 0n, SEEK_END) >= size) return;
  if (ftruncate(descriptor, size) < 0) throw new Error(`Cannot give a memfd ${size} bytes`);
}
