/** What the ports of libfuse's notify examples share: one directory with one file, and a clock that changes it. */
import {
  type FileSystem,
  FsError,
  type MountOptions,
  type Notifier,
  O_ACCMODE,
  O_RDONLY,
  S_IFDIR,
  S_IFREG,
} from "../mod.ts";
import { type CommandLine, numberOf, serve } from "./command_line.ts";

/** The kernel cannot be told that there is no timeout, so this is a long one, in seconds. */
export const NO_TIMEOUT = 500_000;

export const FILE_NODE = 2;

/** The options that all of them have. */
export const OPTIONS = {
  "update-interval=<secs>": "update-rate of file system contents",
  "no-notify": "disable kernel notifications",
};

/** Hours, minutes and seconds of now, local. */
export function clock(): string[] {
  return new Date().toTimeString().slice(0, 8).split(":");
}

/** One file whose name and contents may change. */
export class ClockFile {
  name = "current_time";
  /** Permissions. */
  mode = 0o444;
  content: Uint8Array<ArrayBuffer> = new Uint8Array();

  /** Called when the kernel has let go of the file. */
  forgotten: () => void = () => {};

  /** "The current time is 12:34:56". */
  showTime(): void {
    this.content = new TextEncoder().encode(`The current time is ${clock().join(":")}\n`);
  }
}

/** For a notification that the running Linux may not have: says so, once, and not on standard error. */
export function sayWhenUnsupported(outcome: Promise<unknown> | undefined, what: string): void {
  outcome?.catch((error: unknown) => {
    if (!(error instanceof FsError) || error.code !== "EINVAL" || unsupported.has(what)) return;
    unsupported.add(what);
    // deno-lint-ignore no-console -- the original says so too
    console.log(`${what} is not supported by kernel`);
  });
}

const unsupported = new Set<string>();

/** Serves `file`, and calls `update` for every tick of the clock, with a notifier while the kernel knows the file. */
export async function serveClock(
  file: ClockFile,
  line: CommandLine,
  options: MountOptions,
  update: (notifier: Notifier | undefined) => unknown,
): Promise<never> {
  let known = false;
  let notifier: Notifier | undefined;
  const attributes = (node: number) =>
    node === 1 ? { mode: S_IFDIR | 0o755, links: 1 } : { mode: S_IFREG | file.mode, size: file.content.length };
  const filesystem: FileSystem = {
    initialize: (connection) => void (notifier = connection.notifier),
    lookup(parent, name) {
      if (parent !== 1 || name !== file.name) return undefined;
      known = true;
      return { node: FILE_NODE, attributes: attributes(FILE_NODE) };
    },
    forget() {
      known = false;
      file.forgotten();
    },
    getAttributes: (node) => attributes(node),
    *readDirectory(node, _handle, offset) {
      if (node !== 1) throw new FsError("ENOTDIR");
      if (offset < 1) yield { name: file.name, inode: FILE_NODE, mode: S_IFREG, offset: 1 };
    },
    open(node, flags) {
      if (node === 1) throw new FsError("EISDIR");
      if ((flags & O_ACCMODE) !== O_RDONLY) throw new FsError("EACCES");
      // What is cached stays when the file is closed: that makes it easier to see what a notification does.
      return { keepCache: true };
    },
    read: (_node, _handle, offset, size) => file.content.subarray(offset, offset + size),
  };
  const seconds = numberOf(line, "update-interval", 1);
  const notify = !line.own.has("no-notify");
  if (line.foreground) setInterval(() => update(notify && known ? notifier : undefined), seconds * 1000);
  return await serve(filesystem, line, options);
}
