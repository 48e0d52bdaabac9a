/**
 * Notifications in the kernel's own bytes: `fuse_out_header` with `unique` 0 and the code as `error`, then the code's
 * struct, then names (zero-terminated) or data (fs/fuse/dev.c, fuse_notify).
 */
import { FUSE_EXPIRE_ONLY, NOTIFY } from "../../ffi/kernel.ts";
import { STRUCT } from "../../ffi/structs.ts";
import { encodeName } from "../fs/names.ts";

/** One notification; what its fields mean stands with the methods of `src/fs/notifier.ts`. */
export type Notification =
  | { readonly kind: "invalidateNode"; readonly node: number; readonly offset: number; readonly length: number }
  | { readonly kind: "invalidateEntry" | "expireEntry"; readonly parent: number; readonly name: string }
  | { readonly kind: "deleteEntry"; readonly parent: number; readonly node: number; readonly name: string }
  | { readonly kind: "store"; readonly node: number; readonly offset: number; readonly data: Uint8Array }
  | {
    readonly kind: "retrieve";
    /** What the kernel's answer will carry. */
    readonly unique: number;
    readonly node: number;
    readonly offset: number;
    readonly size: number;
  }
  | { readonly kind: "incrementEpoch" | "resend" }
  | { readonly kind: "prune"; readonly nodes: readonly number[] }
  | { readonly kind: "wakePoll"; readonly handle: number };

const OUT = STRUCT.fuse_out_header;

/** The message for write(2) on the device. @throws for node ids and offsets that are not whole numbers. */
export function encodeNotification(notification: Notification): Uint8Array<ArrayBuffer> {
  switch (notification.kind) {
    case "invalidateNode": {
      const { SIZE, ino, off, len } = STRUCT.fuse_notify_inval_inode_out;
      const message = new Message(NOTIFY.INVAL_INODE, SIZE);
      return message.put64(ino, notification.node).put64(off, notification.offset).put64(len, notification.length)
        .bytes;
    }
    case "invalidateEntry":
    case "expireEntry": {
      const { SIZE, parent, namelen, flags } = STRUCT.fuse_notify_inval_entry_out;
      const name = encodeName(notification.name);
      const message = new Message(NOTIFY.INVAL_ENTRY, SIZE, name.length + 1).put64(parent, notification.parent);
      message.put32(flags, notification.kind === "expireEntry" ? FUSE_EXPIRE_ONLY : 0);
      return message.put32(namelen, name.length).putBytes(SIZE, name).bytes;
    }
    case "deleteEntry": {
      const { SIZE, parent, child, namelen } = STRUCT.fuse_notify_delete_out;
      const name = encodeName(notification.name);
      const message = new Message(NOTIFY.DELETE, SIZE, name.length + 1).put64(parent, notification.parent);
      return message.put64(child, notification.node).put32(namelen, name.length).putBytes(SIZE, name).bytes;
    }
    case "store": {
      const { SIZE, nodeid, offset, size } = STRUCT.fuse_notify_store_out;
      const { data } = notification;
      const message = new Message(NOTIFY.STORE, SIZE, data.length).put64(nodeid, notification.node);
      return message.put64(offset, notification.offset).put32(size, data.length).putBytes(SIZE, data).bytes;
    }
    case "retrieve": {
      const { SIZE, notify_unique, nodeid, offset, size } = STRUCT.fuse_notify_retrieve_out;
      const message = new Message(NOTIFY.RETRIEVE, SIZE).put64(notify_unique, notification.unique);
      message.put64(nodeid, notification.node);
      return message.put64(offset, notification.offset).put32(size, notification.size).bytes;
    }
    case "incrementEpoch":
      return new Message(NOTIFY.INC_EPOCH, 0).bytes;
    case "resend":
      return new Message(NOTIFY.RESEND, 0).bytes;
    case "prune": {
      const { SIZE, count } = STRUCT.fuse_notify_prune_out;
      const { nodes } = notification;
      const message = new Message(NOTIFY.PRUNE, SIZE, nodes.length * 8).put32(count, nodes.length);
      nodes.forEach((node, index) => message.put64(SIZE + index * 8, node));
      return message.bytes;
    }
    case "wakePoll": {
      const { SIZE, kh } = STRUCT.fuse_notify_poll_wakeup_out;
      return new Message(NOTIFY.POLL, SIZE).put64(kh, notification.handle).bytes;
    }
  }
}

/** The lane of a notification in its channel: those about one node must not overtake each other. */
export function laneOf(notification: Notification): number | string {
  if ("parent" in notification) return notification.parent;
  if ("node" in notification) return notification.node;
  return notification.kind === "wakePoll" ? `poll ${notification.handle}` : "all";
}

/** Whether one of the two, both waiting and of one lane, is enough. */
export function isDuplicate(one: Notification, other: Notification): boolean {
  switch (one.kind) {
    case "invalidateNode":
      return one.kind === other.kind && one.offset === other.offset && one.length === other.length;
    case "invalidateEntry":
    case "expireEntry":
      return one.kind === other.kind && one.name === other.name;
    case "wakePoll":
    case "incrementEpoch":
      return one.kind === other.kind;
    default:
      return false;
  }
}

/** The bytes of one notification; offsets are those of the struct. */
class Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(code: number, structSize: number, extraSize = 0) {
    this.bytes = new Uint8Array(OUT.SIZE + structSize + extraSize);
    this.#view = new DataView(this.bytes.buffer);
    this.#view.setUint32(OUT.len, this.bytes.length, true);
    this.#view.setInt32(OUT.error, code, true);
  }

  put32(at: number, value: number): this {
    this.#view.setUint32(OUT.SIZE + at, value, true);
    return this;
  }

  put64(at: number, value: number): this {
    this.#view.setBigInt64(OUT.SIZE + at, BigInt(value), true);
    return this;
  }

  putBytes(at: number, bytes: Uint8Array): this {
    this.bytes.set(bytes, OUT.SIZE + at);
    return this;
  }
}
