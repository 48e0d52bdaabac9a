/** A module of loops whose files "0" to "9" are those of a directory, with backing descriptors. It counts its reads. */
import { openLibc } from "../../ffi/library.ts";
import { cString } from "../../ffi/memory.ts";
import { type FileSystem, FsError } from "../../mod.ts";

export interface BackedOptions {
  readonly source: string;
  /** Two words of shared memory: how many reads and writes there were. */
  readonly counts: Int32Array<SharedArrayBuffer>;
}

const O_RDWR = 2;

export default function makeFileSystem({ source, counts }: BackedOptions): FileSystem {
  const { symbols } = openLibc();
  return {
    features: ["passthrough"],
    getAttributes: (node) => node === 1 ? { mode: 0o40777 } : { mode: 0o100666, size: 4096 },
    lookup: (_parent, name) =>
      /^\d$/.test(name) ? { node: 2 + Number(name), attributes: { mode: 0o100666, size: 4096 } } : undefined,
    setAttributes: () => ({ mode: 0o100666, size: 4096 }),
    open(node) {
      const descriptor = symbols.open(cString(`${source}/${node - 2}`), O_RDWR, 0);
      if (descriptor < 0) throw new FsError("EIO", "Cannot open the file behind");
      return { handle: descriptor, backing: descriptor };
    },
    read(_node, _handle, _offset, size) {
      Atomics.add(counts, 0, 1);
      return new Uint8Array(size);
    },
    write(_node, _handle, _offset, data) {
      Atomics.add(counts, 1, 1);
      return data.length;
    },
    release: (_node, handle) => void symbols.close(handle),
  };
}
