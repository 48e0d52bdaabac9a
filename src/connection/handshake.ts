/**
 * INIT, answered by Trellis itself and not by libfuse, so that what a mount can do depends on the kernel alone: an old
 * libfuse knows 32 flags and turns down what it has not heard of (passthrough, resend).
 */
import { FUSE_KERNEL_MINOR_VERSION, FUSE_KERNEL_VERSION, OPCODE } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { decodeFeatures, encodeFeatures, type Feature } from "./features.ts";

const IN = STRUCT.fuse_in_header;
const OUT = STRUCT.fuse_out_header;
const INIT_IN = STRUCT.fuse_init_in;
const INIT_OUT = STRUCT.fuse_init_out;

/** The largest write and read, in bytes: 256 pages, the most that kernels take without a sysctl. */
const MAX_WRITE = 1 << 20;

/** Kernels before 7.23 (Linux 3.15) answer with a shorter struct; nothing that still gets updates is that old. */
const OLDEST_MINOR = 23;

/** The kernel's side of the handshake. */
export interface KernelOffer {
  readonly minor: number;
  readonly maxReadahead: number;
  readonly features: ReadonlySet<Feature>;
}

/** Both sides agreed. */
export interface Agreement {
  /** The protocol spoken is 7.`minor`. */
  readonly minor: number;
  readonly features: ReadonlySet<Feature>;
  readonly maxWrite: number;
}

/** Reads the kernel's INIT. @throws {Error} when `request` is something else, or the kernel is too old. */
export function decodeInit(request: Uint8Array<ArrayBuffer>): KernelOffer {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const opcode = view.getUint32(IN.opcode, true);
  if (opcode !== OPCODE.INIT) throw new Error(`Cannot begin a FUSE session: expected INIT, the kernel sent ${opcode}`);
  const at = IN.SIZE;
  const major = view.getUint32(at + INIT_IN.major, true);
  const minor = view.getUint32(at + INIT_IN.minor, true);
  if (major !== FUSE_KERNEL_VERSION || minor < OLDEST_MINOR) {
    throw new Error(`Cannot speak FUSE ${major}.${minor}: Trellis needs a kernel with 7.${OLDEST_MINOR} or newer`);
  }
  // Kernels before 5.17 send no second word (and a struct that ends before it).
  const flags2 = request.byteLength >= at + INIT_IN.flags2 + 4 ? view.getUint32(at + INIT_IN.flags2, true) : 0;
  const flags = view.getUint32(at + INIT_IN.flags, true);
  return {
    minor,
    maxReadahead: view.getUint32(at + INIT_IN.max_readahead, true),
    features: decodeFeatures(flags, (flags & (1 << 30)) !== 0 ? flags2 : 0),
  };
}

/** What to answer an offer with, when these features are wanted, and writes of at most so many bytes. */
export function agree(offer: KernelOffer, wanted: ReadonlySet<Feature>, maxWrite: number = MAX_WRITE): Agreement {
  const features = wanted.intersection(offer.features);
  // The kernel lets passthrough files neither use its writeback cache (fuse_file_io_open in fs/fuse/iomode.c).
  if (features.has("writeback-cache")) features.delete("passthrough");
  return { minor: Math.min(offer.minor, FUSE_KERNEL_MINOR_VERSION), features, maxWrite };
}

/** The whole reply to an INIT: `fuse_out_header` and `fuse_init_out`. */
export function encodeInit(
  request: Uint8Array<ArrayBuffer>,
  offer: KernelOffer,
  agreement: Agreement,
): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(OUT.SIZE + INIT_OUT.SIZE);
  const view = new DataView(reply.buffer);
  view.setUint32(OUT.len, reply.length, true);
  reply.set(request.subarray(IN.unique, IN.unique + 8), OUT.unique);
  const at = OUT.SIZE;
  const { flags, flags2 } = encodeFeatures(agreement.features);
  view.setUint32(at + INIT_OUT.major, FUSE_KERNEL_VERSION, true);
  view.setUint32(at + INIT_OUT.minor, agreement.minor, true);
  view.setUint32(at + INIT_OUT.max_readahead, offer.maxReadahead, true);
  view.setUint32(at + INIT_OUT.flags, flags, true);
  view.setUint32(at + INIT_OUT.flags2, flags2, true);
  view.setUint16(at + INIT_OUT.max_background, MAX_BACKGROUND, true);
  view.setUint16(at + INIT_OUT.congestion_threshold, (MAX_BACKGROUND * 3) / 4, true);
  view.setUint32(at + INIT_OUT.max_write, agreement.maxWrite, true);
  view.setUint32(at + INIT_OUT.time_gran, 1, true);
  view.setUint16(at + INIT_OUT.max_pages, agreement.maxWrite / 4096, true);
  // Backing files must lie on filesystems that are not stacked themselves (fuse_backing_open: ELOOP). With 2 they might,
  // but then an overlayfs over this mount would be too deep (FILESYSTEM_MAX_STACK_DEPTH is 2).
  if (agreement.features.has("passthrough")) view.setUint32(at + INIT_OUT.max_stack_depth, 1, true);
  return reply;
}

/** How many requests that nobody waits for (read-ahead, writeback) the kernel may have under way. */
const MAX_BACKGROUND = 64;
