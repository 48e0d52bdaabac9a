/** libfuse's example/hello_ll.c: one file, "hello", that says so. Run it with: deno run -A hello_ll.ts -f MOUNTPOINT */
import { type Attributes, type FileSystem, FsError, O_ACCMODE, O_RDONLY, S_IFDIR, S_IFREG } from "../mod.ts";
import { parseCommandLine, serve } from "./command_line.ts";

const text = new TextEncoder().encode("Hello World!\n");
const names = [".", "..", "hello"];

function attributes(node: number): Attributes {
  if (node === 1) return { mode: S_IFDIR | 0o755, links: 2, uid: 0, gid: 0 };
  return { mode: S_IFREG | 0o444, size: text.length, uid: 0, gid: 0 };
}

const hello: FileSystem = {
  lookup: (parent, name) => parent === 1 && name === "hello" ? { node: 2, attributes: attributes(2) } : undefined,
  getAttributes: (node) => attributes(node),
  *readDirectory(node, _handle, offset) {
    if (node !== 1) throw new FsError("ENOTDIR");
    for (let index = offset; index < names.length; index++) {
      yield { name: names[index]!, inode: index < 2 ? 1 : 2, mode: 0, offset: index + 1 };
    }
  },
  open(node, flags) {
    if (node !== 2) throw new FsError("EISDIR");
    if ((flags & O_ACCMODE) !== O_RDONLY) throw new FsError("EACCES");
    return {};
  },
  read: (_node, _handle, offset, size) => text.subarray(offset, offset + size),
};

await serve(hello, parseCommandLine(Deno.args));
