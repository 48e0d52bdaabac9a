/**
 * A file that the first server never reads, but says that it has changed: the kernel lets that wait until the read is
 * answered, which only the next server does. Who is asked writes it to the file `asked` in the folder that the options name.
 */
import type { ConnectionInfo } from "../../src/fs/connection_info.ts";
import type { FileSystem } from "../../src/fs/filesystem.ts";
import type { KeptState, LoopHost } from "../../src/fs/module.ts";
import type { Notifier } from "../../src/fs/notifier.ts";

const FILE = 2;
const TEXT = "read by the next server\n";

export function prepare(_options: unknown, _workers: number, kept?: KeptState): number {
  return kept!.restarts;
}

export default function makeFileSystem(
  { folder }: { folder: string },
  { shared: restarts }: LoopHost<number>,
): FileSystem {
  let notifier: Notifier | undefined;
  const attributes = (node: number) => node === FILE ? { mode: 0o100444, size: TEXT.length } : { mode: 0o40755 };
  return {
    initialize: (connection: ConnectionInfo) => void (notifier = connection.notifier),
    lookup: (_parent, name) => name === "file" ? { node: FILE, attributes: attributes(FILE) } : undefined,
    getAttributes: attributes,
    forgetLookups: () => {},
    read(_node, _handle, offset) {
      if (restarts > 0) return new TextEncoder().encode(TEXT).subarray(offset);
      void notifier!.invalidateNode(FILE);
      Deno.writeTextFileSync(`${folder}/asked`, "");
      return new Promise(() => {});
    },
  };
}
