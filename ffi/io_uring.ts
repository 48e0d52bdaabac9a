// deno-lint-ignore-file camelcase -- the names are linux/io_uring.h's own.
/**
 * What Trellis takes of linux/io_uring.h: flags, numbers, and structs as `SIZE` and byte offsets of fields, the same on
 * every architecture. `tests/ffi/io_uring_test.ts` checks them with a C compiler against the installed header.
 */

/** System calls whose numbers all architectures share (include/uapi/asm-generic/unistd.h). */
export const SYS_io_uring_setup = 425;
export const SYS_io_uring_enter = 426;
export const SYS_io_uring_register = 427;

export const IORING_SETUP_SUBMIT_ALL = 1 << 7;
/** Submission entries of 128 bytes: FUSE's commands do not fit into 64 (fuse_uring_cmd in fs/fuse/dev_uring.c). */
export const IORING_SETUP_SQE128 = 1 << 10;
export const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
export const IORING_SETUP_DEFER_TASKRUN = 1 << 13;

export const IORING_OFF_SQ_RING = 0n;
export const IORING_OFF_SQES = 0x1000_0000n;

export const IORING_ENTER_GETEVENTS = 1 << 0;
export const IORING_ENTER_EXT_ARG = 1 << 3;
/** Linux 6.15, where `features` says IORING_FEAT_NO_IOWAIT. */
export const IORING_ENTER_NO_IOWAIT = 1 << 7;
export const IORING_FEAT_NO_IOWAIT = 1 << 17;

export const IORING_OP_POLL_ADD = 6;
export const IORING_OP_TIMEOUT = 11;
export const IORING_OP_URING_CMD = 46;
export const IOSQE_FIXED_FILE = 1 << 0;

export const IORING_REGISTER_FILES_UPDATE = 6;
export const IORING_REGISTER_FILES2 = 13;
export const IORING_RSRC_REGISTER_SPARSE = 1 << 0;

export const URING_STRUCT = {
  io_uring_params: { SIZE: 120, sq_entries: 0, cq_entries: 4, flags: 8, features: 20, sq_off: 40, cq_off: 80 },
  io_sqring_offsets: { SIZE: 40, head: 0, tail: 4, ring_mask: 8, array: 24 },
  io_cqring_offsets: { SIZE: 40, head: 0, tail: 4, ring_mask: 8, cqes: 20 },
  /** With IORING_SETUP_SQE128 twice as long; `cmd` is where the command's own struct begins. */
  io_uring_sqe: {
    SIZE: 64,
    opcode: 0,
    fd: 4,
    cmd_op: 8,
    addr: 16,
    len: 24,
    poll32_events: 28,
    user_data: 32,
    cmd: 48,
    flags: 1,
  },
  io_uring_cqe: { SIZE: 16, user_data: 0, res: 8 },
  io_uring_getevents_arg: { SIZE: 24, ts: 16 },
  io_uring_rsrc_register: { SIZE: 32, nr: 0, flags: 4 },
  io_uring_rsrc_update: { SIZE: 16, offset: 0, data: 8 },
} as const;
