/**
 * A filesystem in which files may only grow so far together: `ENOSPC` beyond, and statvfs(3) shows the limit.
 *
 * What counts is the length of files, in pages of 4 KiB, holes too: lengths are known exactly before and after each
 * change, which the blocks of a disk are not. A file counts until it has no name and the kernel has forgotten it.
 */
import type { Attributes } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { ConnectionInfo } from "../../fs/connection_info.ts";
import type { Awaitable, FileSystem, Handle, NodeId, RequestContext } from "../../fs/filesystem.ts";
import { FALLOC_FL_KEEP_SIZE, S_IFMT, S_IFREG } from "../../fs/flags.ts";
import { after, orElse } from "../support/awaitable.ts";
import { makeSizeUsage, PageCount, type SizeChange, type SizeUsage } from "./page_count.ts";
import { onlyWith, wrapFileSystem } from "../support/wrapping.ts";

const PAGE = 4096;

/** Features under which files change their length without a request: `open` empties them, the kernel writes by itself. */
const UNSEEN: ReadonlySet<string> = new Set(["atomic-o-trunc", "passthrough"]);

/** Who asks when nobody does. */
const SERVER: RequestContext = {
  ...{ uid: 0, gid: 0, pid: 0, umask: 0, unique: 0, resent: false },
  signal: new AbortController().signal,
  allocate: (size) => new Uint8Array(size),
};

/** What statvfs(3) shows where the filesystem itself does not say. */
const UNKNOWN_FILES = { files: 0, filesFree: 0 };

/** How much a filesystem may hold. */
export interface SizeLimit {
  /** The most bytes; up to 8 TiB. */
  readonly size: number;
  /** How many bytes were there before and count. Default 0: only what comes counts. */
  readonly used?: number;
  /** Where loops that serve one filesystem count together, made by {@linkcode makeSizeUsage}. */
  readonly usage?: SizeUsage;
  /** Where a loop writes down what it is at, for the next server to find (see `SizeChange`). Default: nowhere. */
  readonly change?: SizeChange | undefined;
}

/** Wraps `filesystem`, which must have `getAttributes`. @throws {RangeError} for a limit that is none. */
export function limitSize(filesystem: FileSystem, sizeLimit: SizeLimit): FileSystem {
  const { size, used = 0, usage = makeSizeUsage(), change } = sizeLimit;
  const limit = Math.floor(size / PAGE);
  if (!(size >= 0 && limit < 2 ** 31)) throw new RangeError(`Cannot limit a filesystem to ${size} bytes: up to 8 TiB`);
  const pages = (bytes: number) => Math.ceil(bytes / PAGE);
  Atomics.compareExchange(usage, 0, 0, pages(used));

  const count = new PageCount(limit, usage, change);

  function takeAll(wanted: number, node: NodeId): number {
    const taken = count.take(Math.max(0, wanted));
    if (taken < wanted) {
      count.give(taken);
      refuse(node);
    }
    return taken;
  }

  const refuse = (node: NodeId): never => {
    throw new FsError("ENOSPC", `Cannot let file ${node} grow: the filesystem is limited to ${size} bytes`);
  };
  const lengthOf = ({ mode, size = 0 }: Attributes) => (mode & S_IFMT) === S_IFREG ? size : 0;

  const limited = wrapFileSystem(filesystem, (inner) => {
    const { getAttributes, setAttributes, write, allocate, copyFileRange, getStatistics, forget, forgetLookups } =
      inner;
    if (getAttributes === undefined) throw new TypeError("Cannot limit the size of a filesystem without getAttributes");

    /**
     * Lets a file grow to `end` by `change`, which is told how far it may go. The kernel's lock of the
     * file keeps other changes of its length away meanwhile.
     */
    function grow<Result>(
      node: NodeId,
      handle: Handle | undefined,
      end: number,
      context: RequestContext,
      change: (most: number) => Awaitable<Result>,
    ): Awaitable<Result> {
      return after(getAttributes!(node, handle, context), (attributes) => {
        const before = pages(lengthOf(attributes));
        const taken = count.take(Math.max(0, pages(end) - before));
        count.begin(node, before, taken);
        const most = pages(end) - before > taken ? (before + taken) * PAGE : end;
        const settle = () =>
          after(getAttributes!(node, handle, context), (now) => count.end(before, taken, pages(lengthOf(now))));
        return orElse(
          () => after(change(most), (result) => after(settle(), () => result)),
          (error) =>
            after(settle(), (): never => {
              throw error;
            }),
        );
      });
    }

    /** A file that no name leads to counts no more once it is forgotten. `isGone`: whether this forgets it. */
    function forgetting(node: NodeId, forgetIt: () => void, isGone: () => Awaitable<boolean>): void {
      const done = after(
        orElse<Attributes | undefined>(() => getAttributes!(node, undefined, SERVER), () => undefined),
        (attributes) => {
          forgetIt();
          if (attributes?.links !== 0) return;
          const length = lengthOf(attributes);
          return after(isGone(), (gone) => gone ? count.give(pages(length)) : undefined);
        },
      );
      if (done instanceof Promise) done.catch(() => {});
    }

    /** Whether the filesystem, which counts lookups itself, knows the node no more. */
    const isUnknown = (node: NodeId) =>
      orElse<boolean>(() => after(getAttributes(node, undefined, SERVER), () => false), () => true);

    return {
      write: onlyWith(
        write,
        (node, handle, offset, data, details, context) =>
          grow(node, handle, offset + data.length, context, (most) => {
            if (most <= offset && data.length > 0) refuse(node);
            return write!(node, handle, offset, data.subarray(0, most - offset), details, context);
          }),
      ),

      setAttributes: onlyWith(setAttributes, (node, changes, handle, context) => {
        const { size: length } = changes;
        if (length === undefined) return setAttributes!(node, changes, handle, context);
        return after(getAttributes(node, handle, context), (attributes) => {
          const before = pages(lengthOf(attributes));
          const taken = takeAll(pages(length) - before, node);
          count.begin(node, before, taken);
          const attempt = () =>
            after(setAttributes!(node, changes, handle, context), (changed) => {
              count.end(before, taken, pages(length));
              return changed;
            });
          return orElse(attempt, (error): never => {
            count.end(before, taken, before);
            throw error;
          });
        });
      }),

      allocate: onlyWith(allocate, (node, handle, mode, offset, length, context) => {
        if (mode & FALLOC_FL_KEEP_SIZE) return allocate!(node, handle, mode, offset, length, context);
        return grow(node, handle, offset + length, context, (most) => {
          if (most < offset + length) refuse(node);
          return allocate!(node, handle, mode, offset, length, context);
        });
      }),

      copyFileRange: onlyWith(
        copyFileRange,
        (from, to, length, flags, context) =>
          grow(to.node, to.handle, to.offset + length, context, (most) => {
            if (most <= to.offset && length > 0) refuse(to.node);
            return copyFileRange!(from, to, most - to.offset, flags, context);
          }),
      ),

      getStatistics: (node, context) =>
        after(getStatistics?.(node, context), (statistics) => {
          const { free } = count;
          const unit = PAGE / (statistics?.blockSize ?? PAGE);
          const within = (blocks: number | undefined) => Math.min(free, Math.floor((blocks ?? Infinity) / unit));
          return {
            ...UNKNOWN_FILES,
            ...statistics,
            blockSize: PAGE,
            fragmentSize: PAGE,
            blocks: limit,
            blocksFree: within(statistics?.blocksFree),
            blocksAvailable: within(statistics?.blocksAvailable),
          };
        }),

      ...(forgetLookups === undefined
        ? { forget: (node: NodeId) => forgetting(node, () => forget?.(node), () => true) }
        : {
          forgetLookups: (node: NodeId, count: number) =>
            forgetting(node, () => forgetLookups(node, count), () => isUnknown(node)),
        }),
    };
  });
  return {
    ...limited,
    features: (filesystem.features ?? []).filter((feature) => !UNSEEN.has(feature)),
    initialize(connection: ConnectionInfo) {
      // Another branch of a tree may have asked for them.
      filesystem.initialize?.({ ...connection, features: connection.features.difference(UNSEEN) });
      count.settle((node) => pages(lengthOf(filesystem.getAttributes!(node, undefined, SERVER) as Attributes)));
    },
  };
}
