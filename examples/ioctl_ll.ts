/**
 * libfuse's example/ioctl_ll.c: a file, "fioc", whose size is asked and set with ioctls. `ioctl_client.c` of libfuse3-dev
 * works with it. (FIOC_READ and FIOC_WRITE carry no sizes; the kernel refuses such ioctls to every FUSE filesystem.)
 */
import { type Attributes, type FileSystem, FsError, S_IFDIR, S_IFREG } from "../mod.ts";
import { parseCommandLine, serve } from "./command_line.ts";

/** _IOR('E', 0, size_t) and _IOW('E', 1, size_t) of example/ioctl.h. */
const FIOC_GET_SIZE = 0x80084500;
const FIOC_SET_SIZE = 0x40084501;

const names = [".", "..", "fioc"];
let content = new Uint8Array();

function resize(size: number): void {
  if (size === content.length) return;
  const resized = new Uint8Array(size);
  resized.set(content.subarray(0, size));
  content = resized;
}

function attributes(node: number): Attributes {
  return node === 1 ? { mode: S_IFDIR | 0o755, links: 2 } : { mode: S_IFREG | 0o644, size: content.length };
}

const fioc: FileSystem = {
  lookup: (parent, name) => parent === 1 && name === "fioc" ? { node: 2, attributes: attributes(2) } : undefined,
  getAttributes: (node) => attributes(node),
  setAttributes(node, { size }) {
    if (size !== undefined) resize(size);
    return attributes(node);
  },
  *readDirectory(node, _handle, offset) {
    if (node !== 1) throw new FsError("ENOTDIR");
    for (let index = offset; index < names.length; index++) {
      yield { name: names[index]!, inode: index < 2 ? 1 : 2, mode: 0, offset: index + 1 };
    }
  },
  open(node) {
    if (node !== 2) throw new FsError("EISDIR");
    return {};
  },
  read: (_node, _handle, offset, size) => content.subarray(offset, offset + size),
  write(_node, _handle, offset, data) {
    if (offset + data.length > content.length) resize(offset + data.length);
    content.set(data, offset);
    return data.length;
  },
  ioctl(node, _handle, { command, input, compatible32 }) {
    if (node !== 2) throw new FsError("EINVAL");
    if (compatible32) throw new FsError("ENOSYS");
    if (command === FIOC_GET_SIZE) {
      return { output: new Uint8Array(new BigUint64Array([BigInt(content.length)]).buffer) };
    }
    if (command !== FIOC_SET_SIZE) throw new FsError("EINVAL");
    resize(Number(new DataView(input.buffer, input.byteOffset).getBigUint64(0, true)));
    return {};
  },
};

await serve(fioc, parseCommandLine(Deno.args));
