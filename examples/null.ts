/** libfuse's example/null.c: a file of 4 GiB that reads as zeros and swallows what is written. The mountpoint is a file. */
import { type Attributes, type FileSystem, now, S_IFREG } from "../mod.ts";
import { parseCommandLine, serve } from "./command_line.ts";

const SIZE = 2 ** 32;

function attributes(): Attributes {
  const time = now();
  return { mode: S_IFREG | 0o644, size: SIZE, blocks: 0, atime: time, mtime: time, ctime: time };
}

const nothing: FileSystem = {
  getAttributes: attributes,
  setAttributes: attributes,
  open: () => ({}),
  read: (_node, _handle, offset, size) => new Uint8Array(offset >= SIZE ? 0 : size),
  write: (_node, _handle, _offset, data) => data.length,
};

const line = parseCommandLine(Deno.args);
const mountpoint = await Deno.stat(line.mountpoint).catch((error: Error) => error);
if (mountpoint instanceof Error || !mountpoint.isFile) {
  // deno-lint-ignore no-console -- an example says what is wrong
  console.error(
    mountpoint instanceof Error
      ? `failed to access mountpoint ${line.mountpoint}: ${mountpoint.message}`
      : "mountpoint is not a regular file",
  );
  Deno.exit(1);
}
await serve(nothing, line);
