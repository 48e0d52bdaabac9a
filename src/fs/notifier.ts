/**
 * Notifications: what a filesystem tells the kernel by itself, because something changed that the kernel has cached or a
 * program waits for. `docs/notifications.md` says which change needs which.
 *
 * A notification is a message to a thread that serves no requests, so that it can be sent from anywhere, a method in the
 * middle of a `write` included. Await one only where that method's own answer does not depend on it: the kernel may hold
 * a lock of the node (or of the directory) until the method has answered, and the notification waits for that lock.
 */
import type { Name, NodeId, PollHandle } from "./filesystem.ts";

/**
 * What came of a notification. `"not cached"`: the kernel knew nothing that it had to change (`ENOENT`). `"not mounted"`:
 * the mount is not live yet or not any more, and nothing was sent.
 */
export type NotifyOutcome = "delivered" | "not cached" | "not mounted";

/**
 * Sends notifications, in order, best effort. Equal ones that wait in a row for one node are sent once. The promises are
 * for those who want to know; one that rejects and that nobody looks at does no harm. They reject with an `FsError` that
 * has the kernel's errno.
 *
 * In a filesystem with placement "loop" the promises never resolve: a loop has no event loop that could. The
 * notifications are sent all the same.
 */
export interface Notifier {
  /**
   * The contents of `node` changed from `offset` on, for `length` bytes (0: to the end), and its attributes. A negative
   * `offset`: only the attributes. Default: everything. Dirty pages (`writeback-cache`) are written first.
   */
  invalidateNode(node: NodeId, offset?: number, length?: number): Promise<NotifyOutcome>;

  /** `name` in `parent` means something else now, or nothing, or something where there was nothing. */
  invalidateEntry(parent: NodeId, name: Name): Promise<NotifyOutcome>;

  /**
   * As `invalidateEntry`, but milder: the name is looked up again when it is next used, and what is mounted or open below
   * it stays. Kernels before 6.2 (without the feature `has-expire-only`) invalidate.
   */
  expireEntry(parent: NodeId, name: Name): Promise<NotifyOutcome>;

  /**
   * `name` in `parent`, which was `node`, was deleted: programs that watch the file itself with inotify are told
   * (`IN_DELETE_SELF`; those that watch its directory are not). Rejects with
   * `ENOTEMPTY` or `EBUSY` when the kernel sees something in it or mounted on it.
   */
  deleteEntry(parent: NodeId, node: NodeId, name: Name): Promise<NotifyOutcome>;

  /** Puts `data` into the page cache of `node` at `offset`; a longer file grows. The bytes are copied at once. */
  store(node: NodeId, offset: number, data: Uint8Array): Promise<NotifyOutcome>;

  /**
   * What the page cache has of `node` from `offset` on, up to the first page that it has not: at most `size` bytes, and
   * no bytes when it has none.
   */
  retrieve(node: NodeId, offset: number, size: number): Promise<Uint8Array>;

  /** All cached names are to be looked up again when they are next used. Linux 6.16; `EINVAL` before. */
  incrementEpoch(): Promise<NotifyOutcome>;

  /** The kernel should forget these nodes if nobody uses them. Linux 6.18; `EINVAL` before. */
  prune(nodes: readonly NodeId[]): Promise<NotifyOutcome>;

  /** The kernel sends all requests again that were read and not answered. Linux 6.9; `EINVAL` before. */
  resend(): Promise<NotifyOutcome>;

  /** What waits in poll, select or epoll asks again. To be sent once for a handle that `poll` was given. */
  wakePoll(handle: PollHandle): Promise<NotifyOutcome>;
}
