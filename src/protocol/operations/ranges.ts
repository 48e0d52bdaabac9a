/** Operations on ranges of a file: FALLOCATE, COPY_FILE_RANGE, LSEEK, BMAP. */
import { STRUCT } from "../../../ffi/structs.ts";
import { exact } from "./positions.ts";
import { nothing, type Operation } from "./row.ts";

export const fallocate: Operation<void> = {
  method: "allocate",
  size: STRUCT.fuse_fallocate_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, length, mode } = STRUCT.fuse_fallocate_in;
    const handle = request.u64(fh);
    const size = request.u64(length);
    const position = exact(request.u64(offset), "EFBIG", size);
    return filesystem.allocate(request.node, handle, request.u32(mode), position, size, context);
  },
  ...nothing,
};

const COPY = STRUCT.fuse_copy_file_range_in;

export const copyFileRange: Operation<number> = {
  method: "copyFileRange",
  size: COPY.SIZE,
  call(filesystem, request, context) {
    // The reply is a `fuse_write_out`, whose size has 32 bits.
    const length = Math.min(request.u64(COPY.len), 0xffff_f000);
    const from = {
      node: request.node,
      handle: request.u64(COPY.fh_in),
      offset: exact(request.u64(COPY.off_in), "EFBIG", length),
    };
    const to = {
      node: request.u64(COPY.nodeid_out),
      handle: request.u64(COPY.fh_out),
      offset: exact(request.u64(COPY.off_out), "EFBIG", length),
    };
    return filesystem.copyFileRange(from, to, length, request.u32(COPY.flags), context);
  },
  reply: (result, host) => host.body.put32(result),
};

/** COPY_FILE_RANGE_64 differs only in its reply, `fuse_copy_file_range_out`. */
export const copyFileRange64: Operation<number> = {
  ...copyFileRange,
  reply: (result, host) => host.body.put64(result),
};

export const lseek: Operation<number> = {
  method: "seek",
  size: STRUCT.fuse_lseek_in.SIZE,
  call(filesystem, request, context) {
    const { fh, offset, whence } = STRUCT.fuse_lseek_in;
    const position = exact(request.i64(offset), "EOVERFLOW");
    return filesystem.seek(request.node, request.u64(fh), position, request.u32(whence), context);
  },
  reply: (result, host) => host.body.put64(result),
};

const BMAP = STRUCT.fuse_bmap_in;

export const bmap: Operation<number> = {
  method: "mapBlock",
  size: BMAP.SIZE,
  call: (filesystem, request, context) =>
    filesystem.mapBlock(request.node, request.u32(BMAP.blocksize), request.u64(BMAP.block), context),
  reply: (result, host) => host.body.put64(result),
};
