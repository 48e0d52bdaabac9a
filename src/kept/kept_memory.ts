/**
 * Memory that outlives the process that uses it: a memfd that the keeper holds, seen as a SharedArrayBuffer. Loops share
 * it with locks and waits as they share any other, and what one of them has written is there for the next server,
 * whichever way this one ends.
 *
 * JavaScript makes its own buffers and takes none, so that a new one is covered: a buffer that may grow begins at a page
 * and is never moved (BackingStore::TryAllocateAndPartiallyCommitMemory in V8), and the memfd is mapped in its place
 * (mmap(2), MAP_FIXED, which refuses any other beginning). It has its full length from the start. The buffer lives as long
 * as its process. (The pages of a WebAssembly memory would do as well, but V8 counts them as garbage to come: a collection
 * for every second branch of a tree.)
 *
 * A view is to be made with its length: one without follows the buffer's, and V8 takes 30 times as long for each access.
 */
import { MADV_REMOVE, MAP_FIXED, MAP_SHARED, MFD_CLOEXEC, PROT_READ, PROT_WRITE } from "../../ffi/libc.ts";
import { type Libc, openLibc, openLibcUring } from "../../ffi/library.ts";
import { cString, isMapFailed, pointerTo } from "../../ffi/memory.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { errnoName } from "../fs/errors.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, SEEK_END } from "../fs/flags.ts";

/** A multiple of the machine's pages, whichever those are. In bytes. */
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
  const length = Math.ceil(bytes / PAGE) * PAGE;
  const size = BigInt(length);
  reach(descriptor, BigInt(start) + size);
  const buffer = new SharedArrayBuffer(length, { maxByteLength: length });
  const { symbols, errno } = openLibcUring();
  const covers = pointerTo(new Uint8Array(buffer as unknown as ArrayBuffer, 0, length));
  const place = symbols.mmap(covers, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, BigInt(start));
  if (isMapFailed(place)) throw new Error(`Cannot map ${size} bytes of a memfd: ${errnoName(errno[0]!)}`);
  covered.push(buffer);
  return buffer;
}

/** Makes a stretch of a memfd read as zeros, and gives its memory back. Returns a negative number when that failed. */
export function punchKept(descriptor: number, start: bigint, bytes: bigint): number {
  return openFiles().fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, bytes);
}

/** Makes a stretch of mapped memory read as zeros, and gives back what it took. Nobody may be using it. In bytes, by eights. */
export function clearKept(memory: SharedArrayBuffer, start: number, end: number): void {
  // Words, since what is shared is filled by one element after the other.
  const words = new Float64Array(memory, 0, end / 8);
  const [first, last] = [Math.ceil(start / PAGE) * PAGE, Math.floor(end / PAGE) * PAGE];
  if (first >= last) return void words.fill(0, start / 8);
  words.fill(0, start / 8, first / 8);
  words.fill(0, last / 8);
  // Zeros that are written take memory, and the time to get it.
  const { symbols, errno } = openLibcUring();
  const pages = pointerTo(new Uint8Array(memory as unknown as ArrayBuffer, first, last - first));
  if (symbols.madvise(pages, BigInt(last - first), MADV_REMOVE) >= 0) return;
  throw new Error(`Cannot clear ${last - first} bytes of a memfd: ${errnoName(errno[0]!)}`);
}

/** Makes a memfd so long, if it is shorter. */
function reach(descriptor: number, size: bigint): void {
  const { ftruncate, lseek } = openFiles();
  if (lseek(descriptor, 0n, SEEK_END) >= size) return;
  if (ftruncate(descriptor, size) < 0) throw new Error(`Cannot give a memfd ${size} bytes`);
}
