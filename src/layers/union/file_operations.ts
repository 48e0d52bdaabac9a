/** Operations on open files: each goes to the branch that has the file now. */
import { FsError } from "../../fs/errors.ts";
import type {
  Awaitable,
  FileRange,
  FileSystem,
  Handle,
  IoctlReply,
  IoctlRequest,
  NodeId,
  Opened,
  PollHandle,
  RequestContext,
  WriteDetails,
} from "../../fs/filesystem.ts";
import { O_ACCMODE, O_RDONLY, O_TRUNC, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../fs/flags.ts";
import type { Result } from "./kept_records.ts";
import { nothing, recallNothing } from "./name_operations.ts";
import type { UnionNode } from "./nodes.ts";
import { run, type Steps, wait } from "./steps.ts";
import type { OpenFile, Union } from "./union.ts";

/** What files are that cannot be polled (DEFAULT_POLLMASK of include/uapi/asm-generic/poll.h). */
const ALWAYS_READY = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

export function fileOperations(union: Union) {
  function* openPart(node: UnionNode, flags: number, context: RequestContext): Steps<Opened> {
    const changes = (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
    const member = changes ? yield* union.copyUp.toWritable(node, context) : union.topOf(node);
    return union.opened(node, flags, yield* wait(member.open(node.topPart, flags, context)));
  }

  /** What was open is written down until it is closed: this comes again, and the branch knows that. */
  function* releasePart(handle: Handle, flags: number, context: RequestContext): Steps<void> {
    const { member, node, handle: inner } = union.files.get(handle);
    yield* wait(member.release(node, inner, flags, context));
    union.files.remove(handle);
    union.tables?.closed(handle);
  }

  function* recallOpened({ opened }: Result): Steps<Opened> {
    return yield* wait(opened!);
  }

  /** Does something on what a handle stands for: on the copy, when the file was copied up since. */
  function on<T>(handle: Handle, context: RequestContext, action: (open: OpenFile) => Awaitable<T>): Awaitable<T> {
    const open = union.files.get(handle);
    return union.isOld(open) ? run(union.written(onCopy(open, context, action))) : action(open);
  }

  function* onCopy<T>(open: OpenFile, context: RequestContext, action: (open: OpenFile) => Awaitable<T>): Steps<T> {
    return yield* wait(action(yield* union.reopen(open, context)));
  }

  /** Both files as they are now. */
  function* copyRange(
    from: FileRange,
    to: FileRange,
    length: number,
    flags: number,
    context: RequestContext,
  ): Steps<number> {
    const ranges = [];
    for (const { handle, offset } of [from, to]) {
      const open = union.files.get(handle);
      if (union.isOld(open)) yield* union.reopen(open, context);
      ranges.push({ member: open.member, node: open.node, handle: open.handle, offset });
    }
    const [source, target] = ranges as [typeof ranges[0], typeof ranges[0]];
    // The kernel then copies by itself (fs/fuse/file.c: fuse_copy_file_range).
    if (source.member !== target.member) throw new FsError("EXDEV", "The files are on different branches");
    return yield* wait(source.member.need("copyFileRange")(source, target, length, flags, context));
  }

  return {
    open(node: NodeId, flags: number, context: RequestContext): Awaitable<Opened> {
      const steps = openPart(union.nodes.get(node), flags, context);
      return run(union.once(context, steps, (opened) => ({ opened }), recallOpened));
    },

    read(_node: NodeId, handle: Handle, offset: number, size: number, context: RequestContext): Awaitable<Uint8Array> {
      return on(handle, context, (open) => open.member.filesystem.read!(open.node, open.handle, offset, size, context));
    },

    write(
      _node: NodeId,
      handle: Handle,
      offset: number,
      data: Uint8Array,
      details: WriteDetails,
      context: RequestContext,
    ): Awaitable<number> {
      return on(
        handle,
        context,
        (open) => open.member.filesystem.write!(open.node, open.handle, offset, data, details, context),
      );
    },

    flush(_node: NodeId, handle: Handle, lockOwner: bigint, context: RequestContext): Awaitable<void> {
      return on(handle, context, (open) => open.member.filesystem.flush?.(open.node, open.handle, lockOwner, context));
    },

    release(_node: NodeId, handle: Handle, flags: number, context: RequestContext): Awaitable<void> {
      return run(union.once(context, releasePart(handle, flags, context), nothing, recallNothing));
    },

    synchronize(_node: NodeId, handle: Handle, dataOnly: boolean, context: RequestContext): Awaitable<void> {
      return on(
        handle,
        context,
        (open) => open.member.filesystem.synchronize?.(open.node, open.handle, dataOnly, context),
      );
    },

    ioctl(_node: NodeId, handle: Handle, request: IoctlRequest, context: RequestContext): Awaitable<IoctlReply> {
      return on(handle, context, ({ member: { filesystem }, node, handle }) => {
        if (filesystem.ioctl === undefined) throw new FsError("ENOTTY", "The branch of the file has no ioctl");
        return filesystem.ioctl(node, handle, request, context);
      });
    },

    poll(
      _node: NodeId,
      handle: Handle,
      events: number,
      wakeup: PollHandle | undefined,
      context: RequestContext,
    ): Awaitable<number> {
      return on(
        handle,
        context,
        ({ member: { filesystem }, node, handle }) =>
          filesystem.poll?.(node, handle, events, wakeup, context) ?? (events & ALWAYS_READY),
      );
    },

    allocate(
      _node: NodeId,
      handle: Handle,
      mode: number,
      offset: number,
      length: number,
      context: RequestContext,
    ): Awaitable<void> {
      return on(
        handle,
        context,
        (open) => open.member.need("allocate")(open.node, open.handle, mode, offset, length, context),
      );
    },

    copyFileRange(
      from: FileRange,
      to: FileRange,
      length: number,
      flags: number,
      context: RequestContext,
    ): Awaitable<number> {
      return run(union.written(copyRange(from, to, length, flags, context)));
    },

    seek(_node: NodeId, handle: Handle, offset: number, whence: number, context: RequestContext): Awaitable<number> {
      return on(handle, context, (open) => open.member.need("seek")(open.node, open.handle, offset, whence, context));
    },
  } satisfies FileSystem;
}
