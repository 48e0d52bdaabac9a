/**
 * Open files that outlive the process that opened them: the table of registered files of an io_uring, which the keeper
 * holds. A server that opens a file puts it there, by one system call and without the keeper; the next server takes it
 * out again (IORING_OP_FIXED_FD_INSTALL, Linux 6.8). It is the same open file: its offset, its locks, and its inode, also
 * when that has no name any more. (Descriptors opened with O_PATH cannot be put there: the kernel's fget refuses them.)
 */
import * as IO_URING from "../../ffi/io_uring.ts";
import { type LibcUring, openLibc, openLibcUring } from "../../ffi/library.ts";
import { addressOf, isMapFailed, memoryAt } from "../../ffi/memory.ts";
import { openFiles } from "../../ffi/symbols/files.ts";
import { errnoName } from "../fs/errors.ts";
import type { KeptDescriptors } from "../fs/module.ts";

const {
  io_uring_params: PARAMS,
  io_sqring_offsets: SQ,
  io_cqring_offsets: CQ,
  io_uring_sqe: SQE,
  io_uring_cqe: CQE,
  io_uring_rsrc_register: REGISTER,
  io_uring_rsrc_update: UPDATE,
} = IO_URING.URING_STRUCT;

const { SYS_io_uring_register, IORING_REGISTER_FILES_UPDATE } = IO_URING;

// linux/io_uring.h: since Linux 6.8, and later than the headers of many systems; in an update, to leave a slot as it is.
const IORING_OP_FIXED_FD_INSTALL = 54;
const IORING_REGISTER_FILES_SKIP = -2;

/** How many files can be kept; the table costs the kernel 8 bytes each (IORING_MAX_FIXED_FILES allows 2^20). */
const MOST_SLOTS = 1 << 16;
const ENTRIES = 4;

// resource.h, sys/mman.h
const RLIMIT_NOFILE = 7;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** Makes an empty store. Who makes it closes `ring`. Undefined where the kernel has no io_uring for us, or an old one. */
export function createDescriptorStore(): KeptDescriptors | undefined {
  const uring = openLibcUring();
  const words = new Uint32Array(PARAMS.SIZE / 4);
  const ring = uring.symbols.io_uring_setup(IO_URING.SYS_io_uring_setup, ENTRIES, new Uint8Array(words.buffer));
  if (ring < 0) return undefined;
  const slots = Math.min(MOST_SLOTS, raiseDescriptorLimit());
  const table = new Uint32Array(REGISTER.SIZE / 4);
  table[REGISTER.nr >> 2] = slots;
  table[REGISTER.flags >> 2] = IO_URING.IORING_RSRC_REGISTER_SPARSE;
  const bytes = new Uint8Array(table.buffer);
  const { IORING_REGISTER_FILES2 } = IO_URING;
  const store = { ring, slots, parameters: [...words] };
  if (
    uring.symbols.io_uring_register(SYS_io_uring_register, ring, IORING_REGISTER_FILES2, bytes, REGISTER.SIZE) >= 0 &&
    givesBack(store)
  ) return store;
  openLibc().symbols.close(ring);
  return undefined;
}

/** A table may be as long as the soft limit of open files (io_sqe_files_register). Returns the limit. */
function raiseDescriptorLimit(): number {
  const limits = new BigUint64Array(2);
  const files = openFiles();
  if (files.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(limits.buffer)) < 0) return ENTRIES;
  const soft = limits[0]!;
  limits[0] = limits[1]!;
  const raised = files.prlimit(0, RLIMIT_NOFILE, new Uint8Array(limits.buffer), null) >= 0;
  const limit = raised ? limits[1]! : soft;
  return limit > BigInt(MOST_SLOTS) ? MOST_SLOTS : Number(limit);
}

/** Whether this kernel can take out what was put in. */
function givesBack(kept: KeptDescriptors): boolean {
  const { symbols } = openLibc();
  const store = new DescriptorStore(kept);
  using reader = new DescriptorReader(kept);
  const file = symbols.eventfd(0, 0o2000000);
  try {
    store.put(0, file);
    const back = reader.take(0);
    if (back >= 0) symbols.close(back);
    store.drop(0);
    return back >= 0;
  } finally {
    symbols.close(file);
  }
}

/** One thread's way to put files in. */
export class DescriptorStore {
  readonly #uring: LibcUring = openLibcUring();
  readonly #kept: KeptDescriptors;
  readonly #descriptor = new Int32Array(1);
  readonly #update = new Uint32Array(UPDATE.SIZE / 4);
  readonly #updateBytes = new Uint8Array(this.#update.buffer);

  constructor(kept: KeptDescriptors) {
    this.#kept = kept;
    new BigUint64Array(this.#update.buffer)[UPDATE.data >> 3] = addressOf(new Uint8Array(this.#descriptor.buffer));
  }

  /** How many files there can be. */
  get slots(): number {
    return this.#kept.slots;
  }

  /** Keeps an open file in a slot, in place of what was there. @throws when the kernel refuses. */
  put(slot: number, descriptor: number): void {
    this.#descriptor[0] = descriptor;
    this.#update[UPDATE.offset >> 2] = slot;
    this.#register(this.#updateBytes, 1);
  }

  /** Empties a slot. The file is closed when nobody else has it open. */
  drop(slot: number): void {
    this.put(slot, -1);
  }

  /** Empties all slots but those that `isKept`. */
  dropOthers(isKept: (slot: number) => boolean): void {
    const { slots } = this.#kept;
    const descriptors = Int32Array.from({ length: slots }, (_, slot) => isKept(slot) ? IORING_REGISTER_FILES_SKIP : -1);
    const update = new BigUint64Array(UPDATE.SIZE / 8);
    update[UPDATE.data >> 3] = addressOf(new Uint8Array(descriptors.buffer));
    this.#register(new Uint8Array(update.buffer), slots);
  }

  #register(update: Uint8Array<ArrayBuffer>, count: number): void {
    const { symbols, errno } = this.#uring;
    const { ring } = this.#kept;
    if (symbols.io_uring_register(SYS_io_uring_register, ring, IORING_REGISTER_FILES_UPDATE, update, count) >= 0) {
      return;
    }
    throw new Error(`Cannot keep an open file: ${errnoName(errno[0]!)}`);
  }
}

/** Takes files out, one after the other, while nobody else does. */
export class DescriptorReader implements Disposable {
  readonly #uring = openLibcUring();
  readonly #ring: number;
  readonly #parameters: readonly number[];
  readonly #mappings: [Deno.PointerObject, number][] = [];
  readonly #words: Int32Array;
  readonly #entries: Uint32Array;
  readonly #entryBytes: Uint8Array;

  constructor({ ring, parameters }: KeptDescriptors) {
    this.#ring = ring;
    this.#parameters = parameters;
    const size = Math.max(
      this.#word(PARAMS.sq_off + SQ.array) + this.#word(PARAMS.sq_entries) * 4,
      this.#word(PARAMS.cq_off + CQ.cqes) + this.#word(PARAMS.cq_entries) * CQE.SIZE,
    );
    this.#words = new Int32Array(this.#map(size, IO_URING.IORING_OFF_SQ_RING));
    const entries = this.#map(this.#word(PARAMS.sq_entries) * SQE.SIZE, IO_URING.IORING_OFF_SQES);
    this.#entries = new Uint32Array(entries);
    this.#entryBytes = new Uint8Array(entries);
    // What a server that died in the midst of this had asked for was for that one.
    Atomics.store(this.#words, this.#at(PARAMS.sq_off + SQ.tail), this.#words[this.#at(PARAMS.sq_off + SQ.head)]!);
    Atomics.store(this.#words, this.#at(PARAMS.cq_off + CQ.head), this.#words[this.#at(PARAMS.cq_off + CQ.tail)]!);
  }

  /** A descriptor of the file in a slot, which stays there; negative when there is none. */
  take(slot: number): number {
    const words = this.#words;
    const tail = words[this.#at(PARAMS.sq_off + SQ.tail)]!;
    const entry = tail & words[this.#at(PARAMS.sq_off + SQ.ring_mask)]!;
    const at = entry * SQE.SIZE;
    this.#entryBytes.fill(0, at, at + SQE.SIZE);
    this.#entryBytes[at + SQE.opcode] = IORING_OP_FIXED_FD_INSTALL;
    this.#entryBytes[at + SQE.flags] = IO_URING.IOSQE_FIXED_FILE;
    this.#entries[(at + SQE.fd) >> 2] = slot;
    words[this.#at(PARAMS.sq_off + SQ.array) + entry] = entry;
    Atomics.store(words, this.#at(PARAMS.sq_off + SQ.tail), (tail + 1) | 0);
    const { symbols, errno } = this.#uring;
    const { SYS_io_uring_enter, IORING_ENTER_GETEVENTS } = IO_URING;
    if (symbols.io_uring_enter(SYS_io_uring_enter, this.#ring, 1, 1, IORING_ENTER_GETEVENTS, null, 0n) < 0) {
      throw new Error(`Cannot take an open file back: ${errnoName(errno[0]!)}`);
    }
    return this.#takeCompletion();
  }

  #takeCompletion(): number {
    const words = this.#words;
    const head = words[this.#at(PARAMS.cq_off + CQ.head)]!;
    const mask = words[this.#at(PARAMS.cq_off + CQ.ring_mask)]!;
    const result = words[this.#at(PARAMS.cq_off + CQ.cqes) + (head & mask) * (CQE.SIZE / 4) + (CQE.res >> 2)]!;
    Atomics.store(words, this.#at(PARAMS.cq_off + CQ.head), (head + 1) | 0);
    return result;
  }

  [Symbol.dispose](): void {
    for (const [pointer, size] of this.#mappings) this.#uring.symbols.munmap(pointer, BigInt(size));
  }

  #word(offset: number): number {
    return this.#parameters[offset >> 2]!;
  }

  /** The index of the word that a field of the parameters says where to find. */
  #at(field: number): number {
    return this.#word(field) >> 2;
  }

  #map(size: number, offset: bigint): ArrayBuffer {
    const { symbols, errno } = this.#uring;
    const pointer = symbols.mmap(null, BigInt(size), PROT_READ_WRITE, MAP_SHARED_POPULATE, this.#ring, offset);
    if (pointer === null || isMapFailed(pointer)) throw new Error(`Cannot map an io_uring: ${errnoName(errno[0]!)}`);
    this.#mappings.push([pointer, size]);
    return memoryAt(pointer, size);
  }
}
