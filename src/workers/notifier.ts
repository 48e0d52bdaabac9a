/**
 * Entry point of a notify worker: takes notifications to the kernel, one after another. It never serves requests, so it
 * may wait for locks that the kernel holds until a request is answered. Another of its kind is the poll handler, which
 * takes wake-ups only.
 */
import { PR_SET_NAME } from "../../ffi/libc.ts";
import { openLibc, openLibcProcess } from "../../ffi/library.ts";
import { Receiver } from "../channels/channel_ends.ts";
import { addressOf, cString } from "../../ffi/memory.ts";
import {
  type Envelope,
  type FromNotifier,
  type NotifierStart,
  NOTIFY_THREAD,
  type NotifyAnswer,
  type ToNotifier,
} from "../messages.ts";
import { encodeNotification, type Notification } from "../protocol/notification.ts";

declare const self: {
  onmessage: (event: MessageEvent<ToNotifier>) => void;
  postMessage(message: FromNotifier): void;
  close(): void;
};

/** Leaves the channel and closes the descriptor; set when the worker has started. */
let end = () => {};

self.onmessage = ({ data }) => {
  if (data.kind === "start") return start(data);
  end();
  self.postMessage("ended");
  self.close();
};

function start({ device, port }: NotifierStart): void {
  const name = cString(NOTIFY_THREAD);
  openLibcProcess().prctl(PR_SET_NAME, addressOf(name));
  const { symbols, errno } = openLibc();
  const receiver = new Receiver<Envelope, NotifyAnswer>(port);
  end = () => {
    receiver[Symbol.dispose]();
    // Closed here and nowhere else while this thread lives: its number may not be another file's in the middle of a write.
    symbols.close(device);
  };
  receiver.onMessage = ({ notification }) => {
    const message = encodeOrExplain(notification);
    if (typeof message === "string") return message;
    return symbols.write(device, message, message.length) < 0 ? errno[0]! : 0;
  };
}

/** The message, or why there is none: its sender is to hear of that, and everybody else's are to be sent. */
function encodeOrExplain(notification: Notification): Uint8Array<ArrayBuffer> | string {
  try {
    return encodeNotification(notification);
  } catch (error) {
    return String(error);
  }
}
