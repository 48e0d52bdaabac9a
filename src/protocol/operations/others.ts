/** Operations on the filesystem as a whole, and ioctl. */
import * as KERNEL from "../../../ffi/kernel.ts";
import { STRUCT } from "../../../ffi/structs.ts";
import type { FileSystemStatistics } from "../../fs/attributes.ts";
import type { IoctlReply } from "../../fs/filesystem.ts";
import { nothing, type Operation } from "./row.ts";

export const statfs: Operation<FileSystemStatistics> = {
  method: "getStatistics",
  size: 0,
  call: (filesystem, request, context) => filesystem.getStatistics(request.node, context),
  reply: (result, host) => host.body.putStatistics(result),
  missing: (host) =>
    host.body.putStatistics({ blockSize: 512, blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0 }),
};

const IOCTL = STRUCT.fuse_ioctl_in;

export const ioctl: Operation<IoctlReply> = {
  method: "ioctl",
  size: IOCTL.SIZE,
  call(filesystem, request, context) {
    const flags = request.u32(IOCTL.flags);
    const details = {
      command: request.u32(IOCTL.cmd),
      argument: request.big(IOCTL.arg),
      input: request.takeBytes(request.u32(IOCTL.in_size)),
      outputSize: request.u32(IOCTL.out_size),
      directory: (flags & KERNEL.FUSE_IOCTL_DIR) !== 0,
      compatible32: (flags & KERNEL.FUSE_IOCTL_COMPAT) !== 0,
    };
    return filesystem.ioctl(request.node, request.u64(IOCTL.fh), details, context);
  },
  reply(result, host, request) {
    const output = result.output ?? new Uint8Array();
    if (output.length > request.u32(IOCTL.out_size)) throw new Error("ioctl returned more than outputSize bytes");
    return host.body.putIoctl(result.result ?? 0, output);
  },
};

export const syncfs: Operation<void> = {
  method: "synchronizeFileSystem",
  size: STRUCT.fuse_syncfs_in.SIZE,
  call: (filesystem, request, context) => filesystem.synchronizeFileSystem(request.node, context),
  ...nothing,
};
