/** What a row of the table of operations is, and the parts that many rows share. */
import { STRUCT } from "../../../ffi/structs.ts";
import type { Entry } from "../../fs/attributes.ts";
import type { Awaitable, Created, FileSystem, NodeId } from "../../fs/filesystem.ts";
import { O_ACCMODE, O_RDONLY } from "../../fs/flags.ts";
import type { HeaderContext } from "../context.ts";
import type { OpenFiles } from "../open_files.ts";
import type { ReplyBody } from "../reply.ts";
import type { RequestView } from "../request.ts";

/** What a reply needs to know besides the result. */
export interface ReplyHost {
  readonly body: ReplyBody;
  readonly openFiles: OpenFiles;
  /** Counts a lookup of the entry's node, before it is sent. */
  count(entry: Entry): void;
  /** Takes that back: the entry of this node did not reach the kernel. */
  uncount(node: NodeId): void;
  /** Gives back an entry that was never counted here: one that did not fit a directory's buffer. */
  discard(entry: Entry): void;
  /** Whether a name that is not there may be cached. */
  readonly cacheNegative: boolean;
}

/** One row. `Result` is what the method returns. */
export interface Operation<Result = unknown> {
  /** The method that serves it. */
  readonly method: keyof FileSystem;
  /** Another that does, for some of its requests: the kernel sends those only to a filesystem that has it. */
  readonly otherMethod?: keyof FileSystem;
  /** The size of the operation's struct. */
  readonly size: number;
  /** Decodes the parameters and calls the method, which is there. */
  call(
    filesystem: Required<FileSystem>,
    request: RequestView,
    context: HeaderContext,
    host: ReplyHost,
  ): Awaitable<Result>;
  /** Writes the result and returns the body's length, or a negative errno. */
  reply(result: Result, host: ReplyHost, request: RequestView): number;
  /** The answer without the method. Default: `-ENOSYS`. */
  missing?(host: ReplyHost, request: RequestView): number;
  /** The reply came too late (the caller was told ETIMEDOUT, or is gone): gives back what it handed out. */
  refused?(
    result: Result,
    host: ReplyHost,
    filesystem: FileSystem,
    request: RequestView,
    context: HeaderContext,
  ): Awaitable<void>;
}

export const succeed = (): number => 0;

/** Rows whose reply has no body. */
export const nothing = { reply: succeed };

/** Rows whose reply is an entry that the kernel then knows. */
export const entry = {
  reply(result: Entry, host: ReplyHost): number {
    const length = host.body.putEntry(result);
    host.count(result);
    return length;
  },
  refused: (result: Entry, host: ReplyHost): void => host.uncount(result.node),
};

/** Whether an open, or a create, asks for more than reading; both structs begin with their flags. */
export function mayWrite(request: RequestView): boolean {
  return (request.u32(STRUCT.fuse_open_in.flags) & O_ACCMODE) !== O_RDONLY;
}

export const created = {
  reply(result: Created, host: ReplyHost, request: RequestView): number {
    const { entry, opened } = result;
    const end = host.body.putEntry(entry);
    const backing = host.openFiles.opened(entry.node, opened, mayWrite(request), request.unique);
    const length = host.body.putOpened(opened, backing, end);
    host.count(entry);
    return length;
  },
  refused(
    result: Created,
    host: ReplyHost,
    filesystem: FileSystem,
    request: RequestView,
    context: HeaderContext,
  ): Awaitable<void> {
    host.openFiles.released(result.entry.node, request.unique);
    const released = filesystem.release?.(result.entry.node, result.opened.handle ?? 0, 0, context);
    host.uncount(result.entry.node);
    return released;
  },
};
